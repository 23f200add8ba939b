"""Whose policy it is, and what its durations are to Envoy."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import traffic_policy
from examples import router


def spec_of(*policies: dict[str, Any] | None) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8000}}
    entries = [
        {"name": f"e{index}", "model": "m", "backend": backend}
        | ({"trafficPolicy": policy} if policy else {})
        for index, policy in enumerate(policies)
    ]
    return router(vllmEndpoints=entries).spec


def test_a_policy_is_the_models_whichever_endpoint_has_it() -> None:
    policy = {"timeout": {"idle": "5m"}}
    for spec in (spec_of(policy, None), spec_of(None, policy), spec_of(policy, policy)):
        assert traffic_policy.by_model(spec) == {"m": policy}
    assert traffic_policy.by_model(spec_of(None)) == {}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("500ms", "0.5s"), ("90s", "90s"), ("1m30s", "90s"), ("2h", "7200s"), ("0s", "0s")],
)
def test_durations_are_written_as_envoy_reads_them(written: str, meant: str) -> None:
    assert traffic_policy.duration({"idle": written}, "idle") == meant


def test_what_is_unset_has_its_default() -> None:
    assert traffic_policy.duration({}, "connect", "5s") == "5s"
    assert traffic_policy.duration({}, "connect") == ""


def test_time_is_limited_only_by_a_timeout() -> None:
    assert traffic_policy.limits_time(spec_of({"timeout": {"request": "1m"}}))
    assert not traffic_policy.limits_time(spec_of({"retry": {"numRetries": 1}}, None))
