"""The bars are ratios of medians, and none is judged without its measurements."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import bars, rows
from benchmarks.rows import Row


def test_without_measurements_nothing_is_judged() -> None:
    assert bars.judge([]) == []
    assert bars.judge([Row("warm", bars.CREATE, "s", (0.1,))]) == []


def test_a_bar_compares_the_medians_of_one_run() -> None:
    measured = [
        Row("warm", bars.CREATE, "s", (0.1, 9.0, 0.2)),
        Row("conventional", bars.CREATE, "s", (10.0, 8.0, 8.0)),
    ]
    (bar,) = bars.judge(measured)
    assert (bar.value, bar.limit) == (pytest.approx(0.025), pytest.approx(0.025))
    assert bar.met


def test_writes_of_an_idle_operator_miss_their_bar() -> None:
    (bar,) = bars.judge([Row("warm", bars.IDLE_WRITES.format(1000), "writes", (1.0,))])
    assert not bar.met


def test_every_promised_bar_is_judged_when_all_is_measured() -> None:
    cases = [
        *bars.SINGLE,
        bars.AVAILABLE.format(50),
        *(bars.RUNNING.format(count) for count in (50, 200)),
        bars.LOAD_CPU.format(50),
        bars.PLANE_CPU.format(50),
        bars.RESTART.format(200),
        bars.IDLE_WRITES.format(1000),
        bars.IDLE_CPU.format(1000),
        bars.PEAK.format("Pss", 50),
        *(bars.AFTER.format("Pss", count) for count in (200, 1000)),
    ]
    measured = [Row(subject, case, "", (1.0,)) for subject in rows.SUBJECTS for case in cases]
    assert len(bars.judge(measured)) == 14


def test_rows_are_written_with_their_median(tmp_path: Path) -> None:
    file = tmp_path / "build" / "bench.json"
    rows.write(file, {"cpus": 2}, [Row("cold", bars.NO_OP, "s", (3.0, 1.0, 2.0))], [])
    assert json.loads(file.read_text())["rows"] == [
        {
            "subject": "cold",
            "case": bars.NO_OP,
            "unit": "s",
            "runs": [3.0, 1.0, 2.0],
            "median": 2.0,
        }
    ]


def test_the_runs_of_a_subject_and_a_case_are_joined_in_their_order() -> None:
    measured = [
        Row("warm", bars.CREATE, "s", (3.0,)),
        Row("peer", bars.CREATE, "s", (9.0,)),
        Row("warm", bars.CREATE, "s", (1.0, 2.0)),
    ]
    assert rows.joined(measured) == [
        Row("warm", bars.CREATE, "s", (3.0, 1.0, 2.0)),
        Row("peer", bars.CREATE, "s", (9.0,)),
    ]
