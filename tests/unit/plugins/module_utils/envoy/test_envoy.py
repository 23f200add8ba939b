"""The rendered bootstrap as a text; tests/integration/data_path sends requests through it."""

from __future__ import annotations

from typing import Any

import golden
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    NO_ENDPOINT,
    model_cluster_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts as facts_of
from examples import sample


def kserve(name: str, model: str, weight: int = 1) -> Endpoint:
    host = f"{name}-predictor.default.svc"
    return Endpoint(name, model, weight, host, 8443, "https", ready=True)


def service(name: str, model: str, weight: int = 1) -> Endpoint:
    return Endpoint(name, model, weight, f"{name}.vllm.svc", 8000, "http", ready=True)


def unresolved(name: str, model: str) -> Endpoint:
    return Endpoint(name, model, 1, "", 0, "http", ready=False, reason="ServiceNotFound")


def router(**spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "default"},
            "spec": spec,
        }
    )


CASES: dict[str, tuple[Router, list[Endpoint]]] = {
    "single_kserve": (router(), [kserve("llama3-8b", "llama3-8b")]),
    "two_models": (
        router(),
        [service("small", "qwen/qwen3-4b"), service("large", "qwen/qwen3-72b")],
    ),
    "weighted": (
        router(),
        [service("blue", "llama3-8b", 80), service("green", "llama3-8b", 20)],
    ),
    "mixed_schemes": (
        router(),
        [kserve("llama3-8b", "llama3-8b", 3), service("spare", "llama3-8b")],
    ),
    "unresolved_llamastack": (
        router(),
        [unresolved("stack", "llama-3.3-70b"), service("small", "qwen/qwen3-4b")],
    ),
    "failure_open": (router(envoy={"failureModeAllow": True}), [service("small", "qwen3-4b")]),
    "no_endpoints": (router(), []),
    "lora": (
        router(
            vllmEndpoints=[
                {
                    "name": "small",
                    "model": "qwen3-4b",
                    "loras": [{"name": "law-expert"}],
                    "backend": {"type": "service", "service": {"name": "small", "port": 8000}},
                }
            ]
        ),
        [service("small", "qwen3-4b")],
    ),
    "own_ports": (
        router(
            service={
                "api": {"targetPort": 8081},
                "grpc": {"targetPort": 19000},
                "metrics": {"targetPort": 8082},
            }
        ),
        [service("small", "qwen3-4b")],
    ),
}


# The base's own file is in its golden manifests.
@pytest.mark.parametrize("case", CASES)
def test_bootstrap_is_as_reviewed(case: str) -> None:
    subject, endpoints = CASES[case]
    base = sample(golden.BASE)
    golden.check_patch(
        golden.ENVOY / f"{case}.patch",
        yaml_text(bootstrap(base, facts_of(base, "kubernetes"))),
        yaml_text(bootstrap(subject, Facts(endpoints=endpoints))),
    )


def test_no_golden_file_is_left_over() -> None:
    assert {file.name for file in golden.ENVOY.iterdir()} == {f"{case}.patch" for case in CASES}


def test_bootstrap_changes_neither_router_nor_facts() -> None:
    subject, endpoints = CASES["weighted"]
    facts = Facts(endpoints=endpoints)
    before = facts.as_dict(), dict(subject.resource)
    assert bootstrap(subject, facts) == bootstrap(subject, facts)
    assert (facts.as_dict(), dict(subject.resource)) == before


def test_bootstrap_does_not_depend_on_whether_a_backend_is_there_now() -> None:
    there = Endpoint("a", "m", 1, "a.ns.svc", 80, "http", ready=True)
    gone = Endpoint("a", "m", 1, "a.ns.svc", 80, "http", ready=False, reason="ServiceNotFound")
    assert bootstrap(router(), Facts(endpoints=[there])) == bootstrap(
        router(), Facts(endpoints=[gone])
    )


def test_text_of_the_cr_is_not_a_command_of_envoys() -> None:
    name = '%REQ(authorization)% {{ lookup("pipe", "id") }}'
    endpoints = [service("odd", name)]
    routes = _routes(bootstrap(router(), Facts(endpoints=endpoints)))
    # In a match nothing is expanded; in a header that Envoy adds, %% is one percent sign.
    assert routes[name]["match"]["headers"][0]["string_match"]["exact"] == name
    added = routes["default model"]["request_headers_to_add"][0]["header"]["value"]
    assert added == name.replace("%", "%%")


def test_a_model_that_only_has_endpoints_of_weight_zero_gets_no_cluster() -> None:
    rendered = bootstrap(router(), Facts(endpoints=[service("a", "m", weight=0)]))
    assert _routes(rendered)["m"]["route"] == {"cluster": NO_ENDPOINT}
    names = {cluster["name"] for cluster in rendered["static_resources"]["clusters"]}
    assert names == {"router-ext-proc", "router-api", NO_ENDPOINT}


def test_a_models_name_wins_over_a_lora_adapter_of_the_same_name() -> None:
    backend = {"type": "service", "service": {"name": "a", "port": 8000}}
    subject = router(
        vllmEndpoints=[
            {"name": "a", "model": "a", "loras": [{"name": "b"}], "backend": backend},
            {"name": "b", "model": "b", "backend": backend},
        ]
    )
    rendered = bootstrap(subject, Facts(endpoints=[service("a", "a"), service("b", "b")]))
    assert _routes(rendered)["b"]["route"]["cluster"] == model_cluster_name("b")


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
