"""What the cluster said about a Gateway becomes facts and problems, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    backends,
    gateways,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    GatewayReading,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

SERVED = {
    "gateway.networking.k8s.io": ["v1", "v1beta1"],
    "gateway.envoyproxy.io": ["v1alpha1"],
    "networking.istio.io": ["v1", "v1alpha3"],
    "gateway.kgateway.dev": ["v1alpha1"],
    "agentgateway.dev": ["v1alpha1"],
}
ENVOY_GATEWAY = gateways.CONTROLLER_ENVOY_GATEWAY
LISTENER: dict[str, Any] = {"name": "http", "protocol": "HTTP", "port": 80}
EVERYBODY = {"namespaces": {"from": "All"}}


def attached(namespace: str = "edge", **gateway: Any) -> Router:
    """A router in namespace default."""
    reference = {"name": "public", "namespace": namespace}
    return Router(resource(gateway={"existingRef": reference, **gateway}))


def gateway(*listeners: dict[str, Any]) -> dict[str, Any]:
    items = [{**LISTENER, **item} for item in listeners] or [
        {**LISTENER, "allowedRoutes": EVERYBODY}
    ]
    return {"spec": {"gatewayClassName": "eg", "listeners": items}}


def reading(*listeners: dict[str, Any], controller: str = ENVOY_GATEWAY) -> GatewayReading:
    gateway_class = {"spec": {"controllerName": controller}} if controller else None
    return GatewayReading(gateway=gateway(*listeners), gateway_class=gateway_class)


def known(router: Router, read: GatewayReading, **more: Any) -> Facts:
    return Facts(
        **{"capabilities": SERVED, "gateway": gateways.facts_of(router, read), **more},
    )


def problems(router: Router, read: GatewayReading, **more: Any) -> list[Problem]:
    return gateways.problems(router, known(router, read, **more))


def only(found: list[Problem]) -> Problem:
    (problem,) = found
    assert problem.reason in gateways.REASONS
    assert (problem.retry, problem.blocking) == (True, False), "pods need no Gateway"
    return problem


def test_standalone_mode_asks_and_says_nothing() -> None:
    router = Router(resource())
    assert gateways.facts_of(router, None) == {}
    assert gateways.problems(router, Facts()) == []
    assert gateways.route_names(router, Facts(capabilities=SERVED)) == []


def test_a_gateway_that_takes_the_route_is_no_problem() -> None:
    assert problems(attached(), reading()) == []


def test_a_cluster_without_the_gateway_api_is_named_first() -> None:
    found = only(problems(attached(), GatewayReading(), capabilities={}))
    assert found.reason == "GatewayApiNotInstalled"
    assert gateways.route_names(attached(), Facts()) == []


def test_a_missing_gateway_is_named() -> None:
    found = only(problems(attached(), GatewayReading()))
    assert (found.reason, found.field) == ("GatewayNotFound", "spec.gateway.existingRef")
    assert "Gateway edge/public does not exist" in found.found


def test_a_gateway_of_that_name_elsewhere_is_pointed_at() -> None:
    found = only(problems(attached(), GatewayReading(namesakes=["istio-system"])))
    assert "Set spec.gateway.existingRef.namespace to istio-system" in found.remedy


def test_a_gateway_that_may_not_be_read_is_no_missing_one() -> None:
    found = only(problems(attached(), GatewayReading(denied="gateways is forbidden")))
    assert found.reason == "GatewayUnreadable"
    assert "gateways is forbidden" in found.found


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        ({}, "takes only those of edge"),
        ({"allowedRoutes": {"namespaces": {"from": "Same"}}}, "takes only those of edge"),
        ({"allowedRoutes": {"namespaces": {"from": "None"}}}, "takes routes from None"),
        ({"protocol": "TCP", "allowedRoutes": EVERYBODY}, "speaks TCP, not HTTP"),
        (
            {"allowedRoutes": {**EVERYBODY, "kinds": [{"kind": "GRPCRoute"}, {"kind": "X"}]}},
            "takes only GRPCRoute, X",
        ),
        (
            {"allowedRoutes": {**EVERYBODY, "kinds": [{"group": "x.io", "kind": "HTTPRoute"}]}},
            "takes only HTTPRoute",
        ),
        (
            {"allowedRoutes": {"namespaces": {"from": "Selector", "selector": {
                "matchLabels": {"team": "edge"}}}}},
            "selects other namespaces",
        ),
    ],
    ids=["default", "same", "none", "tcp", "kinds", "foreign kind", "labels"],
)  # fmt: skip
def test_a_listener_that_refuses_the_route_says_why(listener: dict[str, Any], why: str) -> None:
    found = only(problems(attached(), reading(listener)))
    assert found.reason == "GatewayRefusesRoutes"
    assert f"http {why}" in found.found


@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {"team": "ai"}},
        {"matchLabels": {"kubernetes.io/metadata.name": "default"}},
        {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
    ],
)
def test_a_listener_may_select_the_routers_namespace(selector: dict[str, Any]) -> None:
    listener = {
        **LISTENER,
        "allowedRoutes": {"namespaces": {"from": "Selector", "selector": selector}},
    }
    read = GatewayReading(gateway=gateway(listener), namespace_labels={"team": "ai"})
    assert gateways.selects_namespaces(gateway(listener))
    assert problems(attached(), read) == []


def test_one_listener_that_takes_the_route_is_enough() -> None:
    assert problems(attached(), reading({}, {"name": "b", "allowedRoutes": EVERYBODY})) == []


def test_a_gateway_in_the_routers_namespace_takes_its_routes() -> None:
    assert problems(attached("default"), reading({})) == []


def test_only_the_named_listener_counts() -> None:
    two = reading({"name": "closed"}, {"name": "open", "allowedRoutes": EVERYBODY})
    assert problems(attached(sectionName="open"), two) == []
    assert "closed takes only" in only(problems(attached(sectionName="closed"), two)).found
    missing = only(problems(attached(sectionName="htttp"), two))
    assert missing.field == "spec.gateway.sectionName"
    assert "its listeners are: closed, open" in missing.found


def test_ext_proc_is_attached_to_every_known_controller() -> None:
    router = attached("default", extProc=True)
    for controller in gateways.ATTACHMENTS:
        facts = known(router, reading(controller=controller))
        assert gateways.problems(router, facts) == []
        assert gateways.route_names(router, facts) == ["my-router", "my-router-models"]


@pytest.mark.parametrize(
    ("namespace", "read", "served", "reason", "said"),
    [
        ("edge", reading(controller="x.io/c"), SERVED, "GatewayControllerUnknown", "x.io/c"),
        ("edge", reading(controller=""), SERVED, "GatewayControllerUnknown", "GatewayClass eg"),
        (
            "edge",
            GatewayReading(gateway=gateway(), class_denied="may not"),
            SERVED,
            "GatewayUnreadable",
            "GatewayClass eg",
        ),
        (
            "edge",
            reading(),
            {"gateway.networking.k8s.io": ["v1"]},
            "ExtProcNotAttached",
            "gateway.envoyproxy.io/v1alpha1",
        ),
        (
            "edge",
            reading(controller=gateways.CONTROLLER_ISTIO),
            SERVED,
            "ExtProcNotAttached",
            "own namespace",
        ),
        (
            "edge",
            reading(controller=gateways.CONTROLLER_AGENTGATEWAY),
            SERVED,
            "ExtProcNotAttached",
            "own namespace",
        ),
    ],
    ids=["another", "no class", "denied", "no CRD", "istio elsewhere", "agentgateway elsewhere"],
)
def test_without_a_way_to_ask_the_router_models_get_no_route(
    namespace: str,
    read: GatewayReading,
    served: dict[str, list[str]],
    reason: str,
    said: str,
) -> None:
    router = attached(namespace, extProc=True)
    facts = known(router, read, capabilities=served)
    found = only(gateways.problems(router, facts))
    assert (found.reason, found.field) == (reason, "spec.gateway.extProc")
    assert said in found.found
    assert gateways.route_names(router, facts) == ["my-router"]


def test_models_get_no_route_while_the_gateway_is_unknown() -> None:
    router = attached(extProc=True)
    assert gateways.route_names(router, known(router, GatewayReading())) == ["my-router"]


def grant(*to: dict[str, str], namespace: str = "default") -> dict[str, Any]:
    source = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": namespace}
    return {"spec": {"from": [source], "to": list(to)}}


SERVICE = {"group": "", "kind": "Service"}
ELSEWHERE = Endpoint("qwen", "qwen2.5", 1, "vllm", "models", 8000, "http", ready=True)
LOST = Endpoint("lost", "qwen2.5", 1, "", "", 0, "http", ready=False)


def missing_grants(*grants: dict[str, Any]) -> list[Problem]:
    router = attached(extProc=True)
    read = GatewayReading(
        gateway=gateway(),
        gateway_class={"spec": {"controllerName": ENVOY_GATEWAY}},
        grants={"models": list(grants)},
    )
    return problems(router, read, endpoints=[LOST, ELSEWHERE])


@pytest.mark.parametrize("to", [SERVICE, {**SERVICE, "name": "vllm"}], ids=["all", "this one"])
def test_a_reference_grant_opens_a_namespace(to: dict[str, str]) -> None:
    assert missing_grants(grant(to)) == []


@pytest.mark.parametrize(
    "grants",
    [
        [],
        [grant({**SERVICE, "name": "other"})],
        [grant(SERVICE, namespace="somebody")],
        [grant({"group": "", "kind": "Secret"})],
    ],
    ids=["none", "another Service", "another namespace", "another kind"],
)
def test_a_backend_behind_no_grant_is_named(grants: list[dict[str, Any]]) -> None:
    found = only(missing_grants(*grants))
    assert (found.reason, found.field) == (
        "ReferenceGrantMissing",
        "spec.vllmEndpoints[1].backend",
    )
    assert "no ReferenceGrant in namespace models" in found.found


def test_grants_are_read_only_where_an_http_route_goes() -> None:
    backend = {"type": "service", "service": {"name": "vllm", "port": 1, "namespace": "models"}}
    endpoints = [{"name": "qwen", "model": "qwen2.5", "backend": backend}]
    reference = {"existingRef": {"name": "public", "namespace": "edge"}}
    plain = Router(resource(gateway=reference, vllmEndpoints=endpoints))
    asking = Router(resource(gateway={**reference, "extProc": True}, vllmEndpoints=endpoints))
    assert backends.grant_namespaces(plain) == []
    assert backends.grant_namespaces(asking) == ["models"]


def test_the_facts_survive_the_way_through_a_playbook() -> None:
    facts = known(attached(), reading())
    assert Facts.from_dict(facts.as_dict()) == facts
