"""A first build takes minutes, and says how many are left."""

from __future__ import annotations

import pytest
from control_plane import programs


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "less than a minute left"),
        (44, "less than a minute left"),
        (45, "about 1 min left"),
        (350, "about 6 min left"),
    ],
)
def test_time_that_is_left_is_told_in_minutes(seconds: float, said: str) -> None:
    assert programs.time_left(seconds) == said


def test_every_program_has_an_estimate() -> None:
    assert programs.SECONDS.keys() == programs.PACKAGES.keys()


def test_what_takes_longer_than_estimated_leaves_the_time_of_those_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    said: list[str] = []
    say = programs.estimating(said.append, "[1/2] etcd", own=60, later=120)
    for now[0] in (100.0, 160.0, 500.0):
        say("12 packages compiled")
    assert said == [
        f"[1/2] etcd: 12 packages compiled; about {minutes} min left" for minutes in (3, 2, 2)
    ]
