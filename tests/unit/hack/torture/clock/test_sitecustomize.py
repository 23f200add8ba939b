"""The operator's clock jumps while it runs, and what it measures stays true."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from torture.proxied import CLOCK

DAY = 86400.0
ASKED = """
import datetime, pathlib, sys, time
file = pathlib.Path(sys.argv[1])
file.write_text(sys.argv[2])
begun = time.monotonic()
time.sleep(0.01)
print(time.time(), datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic() - begun)
"""


def told(directory: Path, ahead: str, **environment: str) -> list[float]:
    """Both times of day after a jump, and an interval across it."""
    clock = directory / "clock"
    clock.write_text("0")
    answer = subprocess.run(
        [sys.executable, "-P", "-c", ASKED, str(clock), ahead],
        env={**os.environ, "PYTHONPATH": str(CLOCK), "TORTURE_CLOCK": str(clock), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [float(number) for number in answer.stdout.split()]


def test_the_time_of_day_jumps_and_intervals_do_not(tmp_path: Path) -> None:
    of_time, of_datetime, interval = told(tmp_path, str(DAY))

    assert of_time > time.time() + DAY / 2
    assert of_datetime > time.time() + DAY / 2
    assert 0 < interval < DAY / 2


def test_who_has_no_clock_of_its_own_has_the_machines(tmp_path: Path) -> None:
    of_time, of_datetime, _ = told(tmp_path, str(DAY), TORTURE_CLOCK="")

    assert of_time < time.time() + DAY / 2
    assert of_datetime < time.time() + DAY / 2
