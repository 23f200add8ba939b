"""Labels that objects can carry, and selectors that they meet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import labels

CARRIED = {"team": "blue", "empty": ""}


@pytest.mark.parametrize(
    ("key", "is_key"),
    [
        ("a", True),
        ("A_b.c-1", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("example.com/a", True),
        ("a" * 64 + ".com/a", True),
        (".".join(["a" * 50] * 5) + "/a", False),
        ("example..com/a", False),
        ("Example.com/a", False),
        ("example.com/", False),
        ("/a", False),
        ("a/b/c", False),
        ("-a", False),
        ("a-", False),
        ("a b", False),
        ("a\n", False),
        ("", False),
    ],
)
def test_keys(key: str, is_key: bool) -> None:
    assert labels.is_label_key(key) is is_key


def test_the_domain_of_an_annotation_may_have_capitals() -> None:
    assert labels.is_annotation_key("Example.com/a")
    assert not labels.is_annotation_key("example..com/a")


@pytest.mark.parametrize(
    ("value", "is_value"),
    [("", True), ("a.B_c-1", True), ("a" * 63, True), ("a" * 64, False), ("-a", False),
     ("a/b", False), ("a\n", False)],
)  # fmt: skip
def test_values(value: str, is_value: bool) -> None:
    assert labels.is_label_value(value) is is_value


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "is_met"),
    [
        ({}, True),
        ({"matchLabels": None, "matchExpressions": None}, True),
        ({"matchLabels": {"team": "blue"}}, True),
        ({"matchLabels": {"team": "blue", "gone": ""}}, False),
        ({"matchLabels": {"team": "red"}}, False),
        (expression("team", "In", "red", "blue"), True),
        (expression("team", "In", "red"), False),
        (expression("gone", "In", "red"), False),
        (expression("team", "NotIn", "red"), True),
        (expression("team", "NotIn", "blue"), False),
        (expression("gone", "NotIn", "blue"), True),
        (expression("empty", "Exists"), True),
        (expression("gone", "Exists"), False),
        (expression("gone", "DoesNotExist"), True),
        (expression("empty", "DoesNotExist"), False),
        ({"matchLabels": {"team": "blue"}, **expression("team", "In", "red")}, False),
    ],
)
def test_a_selector_takes_what_meets_all_of_it(selector: dict[str, Any], is_met: bool) -> None:
    assert labels.selects(selector, CARRIED) is is_met


def test_a_selector_as_text_does_not_depend_on_order() -> None:
    assert labels.as_selector({"b": "2", "a": "1"}) == "a=1,b=2"
