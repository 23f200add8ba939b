"""Durations are read as Go reads them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import (
    as_envoy_writes,
    is_duration,
    seconds,
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("500ms", 0.5),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("2μs", 2e-6),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_a_duration_of_go_is_understood(given: str, expected: float) -> None:
    assert seconds(given) == pytest.approx(expected)


@pytest.mark.parametrize(
    "given", ["", "30", "soon", "-5s", "1h-3m", "5 s", "s5", 30, None, "1d", "1mm", "1y", "1.2.3s"]
)
def test_anything_else_is_no_duration(given: Any) -> None:
    assert seconds(given) is None
    assert not is_duration(given)


def test_envoy_is_told_seconds() -> None:
    assert [as_envoy_writes(one) for one in (90.0, 0.5, 1.0)] == ["90s", "0.5s", "1s"]
