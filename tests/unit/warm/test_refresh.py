"""What a forked run must not have in common with the process that it was forked from."""

from __future__ import annotations

import random
import tempfile
import time

import pytest
from warm_runner.preload import Loaded
from warm_runner.refresh import refresh_python


def draws(generator: random.Random) -> list[float]:
    return [generator.random() for _ in range(3)]


def test_no_run_draws_the_numbers_of_another() -> None:
    loaded = Loaded()
    by_chance, chosen = random.Random(1), random.Random(1)  # noqa: S311 no secret depends on them
    loaded.captures.generators.add(by_chance)
    expected = draws(random.Random(1))  # noqa: S311
    refresh_python(loaded, {})
    assert draws(by_chance) != expected
    assert draws(chosen) == expected


def test_directory_and_time_zone_are_those_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/of/the/parent")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    try:
        refresh_python(Loaded(), {})
        assert tempfile.tempdir is None
        assert time.tzname[0] == "JST"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()
