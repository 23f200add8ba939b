"""A process is ended with all that it has started, and the caller hears of it afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from eventually import eventually
from warm_runner import family

STARTS = """
import os, signal, subprocess
for _ in range(20):
    subprocess.Popen(["sleep", "600"], start_new_session=True)
signal.pause()
"""


def is_alive(process: family.Process) -> bool:
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return stat[19] == process.started and stat[0] != "Z"


@pytest.mark.parametrize("_", range(3))
def test_nothing_of_a_family_lives_when_its_end_is_told(_: int) -> None:
    with subprocess.Popen([sys.executable, "-c", STARTS]) as root:
        try:
            eventually(lambda: len(family.members(root.pid)) == 21, 30, "the family to be there")
            members = family.members(root.pid)
            family.end(root.pid)
            assert [process for process in members if is_alive(process)] == []
        finally:
            root.kill()


def test_the_end_of_what_is_gone_is_nothing() -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    family.end(process.pid)
