"""Durations are read as Go reads them."""

from __future__ import annotations

import pytest
from wrapper_runner.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("500ms", 0.5),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("-1s", -1),
        ("0", 0),
        ("1h0m0.25s", 3600.25),
    ],
)
def test_go_duration_is_understood(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "10", "10 m", "m", "1d", "1mm", "1h-3m", "ten minutes", "1s,", "s1"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write it like 30s, 10m"):
        seconds(text)
