"""Runs plays, reads their events, and ends them when their time is up or the operator stops.

A play is handed over to a process that has Ansible loaded, where there is one; else it is what
`ansible-runner`, the first on PATH, makes of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wrapper_runner.handed import HandOver, handed
from wrapper_runner.spawned import Spawned


class PlayError(Exception):
    """The program could not be run to its end, or did not get as far as a playbook."""


class Stopping(PlayError):
    """The same, because the operator stops."""


@dataclass(frozen=True)
class Play:
    """A playbook, and the input directory with what it gets.

    artifacts: how many runs leave something in there. timeout: in seconds, and whose limit it is.
    """

    directory: Path
    playbook: Path
    ident: str
    artifacts: int
    verbosity: int
    timeout: float
    limit: str = "the limit of --run-timeout"

    @property
    def arguments(self) -> list[str]:
        """For ansible-runner."""
        return [
            *("run", str(self.directory)),
            *("--rotate-artifacts", str(self.artifacts)),
            *("-p", str(self.playbook)),
            *("-i", self.ident),
            # Events as lines on stdout: no HTTP receiver, no plugin, nothing to wait for in vain.
            "--json",
            *self.verbose,
        ]

    @property
    def verbose(self) -> list[str]:
        return [f"-{'v' * self.verbosity}"] if self.verbosity > 0 else []


class Running(Protocol):
    """A play that has been started.

    events: until it has ended. end: with all that it has left behind; harmless when it has ended.
    """

    @property
    def program(self) -> str: ...
    @property
    def status(self) -> int | None: ...
    @property
    def last_words(self) -> str: ...
    def events(self) -> Iterator[dict[str, Any]]: ...
    def end(self) -> None: ...


class Player:
    """Runs plays; knows those that are running, so that a shutdown can end them."""

    def __init__(self, environment: Mapping[str, str], hand_over: HandOver | None = None) -> None:
        # ansible-runner finds ansible-playbook on PATH; the one beside this Python is there last.
        beside = os.path.dirname(sys.executable)
        path = os.pathsep.join((environment.get("PATH", os.defpath), beside))
        self._environment = {**environment, "PATH": path}
        self._hand_over = hand_over
        self._running: set[Running] = set()
        self._lock = threading.Lock()
        self._ended = False

    def program(self) -> str:
        found = shutil.which("ansible-runner", path=self._environment["PATH"])
        if not found:
            raise PlayError(
                "ansible-runner is not on PATH; install it (pip install ansible-runner)"
            )
        return found

    def events(self, play: Play, variables: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The events of a play; PlayError when it does not come to its end.

        variables: of its environment, beside those of the operator.
        """
        running = self._start(play, {**self._environment, **variables})
        timed_out = threading.Event()

        def time_is_up() -> None:
            timed_out.set()
            running.end()

        timer = threading.Timer(play.timeout, time_is_up)
        timer.daemon = True
        timer.start()
        finished = False
        try:
            for event in running.events():
                finished = finished or event["event"] == "playbook_on_stats"
                yield event
        finally:
            timer.cancel()
            # If it went off: what the play has left behind is gone before this returns.
            timer.join()
            with self._lock:
                self._running.discard(running)
            running.end()
        if timed_out.is_set():
            raise PlayError(f"ended after {play.timeout:g} s, {play.limit}")
        if not finished and self._ended:
            raise Stopping("ended because the operator stops")
        if not finished:
            said = running.last_words or "it printed nothing"
            raise PlayError(f"{running.program} ({running.status}) ended before its play: {said}")

    def end_all(self) -> int:
        """End what is running and let nothing more start; how many plays that were."""
        with self._lock:
            self._ended = True
            running = list(self._running)
        threads = [threading.Thread(target=play.end) for play in running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(running)

    def _start(self, play: Play, environment: Mapping[str, str]) -> Running:
        if self._ended:
            raise Stopping("the operator is stopping")
        running: Running | None = None
        if self._hand_over:
            running = handed(
                self._hand_over,
                play.directory,
                play.ident,
                play.artifacts,
                [*play.verbose, str(play.playbook)],
                environment,
            )
        running = running or Spawned([self.program(), *play.arguments], environment)
        with self._lock:
            stopped = self._ended
            self._running.add(running)
        if stopped:
            # Between the first look and now.
            running.end()
        return running
