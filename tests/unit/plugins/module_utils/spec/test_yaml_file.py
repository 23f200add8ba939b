"""A file says to us what it says to `kubectl apply`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.yaml_file import (
    DocumentError,
    documents,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("1: a", {"1": "a"}),
        ("true: {null: 1}", {"true": {"null": 1}}),
        ("0.5: a", {"0.5": "a"}),
        ("day: 2026-11-29", {"day": "2026-11-29"}),
        ("[{1: [{2: x}]}]", [{"1": [{"2": "x"}]}]),
        ("base: &base {1: a}\nof: {<<: *base}", {"base": {"1": "a"}, "of": {"1": "a"}}),
    ],
)
def test_keys_and_dates_are_text(text: str, means: Any) -> None:
    assert documents(text) == [means]


def test_documents_that_say_nothing_are_left_out() -> None:
    assert documents("---\n---\na: 1\n---\n# nothing\n") == [{"a": 1}]


@pytest.mark.parametrize(
    "text", ["a: !!binary aGk=", "a: !!set {b}", "[1, 2]: a", "a: .nan", "a: {", "a: &a [*a]"]
)
def test_what_json_cannot_say_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(DocumentError) as error:
        documents(text)
    assert error.value.found
    assert error.value.remedy


@given(st.text(alphabet="ab01:-{}[],!&*?|> \n'\"#~.", max_size=60))
def test_any_text_is_refused_or_can_be_sent(text: str) -> None:
    try:
        found = documents(text)
    except DocumentError:
        return
    assert json.loads(json.dumps(found, allow_nan=False)) == found
