"""Starts ansible-runner, reads its events, and ends it when its time is up or the operator stops.

`ansible-runner` is whatever PATH finds first, so another program of that name can stand in.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

# ansible-runner needs a second to notice, then ends the playbook and writes its last events.
KILL_AFTER = 10.0
TAIL_LINES = 15
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class PlayError(Exception):
    """The program could not be run to its end, or did not get as far as a playbook."""


@dataclass(frozen=True)
class Play:
    """One call of ansible-runner."""

    directory: Path
    playbook: Path
    ident: str
    artifacts: int
    verbosity: int
    timeout: float

    @property
    def arguments(self) -> list[str]:
        return [
            *("run", str(self.directory)),
            *("--rotate-artifacts", str(self.artifacts)),
            *("-p", str(self.playbook)),
            *("-i", self.ident),
            # Events as lines on stdout: no HTTP receiver, no plugin, nothing to wait for in vain.
            "--json",
            *([f"-{'v' * self.verbosity}"] if self.verbosity > 0 else []),
        ]


class Player:
    """Runs plays; knows those that are running, so that a shutdown can end them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        # ansible-runner finds ansible-playbook on PATH; the one beside this Python is there last.
        beside = os.path.dirname(sys.executable)
        path = os.pathsep.join((environment.get("PATH", os.defpath), beside))
        self._environment = {**environment, "PATH": path}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._ended = False

    def program(self) -> str:
        found = shutil.which("ansible-runner", path=self._environment["PATH"])
        if not found:
            raise PlayError(
                "ansible-runner is not on PATH; install it (pip install ansible-runner)"
            )
        return found

    def events(self, play: Play, kubeconfig: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The events of a play as they happen; PlayError when it does not come to its end."""
        process = self._start([self.program(), *play.arguments], kubeconfig)
        timed_out = threading.Event()

        def time_is_up() -> None:
            timed_out.set()
            _end(process)

        timer = threading.Timer(play.timeout, time_is_up)
        timer.daemon = True
        timer.start()
        tail: deque[str] = deque(maxlen=TAIL_LINES)
        finished = False
        try:
            for event in _read(process, tail):
                # What came before is ansible-playbook's banner, not what ended the play early.
                tail.clear()
                finished = finished or event["event"] == "playbook_on_stats"
                yield event
            process.wait()
        finally:
            timer.cancel()
            # If it went off: what the play has left behind is gone before this returns.
            timer.join()
            with self._lock:
                self._running.discard(process)
            if process.poll() is None:
                _end(process)
        if timed_out.is_set():
            raise PlayError(f"ended after {play.timeout:g} s, the limit of --run-timeout")
        if not finished and self._ended:
            raise PlayError("ended because the operator stops")
        if not finished:
            said = " | ".join(tail) or "it printed nothing"
            raise PlayError(f"ansible-runner ({process.returncode}) ended before its play: {said}")

    def end_all(self) -> int:
        """End what is running and let nothing more start; how many plays that were."""
        with self._lock:
            self._ended = True
            processes = list(self._running)
        threads = [threading.Thread(target=_end, args=(process,)) for process in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(processes)

    def _start(
        self, command: Sequence[str], kubeconfig: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._ended:
                raise PlayError("the operator is stopping")
            process = subprocess.Popen(
                command,
                env={**self._environment, **kubeconfig},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                # A Ctrl-C in the terminal is for the operator, which lets its runs finish.
                start_new_session=True,
            )
            self._running.add(process)
            return process


def _read(process: subprocess.Popen[bytes], tail: deque[str]) -> Iterator[dict[str, Any]]:
    """Events; lines that are none (before the playbook starts, or a traceback) go to `tail`."""
    assert process.stdout is not None  # noqa: S101 it is piped, which Popen's type cannot say
    with process.stdout as stdout:
        for line in stdout:
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            if isinstance(event, dict) and "event" in event:
                yield event
            elif line.strip():
                tail.append(_COLOUR.sub("", line.decode(errors="replace")).strip())


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask ansible-runner to end its playbook; then end whatever that has left behind.

    A process group is not enough: the playbook has a session of its own (ansible-runner gives it a
    terminal), and so has each of its workers, which outlive it in the middle of a task.
    """
    family: set[_Process] = set()
    process.terminate()
    deadline = time.monotonic() + KILL_AFTER
    while process.poll() is None and time.monotonic() < deadline:
        family |= _descendants(process.pid)
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    process.kill()
    for member in family:
        member.kill()


class _Process(NamedTuple):
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


def _descendants(root: int) -> set[_Process]:
    """By parent, from /proc; nothing where there is no /proc."""
    children: dict[int, set[_Process]] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        stat = _stat(pid)
        if stat:
            children.setdefault(stat.parent, set()).add(_Process(pid, stat.started))
    found: set[_Process] = set()
    unvisited = [root]
    while unvisited:
        below = children.get(unvisited.pop(), set())
        found |= below
        unvisited += [member.pid for member in below]
    return found
