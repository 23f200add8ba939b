"""The listener's timeout reaches Envoy in Envoy's words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import (
    NO_LIMIT,
    answer_timeout,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [("30s", "30s"), ("1m30s", "90s"), ("1.5s", "1.5s"), ("500ms", "0.5s"), ("1h", "3600s")],
)
def test_a_duration_of_go_is_one_of_envoy(given: str, expected: str) -> None:
    spec = {"config": {"listeners": [{"name": "a", "timeout": given}]}}
    assert answer_timeout(spec) == expected


@pytest.mark.parametrize("config", [None, {}, {"listeners": []}, {"listeners": [{"name": "a"}]}])
def test_without_one_there_is_no_limit(config: Any) -> None:
    assert answer_timeout({"config": config}) == NO_LIMIT
