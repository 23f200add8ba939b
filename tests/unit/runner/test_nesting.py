"""The same promises as the collection's own, which the runner knows nothing of."""

from __future__ import annotations

import json

import pytest
from nested import nested, text
from wrapper_runner import nesting


def test_what_python_can_read_is_read_whole() -> None:
    assert nesting.decoded(text(20)) == json.loads(text(20))


@pytest.mark.parametrize("levels", [1_000, 9_000])
def test_of_what_it_cannot_all_but_the_deepest_is_read(levels: int) -> None:
    found = nesting.decoded(text(levels))
    assert (found["before"], found["after"]) == (["[", '\\"{'], 1)
    assert found["deep"] != [None]


def test_what_is_within_is_kept_and_no_more() -> None:
    assert nesting.within(nested(20)) == nested(20)
    kept = nesting.within(nested(900))
    depth = 0
    part = kept["deep"][0]
    while part is not None:
        depth, part = depth + 1, part["a"]
    assert depth < nesting.READ
