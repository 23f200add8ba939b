"""One pod, one default model: what config.yaml says is where Envoy and the Gateway send."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import envoy, router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    model_cluster_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import gateway
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource

KEYS = {"0.3": "default_model", "0.4": "model"}


def endpoint(model: str, weight: int, **more: Any) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": f"vllm-{model}", "port": 8000}}
    return {"name": model, "model": model, "weight": weight, "backend": backend, **more}


def router(contract: str, default: str, **spec: Any) -> Router:
    config: dict[str, Any] = {"contract": contract}
    if default:
        config["providers"] = {"defaults": {KEYS[contract]: default}}
    endpoints = [endpoint("light", 1, loras=[{"name": "adapter"}]), endpoint("heavy", 9)]
    return Router(resource(config=config, vllmEndpoints=endpoints, **spec))


def of_the_document(asked: Router, contract: str) -> str:
    document = router_config.render(asked, facts(asked, "kubernetes"))
    return str(document["providers"]["defaults"][KEYS[contract]])


@pytest.mark.parametrize("contract", KEYS)
@pytest.mark.parametrize(
    ("given", "default", "model"),
    [("", "heavy", "heavy"), ("light", "light", "light"), ("adapter", "adapter", "light")],
)
def test_router_envoy_and_gateway_have_the_same_default_model(
    contract: str, given: str, default: str, model: str
) -> None:
    asked = router(contract, given)
    assert of_the_document(asked, contract) == default
    bootstrap = envoy.bootstrap(asked, facts(asked, "kubernetes"))
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    (host,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    routes = [route for route in host["routes"] if route["name"] == "default model"]
    assert {route["route"]["cluster"] for route in routes} == {model_cluster_name(model)}
    for route in routes:
        assert route["request_headers_to_add"][0]["header"]["value"] == default

    reference = {"existingRef": {"name": "public", "namespace": "default"}, "extProc": True}
    attached = router(contract, given, gateway=reference)
    assert of_the_document(attached, contract) == default
    *_, models = gateway.http_routes(attached, facts(attached, "kubernetes"))
    last = models["spec"]["rules"][-1]
    assert [ref["name"] for ref in last["backendRefs"]] == [f"vllm-{model}"]


@pytest.mark.parametrize("contract", KEYS)
def test_requests_of_no_decision_go_to_an_adapter_by_the_name_of_its_model(contract: str) -> None:
    asked = router(contract, "adapter")
    asked.spec["config"]["response_cache"] = {"enabled": True}
    found = facts(asked, "kubernetes")
    assert [p for p in router_config.problems(asked, found) if p.blocking] == []
    (last,) = router_config.render(asked, found)["routing"]["decisions"]
    (reference,) = last["modelRefs"]
    assert (reference["model"], reference["lora_name"]) == ("light", "adapter")


@pytest.mark.parametrize("contract", KEYS)
@pytest.mark.parametrize("features", [{}, {"response_cache": {"enabled": True}}])
def test_a_default_model_that_nothing_declares_is_told_with_its_field(
    contract: str, features: dict[str, Any]
) -> None:
    asked = router(contract, "nobody")
    asked.spec["config"].update(features)
    told = router_config.problems(asked, facts(asked, "kubernetes"))
    (problem,) = (problem for problem in told if problem.blocking)
    assert problem.field == f"spec.config.providers.defaults.{KEYS[contract]}"
    assert "nobody" in problem.found
    assert "light, heavy" in problem.remedy
