"""Quantities of Kubernetes as numbers."""

from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.quantity import quantity


@pytest.mark.parametrize(
    ("less", "more"), [("500m", "1"), ("1023Mi", "1Gi"), ("1e3", "2k"), ("999M", "1Gi"), (1, "2")]
)
def test_quantities_are_compared_by_value(less: str, more: str) -> None:
    smaller, greater = quantity(less), quantity(more)
    assert smaller is not None
    assert greater is not None
    assert smaller < greater


def test_what_is_no_quantity_is_left_to_the_schema() -> None:
    assert quantity("lots") is None
    assert quantity("1.2.3") is None
    assert quantity(None) is None
