"""What a process and everything below it has cost so far, read from /proc."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1024 * 1024


def tree(root: int) -> list[int]:
    """A process and its living descendants; [] when it is gone."""
    return list(_tree(root))


def _tree(pid: int) -> Iterator[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        children = [Path(f"/proc/{pid}/task/{thread}/children") for thread in threads]
        below = [int(child) for file in children for child in file.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return
    yield pid
    for child in below:
        yield from _tree(child)


def cpu_seconds(root: int) -> float:
    """User and system time of the tree, with those that ended and were waited for."""
    return sum(_cpu_seconds(pid) for pid in tree(root))


def _cpu_seconds(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # The second field is the command in parentheses and may contain anything.
    fields = text.rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS


def memory(root: int) -> dict[str, float]:
    """MiB of the tree: Rss counts a page once for each process that shares it, Pss once in all."""
    total = {"Rss": 0.0, "Pss": 0.0}
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name in total:
                total[name] += int(value.split()[0]) * 1024 / MIB
    return total


class MemoryPeak:
    """Watches a tree from its own thread for as long as the `with` block lasts."""

    INTERVAL = 0.5

    def __init__(self, root: int) -> None:
        self._root = root
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.peak = {"Rss": 0.0, "Pss": 0.0}

    def __enter__(self) -> MemoryPeak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(self.INTERVAL):
            self._look()

    def _look(self) -> None:
        seen = memory(self._root)
        self.peak = {name: max(self.peak[name], value) for name, value in seen.items()}
