"""The rendered bootstrap as a text; tests/integration/data_path sends requests through it."""

from __future__ import annotations

from typing import Any

import golden
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    NO_ENDPOINT,
    ROUTER_API,
    ROUTER_EXT_PROC,
    model_cluster_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import COUNTED
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts as facts_of
from examples import sample


def kserve(name: str, model: str, weight: int = 1) -> Endpoint:
    service = f"{name}-predictor"
    return Endpoint(name, model, weight, service, "default", 8443, "https", ready=True)


def service(name: str, model: str, weight: int = 1) -> Endpoint:
    return Endpoint(name, model, weight, name, "vllm", 8000, "http", ready=True)


def unresolved(name: str, model: str) -> Endpoint:
    return Endpoint(name, model, 1, "", "", 0, "http", ready=False, reason="ServiceNotFound")


def router(**spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "default"},
            "spec": spec,
        }
    )


def entry(endpoint: Endpoint, **more: Any) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": endpoint.name, "port": 8000}}
    asked = {"name": endpoint.name, "model": endpoint.model, "weight": endpoint.weight}
    return {**asked, "backend": backend, **more}


def built(endpoints: list[Endpoint], **spec: Any) -> dict[str, Any]:
    asked = {"vllmEndpoints": [entry(endpoint) for endpoint in endpoints], **spec}
    return bootstrap(router(**asked), Facts(endpoints=endpoints))


# That of the base sample, whose routes then change no patch.
KSERVE = Endpoint(
    "my-llama-model",
    "llama3-8b",
    1,
    "llama-3-8b-predictor",
    "default",
    8443,
    "https",
    ready=True,
)

CASES: dict[str, tuple[dict[str, Any], list[Endpoint]]] = {
    "single_kserve": ({}, [KSERVE]),
    "two_models": ({}, [KSERVE, service("large", "qwen/qwen3-72b")]),
    "weighted": (
        {},
        [service("blue", "llama3-8b", 80), service("green", "llama3-8b", 20)],
    ),
    "mixed_schemes": (
        {},
        [kserve("llama3-8b", "llama3-8b", 3), service("spare", "llama3-8b")],
    ),
    "unresolved_llamastack": ({}, [KSERVE, unresolved("stack", "llama-3.3-70b")]),
    "failure_open": ({"envoy": {"failureModeAllow": True}}, [KSERVE]),
    "no_endpoints": ({}, []),
    "lora": ({"vllmEndpoints": [entry(KSERVE, loras=[{"name": "law-expert"}])]}, [KSERVE]),
    "own_ports": (
        {
            "service": {
                "api": {"targetPort": 8081},
                "grpc": {"targetPort": 19000},
                "metrics": {"targetPort": 8082},
            }
        },
        [KSERVE],
    ),
}


# The base's own file is in its golden manifests.
@pytest.mark.parametrize("case", CASES)
def test_bootstrap_is_as_reviewed(case: str) -> None:
    spec, endpoints = CASES[case]
    base = sample(golden.BASE)
    golden.check_patch(
        golden.ENVOY / f"{case}.patch",
        yaml_text(bootstrap(base, facts_of(base, "kubernetes"))),
        yaml_text(built(endpoints, **spec)),
    )


def test_no_golden_file_is_left_over() -> None:
    assert {file.name for file in golden.ENVOY.iterdir()} == {f"{case}.patch" for case in CASES}


def test_bootstrap_changes_neither_router_nor_facts() -> None:
    _, endpoints = CASES["weighted"]
    subject = router(vllmEndpoints=[entry(endpoint) for endpoint in endpoints])
    facts = Facts(endpoints=endpoints)
    before = facts.as_dict(), dict(subject.resource)
    assert bootstrap(subject, facts) == bootstrap(subject, facts)
    assert (facts.as_dict(), dict(subject.resource)) == before


def test_bootstrap_does_not_depend_on_whether_a_backend_is_there_now() -> None:
    there = Endpoint("a", "m", 1, "a", "ns", 80, "http", ready=True)
    gone = Endpoint("a", "m", 1, "a", "ns", 80, "http", ready=False, reason="ServiceNotFound")
    assert built([there]) == built([gone])


def test_text_of_the_cr_is_not_a_command_of_envoys() -> None:
    name = '%REQ(authorization)% {{ lookup("pipe", "id") }}'
    routes = _routes(built([service("odd", name)]))
    # In a match nothing is expanded; in a header that Envoy adds, %% is one percent sign.
    assert routes[name]["match"]["headers"][0]["string_match"]["exact"] == name
    for route in (routes["default model"], routes[f"named {name}"]):
        assert route["request_headers_to_add"][0]["header"]["value"] == name.replace("%", "%%")


def test_a_model_that_only_has_endpoints_of_weight_zero_gets_no_cluster() -> None:
    rendered = built([service("a", "m", weight=0)])
    assert _routes(rendered)["m"]["route"] == {"cluster": NO_ENDPOINT}
    names = {cluster["name"] for cluster in rendered["static_resources"]["clusters"]}
    assert names == {ROUTER_EXT_PROC, *(each.cluster for each in COUNTED), ROUTER_API, NO_ENDPOINT}


def test_a_models_name_wins_over_a_lora_adapter_of_the_same_name() -> None:
    both = [service("a", "a"), service("b", "b")]
    asked = [entry(both[0], loras=[{"name": "b"}]), entry(both[1])]
    routes = _routes(built(both, vllmEndpoints=asked))
    assert routes["b"]["route"]["cluster"] == model_cluster_name("b")


@pytest.mark.parametrize(
    "models", [("a/b", "a-b"), ("Qwen", "qwen"), ("模型", "モデル"), ("x" * 300, "x" * 301)]
)
def test_cluster_names_differ_whenever_models_do(models: tuple[str, str]) -> None:
    names = {model_cluster_name(model) for model in models}
    assert len(names) == 2
    assert all(name.isascii() and len(name) <= 63 for name in names)


def _routes(rendered: dict[str, Any]) -> dict[str, dict[str, Any]]:
    chain = rendered["static_resources"]["listeners"][0]["filter_chains"][0]
    manager = chain["filters"][0]["typed_config"]
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    return {route["name"]: route for route in routes}


@pytest.mark.parametrize(
    ("service", "address"),
    [
        ({}, {"address": "0.0.0.0"}),  # noqa: S104
        ({"ipFamilies": ["IPv4"]}, {"address": "0.0.0.0"}),  # noqa: S104
        ({"ipFamilies": ["IPv6"]}, {"address": "::", "ipv4_compat": True}),
        ({"ipFamilyPolicy": "PreferDualStack"}, {"address": "::", "ipv4_compat": True}),
        ({"ipFamilyPolicy": "RequireDualStack"}, {"address": "::", "ipv4_compat": True}),
    ],
)
def test_envoy_listens_on_ipv6_where_it_is_asked_for(
    service: dict[str, Any], address: dict[str, Any]
) -> None:
    clients, looper, told = built([], service=service)["static_resources"]["listeners"]
    assert told["address"]["socket_address"] == {**address, "port_value": 8181}
    assert clients["address"]["socket_address"] == {**address, "port_value": 8080}
    assert looper["address"]["socket_address"]["address"] == "127.0.0.1"


def test_the_operators_proxy_leads_to_hosted_models_and_the_spec_has_the_last_word() -> None:
    outside = Endpoint("a", "a", 1, "", "", 443, "https", ready=True, server_name="llm.example")
    facts = Facts(endpoints=[outside], inherited={"HTTPS_PROXY": "http://corp.example:3128"})

    def proxies(**spec: Any) -> list[str]:
        asked = router(vllmEndpoints=[entry(outside)], **spec)
        return [
            cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"][
                "socket_address"
            ]["address"]
            for cluster in bootstrap(asked, facts)["static_resources"]["clusters"]
            if cluster["name"] == "egress-proxy"
        ]

    assert proxies() == ["corp.example"]
    assert proxies(egressProxy={"url": "http://other.example:3128"}) == ["other.example"]
    assert proxies(egressProxy={"url": "http://other.example", "noProxy": ["*"]}) == []
