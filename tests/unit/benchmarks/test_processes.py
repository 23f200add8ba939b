"""What a process tree costs is read from /proc, its children included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import processes

# A child that has worked for a while and ended, and a grandchild that lives.
WORK = r"""
import subprocess, sys
subprocess.run([sys.executable, "-c", "sum(n * n for n in range(3_000_000))"])
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
child.communicate(b"\n")
"""


@contextmanager
def worker() -> Iterator[tuple[int, int]]:
    """The pids of a process and of its child."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.communicate("\n")


def test_a_tree_has_the_process_and_what_it_started() -> None:
    with worker() as (parent, child):
        assert processes.tree(parent) == [parent, child]
        assert child in processes.tree(os.getpid())
    assert processes.tree(parent) == []


def test_the_time_of_a_child_that_has_ended_is_counted() -> None:
    with worker() as (parent, child):
        assert processes.cpu_seconds(parent) > processes.cpu_seconds(child) + 0.05


def test_shared_pages_are_counted_once_in_pss() -> None:
    with worker() as (parent, _):
        memory = processes.memory(parent)
        assert 0 < memory["Pss"] <= memory["Rss"]
