"""What a status says of the ways in from outside: a Gateway's HTTPRoute, a Route of OpenShift."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, discovery
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
from seen import (
    ALL_FOUND,
    NOW,
    ON_OPENSHIFT,
    UNREADABLE,
    condition,
    router,
    status,
    verdict,
    with_route,
)

GATEWAY: dict[str, Any] = {"existingRef": {"name": "public", "namespace": "edge"}}
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


def status_of(found: Workload, *problems: Problem, facts: Facts | None = None) -> dict[str, Any]:
    return router_status.build(Situation(OWNER, facts or Facts(), list(problems), found), NOW, {})


def test_the_mode_is_told() -> None:
    assert status_of(workload())["gatewayMode"] == "gateway-integration"


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
    said = status_of(workload(*statuses))
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
    found = replace(workload(*statuses), policy_names=["EnvoyExtensionPolicy my-router"])
    assert verdict(status_of(found), "RouteReady") == ("False", reason)


def test_what_the_cluster_lacks_is_told_before_the_route_is_judged() -> None:
    said = status_of(workload("True", "True"), MISSING)
    assert verdict(said, "RouteReady") == ("False", "GatewayNotFound")
    assert verdict(said, "Degraded") == ("True", "GatewayNotFound")
    assert verdict(said, "ConfigValid")[0] == "True", "the Gateway may still come"


def test_what_is_left_out_for_safety_degrades_and_is_no_mistake() -> None:
    said = status_of(workload("True", "True"), EXPOSED)
    assert verdict(said, "Degraded") == ("True", "ManagementApiExposed")
    assert verdict(said, "ConfigValid")[0] == "True"
    assert verdict(said, "RouteReady")[0] == "True"


def test_a_cluster_that_does_not_answer_is_no_verdict() -> None:
    assert verdict(status_of(workload(), BLIND), "RouteReady") == ("Unknown", "DiscoveryFailed")


def test_a_route_of_openshift_beside_the_gateway_is_judged_as_well() -> None:
    both = Workload(
        RUNNING,
        route_name="my-router",
        gateway=GATEWAY,
        http_route_names=["my-router"],
        http_routes=workload("True", "True").http_routes,
    )
    said = status_of(both, facts=Facts(platform="openshift"))
    assert verdict(said, "RouteReady") == ("False", "RouteMissing")


def test_nothing_is_said_of_a_route_that_nobody_asked_for() -> None:
    assert "RouteReady" not in {item["type"] for item in status(ON_OPENSHIFT)["conditions"]}


def test_an_admitted_route_is_running_and_its_host_is_told() -> None:
    said = status(ON_OPENSHIFT, workload=with_route("True"))
    assert said["phase"] == "Running"
    assert verdict(said, "RouteReady") == ("True", "RouteAdmitted")
    assert said["openshiftFeatures"] == {
        "routesEnabled": True,
        "routeHostname": "router.example.com",
    }


@pytest.mark.parametrize(
    ("exists", "reason"), [(True, "RouteNotAdmitted"), (False, "RouteMissing")]
)
def test_a_route_that_waits_is_progress_and_no_fault(exists: bool, reason: str) -> None:
    workload = with_route(exists=exists)
    said = status(ON_OPENSHIFT, workload=workload)
    assert said["phase"] == "Progressing"
    assert verdict(said, "RouteReady") == ("False", reason)
    assert verdict(said, "Ready") == ("True", "RouterReady")
    assert verdict(said, "Degraded") == ("False", "AsExpected")
    assert said["openshiftFeatures"] == {"routesEnabled": exists}
    situation = Situation(router(), ON_OPENSHIFT, [], workload)
    assert requeue_after.period(situation) == requeue_after.PROGRESSING


def test_a_refused_route_degrades_with_the_words_of_the_refusal() -> None:
    said = status(ON_OPENSHIFT, workload=with_route("False", "HostAlreadyClaimed"))
    assert said["phase"] == "Degraded"
    for name, value in (("RouteReady", "False"), ("Degraded", "True")):
        assert verdict(said, name) == (value, "RouteRefused")
        assert "(HostAlreadyClaimed): it is taken." in condition(said, name)["message"]
    assert verdict(said, "Ready") == ("True", "RouterReady")


def test_a_route_outside_openshift_is_the_only_thing_that_is_missing() -> None:
    problems = [discovery.ROUTE_API_MISSING]
    workload = with_route(exists=False)
    said = status(problems=problems, workload=workload)
    assert said["phase"] == "Degraded"
    assert verdict(said, "RouteReady") == ("False", "RouteApiMissing")
    assert verdict(said, "Ready") == ("True", "RouterReady")
    assert "spec.ingress" in condition(said, "RouteReady")["message"]
    assert condition(said, "Degraded")["message"].count("only OpenShift has Routes") == 1
    assert "openshiftFeatures" not in said
    situation = Situation(router(), ALL_FOUND, problems, workload)
    assert requeue_after.period(situation) == requeue_after.SETTLED


def test_a_route_is_not_judged_by_a_cluster_that_does_not_answer() -> None:
    said = status(Facts(), [UNREADABLE], with_route("True"))
    assert verdict(said, "RouteReady") == ("Unknown", "DiscoveryFailed")
