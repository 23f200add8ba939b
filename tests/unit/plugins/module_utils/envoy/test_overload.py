"""How many large requests Envoy's memory is good for."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import (
    LARGE,
    MEDIUM,
    overload_manager,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    MAX_CONNECTIONS,
)


def spec(memory: str | None) -> dict[str, Any]:
    limits = {"memory": memory} if memory else {}
    return {"envoy": {"resources": {"limits": limits}}}


@pytest.mark.parametrize(
    ("memory", "large", "medium"), [("512Mi", 2, 16), ("2Gi", 10, 80), ("64Mi", 1, 1)]
)
def test_what_is_large_counts_by_the_memory_limit(memory: str, large: int, medium: int) -> None:
    assert (LARGE.at_once(spec(memory)), MEDIUM.at_once(spec(memory))) == (large, medium)


def test_without_a_memory_limit_nothing_counts() -> None:
    assert LARGE.at_once(spec(None)) == MAX_CONNECTIONS
    assert overload_manager(spec(None)).keys() == {"resource_monitors"}
