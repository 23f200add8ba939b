"""Places in a spec."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    at,
    field_path,
)


def test_a_place_is_spelled_as_kubectl_explain_does() -> None:
    assert field_path(("config", "decisions", 0, "name")) == "spec.config.decisions[0].name"


@pytest.mark.parametrize(
    ("value", "found"),
    [({"a": {"b": 0}}, 0), ({"a": {}}, None), ({"a": None}, None), ({"a": ["b"]}, None), (7, None)],
)
def test_nothing_is_at_a_place_that_a_value_does_not_have(value: Any, found: Any) -> None:
    assert at(value, ("a", "b")) == found
