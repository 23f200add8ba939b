"""The router's own words for how a model is asked, in those of a trafficPolicy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import (
    traffic_policy as envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    reliability,
    traffic_policy,
)
from examples import router

EVERYTHING = {
    "lb_policy": "round_robin",
    "retry_count": 2,
    "retry_on": "connect-failure, gateway-error",
    "retriable_status_codes": [429, 503],
    "retry_back_off_base": "100ms",
    "retry_back_off_max": "2s",
    "retry_budget_percent": 12.5,
    "retry_budget_min_concurrency": 7,
    "connect_timeout": "1s",
    "first_byte_timeout": "20s",
    "idle_timeout": "30s",
    "total_timeout": "5m",
    "consecutive_5xx": 4,
    "base_ejection_time": "15s",
    "max_ejection_percent": 50,
    "health_check_path": "/health",
    "health_check_interval": "5s",
    "health_check_timeout": "1s",
}


def policy_of(**block: Any) -> traffic_policy.TrafficPolicy:
    config = {"providers": {"models": [{"name": "m", "reliability": block}]}}
    return traffic_policy.by_model(router(config=config).spec)["m"]


def test_every_word_of_the_document_is_a_setting_of_envoy() -> None:
    policy = policy_of(**EVERYTHING)
    assert envoy.load_balancing(policy) == {"lb_policy": "ROUND_ROBIN"}
    route = envoy.of_route(policy)
    assert (route["timeout"], route["idle_timeout"]) == ("300s", "30s")
    retries = route["retry_policy"]
    assert retries["num_retries"] == 2
    assert retries["retry_on"] == "connect-failure,gateway-error,retriable-status-codes"
    assert retries["retriable_status_codes"] == [429, 503]
    assert retries["retry_back_off"] == {"base_interval": "0.1s", "max_interval": "2s"}
    assert retries["per_try_timeout"] == "20s"
    assert envoy.retry_budget(policy) == {
        "retry_budget": {"budget_percent": {"value": 12.5}, "min_retry_concurrency": 7}
    }
    ejected = envoy.outlier_detection(policy)
    assert (ejected["consecutive_5xx"], ejected["base_ejection_time"]) == (4, "15s")
    assert ejected["max_ejection_percent"] == 50
    (check,) = envoy.health_checks(policy)["health_checks"]
    assert (check["http_health_check"], check["interval"]) == ({"path": "/health"}, "5s")


@pytest.mark.parametrize("key", [key for key in reliability.KEYS if key != "per_try_timeout"])
def test_every_word_is_said_above(key: str) -> None:
    assert key in EVERYTHING


def test_what_runs_is_not_asked_how_it_is_without_a_path() -> None:
    assert envoy.health_checks(policy_of(health_check_interval="5s")) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lb_policy", "maglev"),
        ("retry_count", 11),
        ("retry_on", "whenever"),
        ("retriable_status_codes", ["503"]),
        ("retry_budget_percent", 101),
        ("max_ejection_percent", 12.5),
        ("consecutive_5xx", True),
        ("health_check_path", "health"),
        ("retry_back_off_max", "soon"),
        ("connect_timeout", "0"),
    ],
)
def test_what_envoy_cannot_do_is_named_and_left_out(key: str, value: Any) -> None:
    block = {key: value, "idle_timeout": "1s"}
    assert [name for name, _, _ in reliability.problems(block)] == [key]
    assert reliability.as_policy(block) == {"timeout": {"idle": "1s"}}
