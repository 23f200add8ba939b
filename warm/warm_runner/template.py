"""The process that has everything imported: takes requests and forks a run for each.

One thread, one loop: a process that forks may have no others. It never runs a playbook itself, so
it does not grow, but it is replaced after a number of runs all the same, and when code has changed.
"""

from __future__ import annotations

import argparse
import array
import gc
import os
import resource
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from warm_runner import child, family, kernel, protocol, stamps
from warm_runner.log import log
from warm_runner.preload import Loaded, load
from warm_runner.request import Request, RequestError, parse

# ansible-runner looks at a termination signal once in pexpect_timeout, which is 5 s by default.
TERMINATION_GRACE = 10.0
MOST_REASONS = 100
# struct ucred: process, user, group.
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Limits:
    """run: seconds that a run may last; runs: how many at a time; served: how many until this
    process is replaced; memory: bytes that it may have grown by until then."""

    run: float
    runs: int = 64
    served: int = 5000
    memory: int = 64 << 20


class State(Enum):
    ASKING = 1
    OFFERED = 2
    RUNNING = 3


@dataclass(eq=False)
class Call:
    """One that asks for a run, from its connection to the end of the run.

    caller: its process; refusal: where the run says why it has to be a cold one, closed by the run
    when it begins."""

    connection: socket.socket
    caller: int
    data: bytearray = field(default_factory=bytearray)
    descriptors: list[int] = field(default_factory=list)
    state: State = State.ASKING
    request: Request | None = None
    pid: int = 0
    refusal: int = -1
    reason: bytes = b""
    deadline: float = 0.0
    # Somebody has asked for its end, and knows why it ended.
    expected: bool = False
    overdue: bool = False


class Template:
    def __init__(self, listener: socket.socket, loaded: Loaded, limits: Limits) -> None:
        self._listener = listener
        self._loaded = loaded
        self._limits = limits
        self._stamps = stamps.Stamps(stamps.loaded(sys.modules) | loaded.shelf.files())
        self._selector = selectors.DefaultSelector()
        self._calls: list[Call] = []
        self._served = 0
        self._memory = _resident()
        self._accepting = True
        self._stopped = False
        self._reasons: set[str] = set()
        self._wake, self._woken = socket.socketpair()

    def serve(self, retire: Callable[[str], None]) -> None:
        """Until it is stopped, or has retired and its last run has ended."""
        self._retire = retire
        self._listen_to_signals()
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, partial(self._woken.recv, 4096))
        while not self._stopped and (self._accepting or self._calls):
            for key, _ in self._selector.select(self._until_deadline()):
                # What was handled before may have ended what this is about.
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            self._reap()
            self._end_overdue()
        for call in list(self._calls):
            if call.pid:
                family.end(call.pid)

    def _listen_to_signals(self) -> None:
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            # Another template has taken it.
            return
        connection.setblocking(False)
        credentials = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        caller, _, _ = _CREDENTIALS.unpack(credentials)
        call = Call(connection, caller)
        self._calls.append(call)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._hear, call))

    def _hear(self, call: Call) -> None:
        try:
            if call.state is State.ASKING:
                gone = not self._receive(call)
            else:
                data = call.connection.recv(4096)
                call.data += data
                gone = not data
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self._lost(call)
        elif call.state is State.ASKING:
            self._consider(call)
        else:
            self._obey(call)

    def _receive(self, call: Call) -> bool:
        numbers = array.array("i")
        data, ancillary, _, _ = call.connection.recvmsg(1 << 20, socket.CMSG_SPACE(3 * 4))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
        for number in numbers:
            os.set_inheritable(number, False)
        call.descriptors += numbers
        call.data += data
        return bool(data)

    def _consider(self, call: Call) -> None:
        if len(call.data) < 4:
            return
        size = int.from_bytes(call.data[:4], "big")
        if size > protocol.LARGEST_REQUEST:
            self._refuse(call, "the request is too large")
            return
        if len(call.data) < 4 + size:
            return
        try:
            call.request = parse(bytes(call.data[4 : 4 + size]))
        except RequestError as error:
            self._refuse(call, str(error))
            return
        reason = self._why_not() if len(call.descriptors) == 3 else "no descriptors"
        if reason:
            self._refuse(call, reason)
            return
        call.data.clear()
        call.state = State.OFFERED
        self._say(call, protocol.READY)

    def _why_not(self) -> str:
        changed = self._stamps.changed()
        if changed:
            self.retire(f"{changed} has changed")
            return f"{changed} has changed"
        if sum(call.pid > 0 for call in self._calls) >= self._limits.runs:
            return "too many runs"
        return ""

    def _obey(self, call: Call) -> None:
        """G starts the run, S and a byte are a signal for it."""
        while call.data:
            if call.data[:1] == protocol.SIGNAL:
                if len(call.data) < 2:
                    return
                number = call.data[1]
                del call.data[:2]
                if call.pid:
                    call.expected = True
                    # It may be the number of no signal.
                    with suppress(OSError):
                        os.kill(call.pid, number)
            elif call.data[:1] == protocol.GO and call.state is State.OFFERED:
                del call.data[:1]
                self._start(call)
            else:
                self._lost(call)
                return

    def _start(self, call: Call) -> None:
        assert call.request is not None  # noqa: S101 it was offered
        reading, writing = os.pipe()
        parent = os.getpid()
        # Between fork and the handlers of the run, no signal may reach those of this process.
        signal.pthread_sigmask(signal.SIG_BLOCK, protocol.FORWARDED)
        pid = os.fork()
        if pid == 0:
            try:
                kernel.end_with_parent(parent, signal.SIGKILL)
                self._leave(call)
                os.close(reading)
            except BaseException:
                os._exit(protocol.FAILED)
            child.become(call.request, call.descriptors, self._loaded, writing)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, protocol.FORWARDED)
        os.close(writing)
        self._close_descriptors(call)
        call.pid, call.refusal, call.state = pid, reading, State.RUNNING
        call.deadline = time.monotonic() + self._limits.run
        self._served += 1
        self._selector.register(reading, selectors.EVENT_READ, partial(self._begun, call))

    def _begun(self, call: Call) -> None:
        """Or it has said why it has to be a cold one, and ends."""
        call.reason = os.read(call.refusal, 4096)
        self._close_refusal(call)
        if not call.reason:
            self._say(call, protocol.BEGUN)

    def _leave(self, call: Call) -> None:
        """In the forked process: what belongs to the template only."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        self._listener.close()
        self._wake.close()
        self._woken.close()
        for other in self._calls:
            other.connection.close()
            if other.refusal >= 0:
                os.close(other.refusal)
            if other is not call:
                self._close_descriptors(other)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            # Others are orphans of runs.
            for call in list(self._calls):
                if call.pid == pid:
                    self._ended(call, status)
                    break

    def _ended(self, call: Call, status: int) -> None:
        call.pid = 0
        if call.refusal >= 0:
            self._begun(call)
        if call.reason:
            self._send_away(call, call.reason.decode(errors="replace"))
        else:
            if os.WIFSIGNALED(status) and not call.expected:
                name = signal.Signals(os.WTERMSIG(status)).name
                self._tell(call, f"the run was ended by {name}")
            if os.WIFSIGNALED(status) or call.expected:
                self._end_orphans()
            self._say(call, protocol.ENDED, str(status).encode())
        self._forget(call)
        if self._served >= self._limits.served:
            self.retire(f"{self._served} runs")
        elif _resident() - self._memory > self._limits.memory:
            self.retire("it has grown")

    def _end_orphans(self) -> None:
        """What a run that did not come to its end leaves: clients, whose runs nobody waits for, and
        forks of its own. Other programs that are now ours may be meant to go on."""
        clients = {call.caller for call in self._calls}
        runs = {call.pid for call in self._calls}
        this = family.command(os.getpid())
        for pid in family.children(os.getpid()) - runs:
            if pid in clients or family.command(pid) == this:
                family.end(pid)

    def _until_deadline(self) -> float | None:
        deadlines = [call.deadline for call in self._calls if call.pid]
        return max(0.0, min(deadlines) - time.monotonic()) if deadlines else None

    def _end_overdue(self) -> None:
        now = time.monotonic()
        for call in list(self._calls):
            if not call.pid or call.deadline > now:
                continue
            if call.overdue:
                family.end(call.pid)
                call.deadline = now + TERMINATION_GRACE
            else:
                call.overdue = call.expected = True
                call.deadline = now + TERMINATION_GRACE
                self._tell(call, f"ended after {self._limits.run:g} s, the limit for a run")
                with suppress(ProcessLookupError):
                    os.kill(call.pid, signal.SIGTERM)

    def _lost(self, call: Call) -> None:
        """The caller is gone: nobody waits for the run, and a new one may be on its way."""
        if call.pid:
            family.end(call.pid)
            with suppress(ChildProcessError):
                os.waitpid(call.pid, 0)
        self._forget(call)

    def _refuse(self, call: Call, reason: str) -> None:
        self._send_away(call, reason)
        self._forget(call)

    def _send_away(self, call: Call, reason: str) -> None:
        # Once: what keeps one run cold keeps the next one cold too.
        if reason not in self._reasons and len(self._reasons) < MOST_REASONS:
            self._reasons.add(reason)
            log("info", "Runs are cold", reason=reason)
        self._say(call, protocol.COLD, reason.encode())

    def _forget(self, call: Call) -> None:
        self._close_descriptors(call)
        self._close_refusal(call)
        self._selector.unregister(call.connection)
        call.connection.close()
        self._calls.remove(call)

    def _close_descriptors(self, call: Call) -> None:
        for number in call.descriptors:
            os.close(number)
        call.descriptors.clear()

    def _close_refusal(self, call: Call) -> None:
        if call.refusal >= 0:
            self._selector.unregister(call.refusal)
            os.close(call.refusal)
            call.refusal = -1

    def _tell(self, call: Call, reason: str) -> None:
        self._say(call, protocol.TOLD, f"warm-runner: {reason}\n".encode())

    def _say(self, call: Call, kind: bytes, text: bytes = b"") -> None:
        # The messages of a call fit its buffer; a caller that is gone is noticed by reading.
        with suppress(OSError):
            call.connection.sendall(kind + len(text).to_bytes(4, "big") + text)

    def retire(self, reason: str) -> None:
        """Take no more, end when the runs that there are have ended."""
        if self._accepting:
            self._accepting = False
            self._selector.unregister(self._listener)
            self._retire(reason)


def main() -> None:
    options = _parser().parse_args()
    kernel.end_with_parent(os.getppid(), signal.SIGTERM)
    os.set_inheritable(options.listener, False)
    os.set_inheritable(options.word, False)

    def retire(reason: str) -> None:
        os.write(options.word, reason.encode())

    limits = Limits(run=options.run_timeout, runs=options.max_runs, served=options.recycle_after)
    loaded = load(options.preload, options.reload)
    kernel.adopt_orphans()
    template = Template(socket.socket(fileno=options.listener), loaded, limits)
    gc.collect()
    # The collector would touch every object after the fork, and so copy its page.
    gc.freeze()
    template.serve(retire)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--word", type=int, required=True)
    parser.add_argument("--preload", action="append", default=[])
    parser.add_argument("--reload", action="append", default=[])
    parser.add_argument("--run-timeout", type=float, required=True)
    parser.add_argument("--max-runs", type=int, required=True)
    parser.add_argument("--recycle-after", type=int, required=True)
    return parser


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
