"""The processes below one, from /proc: what a run that is ended has left behind."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process, and when it started: a number alone may mean another one by now."""

    pid: int
    started: str

    def kill(self) -> None:
        stat = _stat(self.pid)
        if stat and stat.started == self.started:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class _Stat(NamedTuple):
    parent: int
    started: str


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses and may contain anything.
    fields = text.rpartition(")")[2].split()
    return _Stat(parent=int(fields[1]), started=fields[19])


def descendants(root: int) -> set[Process]:
    """By parent, from /proc; nothing where there is no /proc."""
    children: dict[int, set[Process]] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        stat = _stat(pid)
        if stat:
            children.setdefault(stat.parent, set()).add(Process(pid, stat.started))
    found: set[Process] = set()
    unvisited = [root]
    while unvisited:
        below = children.get(unvisited.pop(), set())
        found |= below
        unvisited += [member.pid for member in below]
    return found
