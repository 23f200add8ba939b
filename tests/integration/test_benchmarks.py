"""`make bench` in its small size: that it measures, not how fast anything is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a quick run wrote; its plot is beside it."""
    output = tmp_path_factory.mktemp("bench") / "bench.json"
    paths = os.pathsep.join(str(CHECKOUT / name) for name in ("hack", "runner", "."))
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", f"--output={output}"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert output.with_suffix(".svg").read_text().startswith("<?xml")
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def test_every_subject_is_measured(result: dict[str, Any]) -> None:
    found = {row["subject"] for row in result["rows"]}
    assert found == {"floor", "conventional", "cold", "warm"}


def test_every_case_of_the_warm_operator_is_measured(result: dict[str, Any]) -> None:
    found = [row for row in result["rows"] if row["subject"] == "warm"]
    cases = " ".join(row["case"] for row in found)
    for words in (
        "create",
        "no-op",
        "update",
        "2 at once",
        "20 models on 40 endpoints",
        "CPU",
        "idle minute",
        "Rss",
        "Pss",
    ):
        assert words in cases
    assert all(row["runs"] for row in found)


def test_a_warm_operator_with_nothing_to_do_writes_nothing(result: dict[str, Any]) -> None:
    (writes,) = [row for row in result["rows"] if row["case"].startswith("writes")]
    assert writes["median"] == 0


def test_what_is_compared_makes_the_same_requests_cold_and_warm(result: dict[str, Any]) -> None:
    requests = {
        row["subject"]: row["median"]
        for row in result["rows"]
        if row["case"].startswith("API requests, no-op") and row["subject"] in ("cold", "warm")
    }
    assert requests["warm"] <= requests["cold"]
