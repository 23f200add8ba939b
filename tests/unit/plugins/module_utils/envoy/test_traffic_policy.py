"""What a policy changes in Envoy's configuration; integration/data_path sees what that does."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    traffic_policy as envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from examples import router

INSIDE = Endpoint("inside", "m", 1, "vllm", "models", 8000, "http", ready=True)
OUTSIDE = Endpoint("outside", "m", 1, "", "", 443, "https", ready=True, server_name="a.com")


def policy_of(**sections: Any) -> dict[str, Any]:
    """As the operator has it, with its defaults."""
    backend = {"type": "service", "service": {"name": "vllm", "port": 8000}}
    entry = {"name": "e", "model": "m", "backend": backend, "trafficPolicy": sections}
    policy: dict[str, Any] = router(vllmEndpoints=[entry]).spec["vllmEndpoints"][0]["trafficPolicy"]
    return policy


def test_without_a_policy_all_is_as_for_every_model() -> None:
    assert envoy.load_balancing({}) == {"lb_policy": "LEAST_REQUEST"}
    assert envoy.health_checks({}) == {}
    assert envoy.retry_budget({}) == {}
    assert envoy.of_route({}) == {}


def test_the_less_busy_address_is_asked_unless_the_policy_says_otherwise() -> None:
    assert envoy.load_balancing(policy_of(retry={})) == {"lb_policy": "LEAST_REQUEST"}
    assert envoy.load_balancing(policy_of(loadBalancer={})) == {"lb_policy": "LEAST_REQUEST"}
    turns = policy_of(loadBalancer={"type": "RoundRobin"})
    assert envoy.load_balancing(turns) == {"lb_policy": "ROUND_ROBIN"}


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        ("LeastRequest", "least_request_lb_config"),
        ("RoundRobin", "round_robin_lb_config"),
    ],
)
def test_a_new_address_starts_slowly(kind: str, section: str) -> None:
    built = envoy.load_balancing(policy_of(loadBalancer={"type": kind, "slowStart": "1m"}))
    assert built[section] == {"slow_start_config": {"slow_start_window": "60s"}}


def test_an_active_check_has_defaults_for_vllm() -> None:
    (check,) = envoy.health_checks(policy_of(healthCheck={"active": {}}))["health_checks"]
    assert check["http_health_check"] == {"path": "/health"}
    assert check["interval"] == check["no_traffic_interval"] == "10s"


def test_a_passive_check_goes_by_the_policy() -> None:
    passive = {"consecutive5xxErrors": 2, "baseEjectionTime": "1m"}
    built = envoy.outlier_detection(policy_of(healthCheck={"passive": passive}))
    assert built["consecutive_5xx"] == built["consecutive_gateway_failure"] == 2
    assert built["base_ejection_time"] == "60s"


def test_a_limit_of_the_first_byte_keeps_what_is_tried_again() -> None:
    built = envoy.of_route(policy_of(timeout={"firstByte": "30s"}))["retry_policy"]
    assert built == {**envoy.retry_policy(), "per_try_timeout": "30s"}


def test_a_hosted_model_is_not_asked_whether_it_is_well() -> None:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8000}}
    policy = {"healthCheck": {"active": {}}}
    entry = {"name": "inside", "model": "m", "backend": backend, "trafficPolicy": policy}
    built = bootstrap(router(vllmEndpoints=[entry]), Facts(endpoints=[INSIDE, OUTSIDE]))
    model = built["static_resources"]["clusters"][0]
    told = [
        locality["lb_endpoints"][0]["endpoint"]["health_check_config"]
        for locality in model["load_assignment"]["endpoints"]
    ]
    assert [item.get("disable_active_health_check") for item in told] == [None, True]
