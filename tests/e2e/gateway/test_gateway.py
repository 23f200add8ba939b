"""The operator beside Gateways whose controller is this test: it writes into HTTPRoutes' status."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from control_plane import ControlPlane, audit
from e2e.gateway.gateways import attach, create_class, create_gateway
from e2e.operator_process import BY_EVENT, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

OTHER_CONTROLLER = "example.com/gateway-controller"
STANDALONE_ONLY = "ConfigMap/my-router-envoy-config"
KINDS = (
    "deployments,services,configmaps,serviceaccounts,"
    "httproutes.gateway.networking.k8s.io,envoyextensionpolicies.gateway.envoyproxy.io"
)


@pytest.fixture
def attached(operator: Operator, router: SemanticRouter) -> SemanticRouter:
    """A router in gateway mode beside a Gateway that is there; not applied yet."""
    create_class(router.kubectl, "other", OTHER_CONTROLLER)
    create_gateway(router, "other")
    router.create_service()
    attach(router)
    return router


def owned(router: SemanticRouter) -> dict[str, dict[str, Any]]:
    """By kind and name; a ConfigMap of changed content by the name of the one that it follows."""
    selector = f"-l=app.kubernetes.io/instance={router.name}"
    answer = router.kubectl("get", KINDS, selector, "-n", router.namespace, "-o", "json")
    items = json.loads(answer)["items"]
    return {f"{item['kind']}/{plain(item['metadata']['name'])}": item for item in items}


def plain(name: str) -> str:
    return re.sub(r"(-config)-[0-9a-f]{16}$", r"\1", name)


def superfluous(router: SemanticRouter) -> set[str]:
    """ConfigMaps of changed content that no new pod mounts."""
    answer = router.kubectl("get", "configmap", "-n", router.namespace, "-o", "name")
    names = {name.partition("/")[2] for name in answer.split()}
    deployment = router.read("deployment", router.name)
    assert deployment
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    mounted = {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}
    return {name for name in names - mounted if name != plain(name)}


def answer(router: SemanticRouter, kind: str, status: str, message: str = "fine") -> None:
    """What a controller writes when it has looked at the HTTPRoute."""
    route = router.read("httproute", router.name)
    now = "2026-01-01T00:00:00Z"
    conditions = [
        {
            "type": name,
            "status": status if name == kind else "True",
            "reason": name if status == "True" or name != kind else "NotAllowedByListeners",
            "message": message,
            "observedGeneration": route["metadata"]["generation"],
            "lastTransitionTime": now,
        }
        for name in ("Accepted", "ResolvedRefs")
    ]
    parent = {
        "controllerName": OTHER_CONTROLLER,
        "parentRef": route["spec"]["parentRefs"][0],
        "conditions": conditions,
    }
    patch = {"status": {"parents": [parent]}}
    router.patch("httproute", router.name, patch, "--subresource=status")


def containers(router: SemanticRouter) -> list[str]:
    template = router.read("deployment", router.name)["spec"]["template"]
    return [item["name"] for item in template["spec"]["containers"]]


def test_an_http_route_leads_from_the_gateway_to_the_service(attached: SemanticRouter) -> None:
    attach(attached, sectionName="http", hostnames=["router.example.com"])
    attached.apply()

    attached.wait_for("Ready")
    spec = attached.read("httproute", attached.name)["spec"]
    assert spec["parentRefs"][0]["name"] == "public"
    assert spec["parentRefs"][0]["sectionName"] == "http"
    assert spec["hostnames"] == ["router.example.com"]
    backends = {ref["name"] for rule in spec["rules"] for ref in rule["backendRefs"]}
    assert backends == {attached.name}
    assert containers(attached) == ["semantic-router"]
    assert STANDALONE_ONLY not in owned(attached)
    assert attached.get()["status"]["gatewayMode"] == "gateway-integration"


def test_the_condition_follows_the_verdict_of_the_gateways_controller(
    operator: Operator, attached: SemanticRouter
) -> None:
    attached.apply()
    attached.wait_for("Ready")
    assert attached.wait_for("RouteReady", "False")["reason"] == "HTTPRoutePending"
    attached.wait_for_phase("Progressing")

    answer(attached, "Accepted", "True")
    assert attached.wait_for("RouteReady", timeout=BY_EVENT)["reason"] == "HTTPRouteAccepted"
    attached.wait_for_phase("Running")

    answer(attached, "Accepted", "False", "no listener of that name")
    refused = attached.wait_for("RouteReady", "False", timeout=operator.hears_of_status_within)
    assert refused["reason"] == "HTTPRouteNotAccepted"
    assert "no listener of that name" in refused["message"]
    attached.wait_for_phase("Degraded")
    attached.wait_for("Ready")


def test_a_gateway_that_is_missing_is_waited_for(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    attach(router)
    router.apply()

    router.wait_for("Ready")
    missing = router.wait_for("RouteReady", "False")
    assert missing["reason"] == "GatewayNotFound"
    assert f"Gateway {router.namespace}/public does not exist" in missing["message"]
    router.wait_for_phase("Degraded")

    create_class(router.kubectl, "other", OTHER_CONTROLLER)
    create_gateway(router, "other")
    eventually(
        lambda: router.condition("RouteReady")["reason"] == "HTTPRoutePending",
        60,
        "the Gateway to be found without any edit",
    )


def test_a_gateway_of_another_namespace_is_named(attached: SemanticRouter) -> None:
    attached.spec["gateway"]["existingRef"]["namespace"] = "default"
    attached.apply()

    message = attached.wait_for("RouteReady", "False")["message"]
    assert "Gateway default/public does not exist" in message
    assert attached.namespace in message


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ({"kinds": [{"kind": "GRPCRoute"}]}, "http takes only GRPCRoute"),
        (
            {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "edge"}}}},
            "http selects other namespaces",
        ),
    ],
    ids=["another kind", "another label"],
)
def test_a_listener_that_refuses_the_route_is_named(
    allowed: dict[str, Any], said: str, attached: SemanticRouter
) -> None:
    create_gateway(attached, "other", **allowed)
    attached.apply()

    refused = attached.wait_for("RouteReady", "False")
    assert refused["reason"] == "GatewayRefusesRoutes"
    assert said in refused["message"]


def test_there_and_back_leaves_nothing_behind(
    operator: Operator, control_plane: ControlPlane, attached: SemanticRouter
) -> None:
    gateway = attached.spec.pop("gateway")
    attached.apply()
    attached.wait_for_phase("Running")
    before = set(owned(attached))
    assert STANDALONE_ONLY in before

    attached.spec["gateway"] = gateway
    attached.apply()
    attached.wait_for("Ready")
    answer(attached, "Accepted", "True")
    attached.wait_for_phase("Running")
    assert set(owned(attached)) == (before - {STANDALONE_ONLY}) | {f"HTTPRoute/{attached.name}"}

    del attached.spec["gateway"]
    attached.apply()
    attached.wait_for("Ready")
    attached.wait_for_phase("Running")
    assert set(owned(attached)) == before
    eventually(lambda: not superfluous(attached), 60, "older configurations to be gone")
    assert containers(attached) == ["semantic-router", "envoy-proxy"]
    status = attached.get()["status"]
    assert status["gatewayMode"] == "standalone"
    assert "RouteReady" not in {item["type"] for item in status["conditions"]}


def test_a_controller_that_cannot_be_told_to_ask_the_router_is_a_condition(
    attached: SemanticRouter,
) -> None:
    attach(attached, extProc=True)
    attached.apply()

    unknown = attached.wait_for("Degraded")
    assert unknown["reason"] == "GatewayControllerUnknown"
    assert OTHER_CONTROLLER in unknown["message"]
    # No way past the router's guards.
    assert "HTTPRoute/my-router-models" not in owned(attached)


def test_a_kind_that_is_not_served_costs_no_request(
    control_plane: ControlPlane, attached: SemanticRouter
) -> None:
    start = control_plane.audit_log.stat().st_size
    attached.apply()
    attached.wait_for("Ready")

    asked = {request.resource for request in audit.requests(control_plane.audit_log, start)}
    assert "httproutes" in asked
    assert not {"envoyfilters", "routes"} & asked
