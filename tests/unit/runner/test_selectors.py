"""A selector means the same to the API server and to us."""

from __future__ import annotations

from typing import Any

import pytest
from wrapper_runner.selectors import EVERYTHING, Selector

SELECTOR = {
    "matchLabels": {"team": "us"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["gold", "silver"]},
        {"key": "stage", "operator": "NotIn", "values": ["test"]},
        {"key": "owner", "operator": "Exists"},
        {"key": "retired", "operator": "DoesNotExist"},
    ],
}
MATCHING = {"team": "us", "tier": "gold", "owner": "anna"}


def test_query_is_what_a_list_takes() -> None:
    expected = "team in (us),tier in (gold,silver),stage notin (test),owner,!retired"
    assert Selector.parse(SELECTOR).query == expected


def test_object_that_meets_every_requirement_matches() -> None:
    assert Selector.parse(SELECTOR).matches(MATCHING)


@pytest.mark.parametrize(
    "change",
    [{"team": "them"}, {"tier": "tin"}, {"stage": "test"}, {"owner": None}, {"retired": "yes"}],
)
def test_object_that_misses_one_requirement_does_not_match(change: dict[str, str | None]) -> None:
    labels = {key: value for key, value in {**MATCHING, **change}.items() if value}
    assert not Selector.parse(SELECTOR).matches(labels)


def test_empty_selector_matches_everything() -> None:
    assert Selector.parse({}) == EVERYTHING
    assert EVERYTHING.matches({})
    assert EVERYTHING.query == ""


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"matchLabel": {}}, "matchLabel is unknown"),
        ({"matchExpressions": [{"key": "a", "operator": "Equals"}]}, "'Equals' is not one of"),
        ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "In of 'a' has the wrong values"),
    ],
)
def test_mistake_in_a_selector_is_named(content: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Selector.parse(content)
