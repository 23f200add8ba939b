"""When one model answers for another; integration/data_path sees what that does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap, failover
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.traffic_policy import (
    retry_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import router

INSIDE = Endpoint("inside", "m", 1, "vllm", "models", 8000, "http", ready=True)
OUTSIDE = Endpoint("outside", "gpt", 1, "", "", 443, "https", ready=True, server_name="a.com")


def with_failover(other: str = "gpt") -> Router:
    service = {"type": "service", "service": {"name": "vllm", "port": 8000}}
    external = {"type": "external", "external": {"url": "https://a.com/v1"}}
    policy = {"failover": {"model": other}}
    return router(
        vllmEndpoints=[
            {"name": "inside", "model": "m", "backend": service, "trafficPolicy": policy},
            {"name": "outside", "model": "gpt", "backend": external},
        ]
    )


def clusters(found: list[Endpoint]) -> set[str]:
    built = bootstrap(with_failover(), Facts(endpoints=found))
    return {each["name"] for each in built["static_resources"]["clusters"]}


def test_both_models_have_to_be_somewhere() -> None:
    assert failover.cluster_name("m") in clusters([INSIDE, OUTSIDE])
    nowhere = Endpoint("outside", "gpt", 1, "", "", 0, "https", ready=False)
    assert failover.cluster_name("m") not in clusters([INSIDE, nowhere])


@pytest.mark.parametrize(("endpoints", "frequency"), [(1, 1), (2, 2), (9, 3)])
def test_the_first_models_endpoints_are_tried_before_the_other_model(
    endpoints: int, frequency: int
) -> None:
    priority: dict[str, Any] = failover.retries(retry_policy(), endpoints)["retry_priority"]
    assert priority["typed_config"]["update_frequency"] == frequency


def test_a_model_without_failover_is_asked_as_ever() -> None:
    built = bootstrap(with_failover(), Facts(endpoints=[INSIDE, OUTSIDE]))
    (clients, *_) = built["static_resources"]["listeners"]
    manager = clients["filter_chains"][0]["filters"][0]["typed_config"]
    routes = {
        route["name"]: route["route"]["cluster"]
        for route in manager["route_config"]["virtual_hosts"][0]["routes"]
        if route["name"] in ("m", "gpt")
    }
    assert routes["m"] == failover.cluster_name("m")
    assert routes["gpt"].startswith("model-gpt-")
