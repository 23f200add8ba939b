"""Places in a spec."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    at,
    field_path,
    places,
    spelled,
)


def test_a_place_is_spelled_as_kubectl_explain_does() -> None:
    assert field_path(("config", "decisions", 0, "name")) == "spec.config.decisions[0].name"


@pytest.mark.parametrize(
    ("value", "found"),
    [({"a": {"b": 0}}, 0), ({"a": {}}, None), ({"a": None}, None), ({"a": ["b"]}, None), (7, None)],
)
def test_nothing_is_at_a_place_that_a_value_does_not_have(value: Any, found: Any) -> None:
    assert at(value, ("a", "b")) == found


def test_a_place_outside_of_spec_is_spelled_from_the_root() -> None:
    assert spelled(("metadata", "labels", "a.b/c")) == "metadata.labels[a.b/c]"


def test_a_star_leads_to_every_item_and_a_step_that_is_not_there_to_nothing() -> None:
    value = {"a": [{"b": 1}, {"c": 2}, {"b": None}], "b": {"b": 3}}
    assert list(places(value, ("a", "*", "b"))) == [(("a", 0, "b"), 1), (("a", 2, "b"), None)]
    assert list(places(value, ("b", "*", "b"))) == []
    assert list(places(value, ())) == [((), value)]
