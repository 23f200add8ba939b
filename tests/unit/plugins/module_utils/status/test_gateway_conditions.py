"""What a status says in gateway mode; what it says of anything else is test_conditions.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    requeue_after,
    router_status,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from examples import resource

GATEWAY: dict[str, Any] = {"existingRef": {"name": "public", "namespace": "edge"}}
NOW = "2026-01-01T00:00:00Z"
RUNNING: dict[str, Any] = {
    "metadata": {"generation": 1},
    "spec": {"replicas": 1},
    "status": {
        "observedGeneration": 1,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": [{"type": "Available", "status": "True"}],
    },
}
MISSING = Problem(
    "GatewayNotFound", "spec.gateway.existingRef", "no Gateway", "Create it", True, False
)
EXPOSED = Problem("ManagementApiExposed", "spec.ingress.enabled", "open", "Close", blocking=False)
BLIND = Problem("DiscoveryFailed", "", "no answer", "Wait", retry=True)


def workload(*statuses: str) -> Workload:
    """One HTTPRoute, with a verdict of the Gateway's controller when statuses are given."""
    kinds = zip(("Accepted", "ResolvedRefs"), statuses, strict=False)
    said = [{"type": kind, "status": value, "observedGeneration": 1} for kind, value in kinds]
    parents = [{"parentRef": GATEWAY["existingRef"], "conditions": said}] if said else []
    route = {
        "metadata": {"name": "my-router", "namespace": "default", "generation": 1},
        "status": {"parents": parents},
    }
    return Workload(
        RUNNING,
        gateway=GATEWAY,
        http_route_names=["my-router"],
        http_routes={"my-router": route},
    )


OWNER = Router(resource(gateway=GATEWAY))


def status(found: Workload, *problems: Problem, facts: Facts | None = None) -> dict[str, Any]:
    return router_status.build(Situation(OWNER, facts or Facts(), list(problems), found), NOW, {})


def verdict(said: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = [item for item in said["conditions"] if item["type"] == kind]
    return found["status"], found["reason"]


def test_the_mode_is_told() -> None:
    assert status(workload())["gatewayMode"] == "gateway-integration"


@pytest.mark.parametrize(
    ("statuses", "phase", "value", "reason", "again"),
    [
        (("True", "True"), "Running", "True", "HTTPRouteAccepted", "10m"),
        ((), "Progressing", "False", "HTTPRoutePending", "30s"),
        (("False", "True"), "Degraded", "False", "HTTPRouteNotAccepted", "30s"),
        (("True", "False"), "Degraded", "False", "HTTPRouteRefsNotResolved", "30s"),
    ],
)
def test_the_verdict_on_the_http_route_makes_the_phase(
    statuses: tuple[str, ...], phase: str, value: str, reason: str, again: str
) -> None:
    said = status(workload(*statuses))
    assert said["phase"] == phase
    assert verdict(said, "RouteReady") == (value, reason)
    assert verdict(said, "Ready")[0] == "True", "clients inside the cluster are served"
    assert verdict(said, "Degraded")[0] == str(phase == "Degraded")
    assert requeue_after.period(Situation(OWNER, Facts(), [], workload(*statuses))) == again


@pytest.mark.parametrize(
    ("is_told_of_status", "again"),
    [(True, requeue_after.SETTLED), (False, requeue_after.UNTOLD)],
)
def test_a_verdict_that_may_change_unheard_is_looked_at_each_minute(
    is_told_of_status: bool, again: str
) -> None:
    accepted = Situation(OWNER, Facts(), [], workload("True", "True"))
    assert requeue_after.period(accepted, is_told_of_status) == again
    alone = Situation(OWNER, Facts(), [], Workload(RUNNING))
    found = requeue_after.period(alone, is_told_of_status)
    assert found == requeue_after.SETTLED, "no verdict of others is waited for"


@pytest.mark.parametrize(
    ("statuses", "reason"),
    [
        (("True", "True"), "GatewayPolicyPending"),
        (("False", "True"), "HTTPRouteNotAccepted"),
    ],
)
def test_the_policies_beside_an_accepted_http_route_have_their_say(
    statuses: tuple[str, ...], reason: str
) -> None:
    found = replace(workload(*statuses), policy_kinds=["EnvoyExtensionPolicy"])
    assert verdict(status(found), "RouteReady") == ("False", reason)


def test_what_the_cluster_lacks_is_told_before_the_route_is_judged() -> None:
    said = status(workload("True", "True"), MISSING)
    assert verdict(said, "RouteReady") == ("False", "GatewayNotFound")
    assert verdict(said, "Degraded") == ("True", "GatewayNotFound")
    assert verdict(said, "ConfigValid")[0] == "True", "the Gateway may still come"


def test_what_is_left_out_for_safety_degrades_and_is_no_mistake() -> None:
    said = status(workload("True", "True"), EXPOSED)
    assert verdict(said, "Degraded") == ("True", "ManagementApiExposed")
    assert verdict(said, "ConfigValid")[0] == "True"
    assert verdict(said, "RouteReady")[0] == "True"


def test_a_cluster_that_does_not_answer_is_no_verdict() -> None:
    assert verdict(status(workload(), BLIND), "RouteReady") == ("Unknown", "DiscoveryFailed")


def test_a_route_of_openshift_beside_the_gateway_is_judged_as_well() -> None:
    both = Workload(
        RUNNING,
        route_name="my-router",
        gateway=GATEWAY,
        http_route_names=["my-router"],
        http_routes=workload("True", "True").http_routes,
    )
    said = status(both, facts=Facts(platform="openshift"))
    assert verdict(said, "RouteReady") == ("False", "RouteMissing")
