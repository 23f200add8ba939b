"""A run that a program hands over itself, from any of its threads and without a client process."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from warm_runner import protocol
from warm_runner.protocol import ColdRun
from warm_runner.request import PLAYBOOK, PROGRAMS, RUNNER

if TYPE_CHECKING:
    import _socket

__all__ = ["PLAYBOOK", "RUNNER", "ColdRun", "Run", "hand_over"]

# It takes the template some milliseconds to kill what the run has started.
END_PATIENCE = 10.0


class Run:
    """One that has begun. It ends when its program does, and no later than this process. Before
    that, `end` kills it with all that it has started, and so does forgetting this object.

    Every method may be called by any thread at any time.
    """

    def __init__(self, connection: _socket.socket) -> None:
        self._connection = connection
        self._begun = False
        self._ending = False
        self._status: int | None = None
        self._said: list[str] = []
        self._reading = threading.Lock()
        # Held to write and to close, so that nothing is written into what has the number next.
        self._writing = threading.Lock()

    @property
    def explanation(self) -> str:
        """What the server says of its end, once it has ended: of the limit for a run, a crash."""
        return " ".join(self._said)

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status, negative for the signal that it died of; None if it has not ended within
        `timeout` seconds. A status of 254 may mean that the server has gone, see `explanation`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self._reading.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            return None
        try:
            while self._status is None and self._has_something_to_hear(deadline):
                self._hear()
            return self._status
        finally:
            self._reading.release()

    def signal(self, number: int) -> None:
        """To its program alone, as to a child process; nothing if it has ended."""
        with self._writing, suppress(OSError):
            if self._status is None:
                protocol.send_signal(self._connection, number)

    def end(self) -> None:
        """Returns when it is gone, with all that it has started; nothing if it has ended."""
        self._shut(socket.SHUT_WR)
        if self.wait(END_PATIENCE) is None:
            # The template is stuck. It will see this as soon as it looks.
            self._shut(socket.SHUT_RDWR)
            self.wait()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _begin(self) -> None:
        """Returns when it has begun, so that it is not a cold run any more, or raises ColdRun."""
        with suppress(OSError):
            protocol.begin(self._connection)
        while not self._begun and self._status is None:
            self._hear()

    def _has_something_to_hear(self, deadline: float | None) -> bool:
        poll = select.poll()
        poll.register(self._connection.fileno(), select.POLLIN)
        left = None if deadline is None else 1000 * max(0.0, deadline - time.monotonic())
        return bool(poll.poll(left))

    def _hear(self) -> None:
        try:
            kind, text = protocol.receive(self._connection)
        except OSError as error:
            if self._ending:
                self._ended(-signal.SIGKILL)
            else:
                # It may have changed something: to run it again is what the caller decides.
                self._said.append(f"the process that served this run is gone ({error})")
                self._ended(protocol.FAILED)
            return
        if kind == protocol.BEGUN:
            self._begun = True
        elif kind == protocol.TOLD:
            self._said.append(os.fsdecode(text).strip())
        elif kind == protocol.ENDED:
            self._ended(os.waitstatus_to_exitcode(int(text)))
        elif kind == protocol.COLD:
            self._ended(protocol.FAILED)
            raise ColdRun(os.fsdecode(text))

    def _ended(self, status: int) -> None:
        with self._writing:
            self._status = status
            self._connection.close()

    def _shut(self, how: int) -> None:
        with self._writing, suppress(OSError):
            if self._status is None:
                self._ending = True
                self._connection.shutdown(how)


def hand_over(
    address: Path,
    own: Path,
    program: str,
    arguments: Sequence[str],
    directory: str | os.PathLike[str],
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
) -> Run:
    """`own`: where the client scripts are, which are not what a cold run would execute."""
    if program not in PROGRAMS:
        raise ValueError(f"{program} is none of {', '.join(PROGRAMS)}")
    clients = os.path.realpath(own)
    path = protocol.cold_program(program, clients, environment.get("PATH", os.defpath))
    if not path:
        raise ColdRun(f"there is no {program} on PATH")
    request = protocol.encode(
        program,
        path,
        os.path.abspath(directory),
        [os.path.join(clients, program), *arguments],
        {os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
    )
    run = Run(protocol.ask(str(address), request, streams))
    run._begin()
    return run
