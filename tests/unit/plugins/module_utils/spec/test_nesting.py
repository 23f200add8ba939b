from __future__ import annotations

import json

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import nesting
from nested import nested, text


@pytest.mark.parametrize("levels", [0, 1, 60])
def test_what_people_write_is_not_too_deep(levels: int) -> None:
    assert nesting.too_deep(nested(levels)) is None


def test_what_is_too_deep_is_named_by_the_way_to_it() -> None:
    where = nesting.too_deep({"beside": {"a": {}}, **nested(nesting.MOST)})
    assert where is not None
    assert where[:3] == ("deep", 0, "a")


@pytest.mark.parametrize("levels", [1, 20])
def test_what_python_can_read_is_read_whole(levels: int) -> None:
    assert nesting.decoded(text(levels)) == json.loads(text(levels))


@pytest.mark.parametrize("levels", [1_000, 9_000])
def test_of_what_it_cannot_all_but_the_deepest_is_read(levels: int) -> None:
    with pytest.raises(RecursionError):
        json.loads(text(levels))
    found = nesting.decoded(text(levels))
    assert (found["before"], found["after"]) == (["[", '\\"{'], 1)
    assert nesting.too_deep(found), "or the rest would be taken for what was written"


def test_what_is_within_is_kept_and_no_more() -> None:
    assert nesting.within(nested(20)) == nested(20)
    kept = nesting.within(nested(900))
    assert kept["after"] == 1
    assert nesting.too_deep(kept)
