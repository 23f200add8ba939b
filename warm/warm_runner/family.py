"""Ends a process with everything it has started, whatever sessions they made."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

# A process may be in a call of the kernel that no signal ends.
DEATH_PATIENCE = 2.0


class Process(NamedTuple):
    """A process, and when it started: a number alone may mean another one by now."""

    pid: int
    started: str

    def signal(self, number: int) -> None:
        stat = stat_of(self.pid)
        if stat and stat.started == self.started:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def open(self, opened: ExitStack) -> int | None:
        """A descriptor that can be read when it has ended; None if it is gone already."""
        try:
            number = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        opened.callback(os.close, number)
        return number


class Stat(NamedTuple):
    parent: int
    started: str


def end(pid: int) -> None:
    """Returns when all of it is gone, or after DEATH_PATIENCE seconds.

    Stop the whole family before killing any of it: a child of a dead parent is nobody's."""
    family: set[Process] = set()
    while True:
        found = members(pid) - family
        if not found:
            break
        for process in found:
            process.signal(signal.SIGSTOP)
        family |= found
    with ExitStack() as opened:
        # Opened before it is killed, so that its number cannot be another's by then.
        alive = {number for process in family if (number := process.open(opened)) is not None}
        for process in family:
            process.signal(signal.SIGKILL)
        _wait(alive, DEATH_PATIENCE)


def _wait(alive: set[int], patience: float) -> None:
    poll = select.poll()
    for number in alive:
        poll.register(number, select.POLLIN)
    deadline = time.monotonic() + patience
    while alive and (left := deadline - time.monotonic()) > 0:
        for number, _ in poll.poll(1000 * left):
            poll.unregister(number)
            alive.remove(number)


def children(parent: int) -> set[int]:
    stats = ((pid, stat_of(pid)) for pid in _pids())
    return {pid for pid, stat in stats if stat and stat.parent == parent}


def members(root: int) -> set[Process]:
    """The process and its descendants, from /proc."""
    stats = {pid: stat for pid in _pids() if (stat := stat_of(pid))}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    found: set[Process] = set()
    unvisited = [root]
    while unvisited:
        pid = unvisited.pop()
        if pid in stats:
            found.add(Process(pid, stats[pid].started))
        unvisited += children.get(pid, [])
    return found


def stat_of(pid: int) -> Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the command in parentheses and may contain anything.
    fields = text.rpartition(")")[2].split()
    return Stat(parent=int(fields[1]), started=fields[19])


def command(pid: int) -> bytes:
    """What the process has executed last, with its arguments; forks have their parent's."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _pids() -> Iterable[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())
