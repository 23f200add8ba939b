"""The small process that keeps a template running, and replaces it: `python -m warm_runner.keeper`.

It holds the listening socket, so that clients find it open whatever happens to a template, and it
ends with the process that started it, even if that has become another program (by exec) meanwhile.
"""

from __future__ import annotations

import argparse
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from warm_runner import family, kernel
from warm_runner.log import log

SHORT_LIFE = 10.0
LONGEST_PAUSE = 60.0
END_GRACE = 5.0
ORPHANS_QUIET = 0.2


@dataclass
class _Template:
    process: subprocess.Popen[bytes]
    # It says here why it takes no more requests.
    word: int
    started: float


class Keeper:
    def __init__(self, listener: socket.socket, command: Sequence[str]) -> None:
        self._listener = listener
        self._command = list(command)
        self._serving: _Template | None = None
        self._retired: list[_Template] = []
        self._selector = selectors.DefaultSelector()
        self._pause = 0.0
        self._next = 0.0
        self._stopped = False
        self._wake, self._woken = socket.socketpair()

    def run(self) -> None:
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._listener.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ)
        while not self._stopped:
            self._start_if_due()
            for key, _ in self._selector.select(self._timeout()):
                if key.fileobj is self._woken:
                    self._woken.recv(4096)
                elif key.fileobj is self._listener:
                    self._turn_away()
                elif self._serving and key.fd == self._serving.word:
                    self._heard()
            self._reap()
        self._end_all()

    def _stop(self, *_: object) -> None:
        self._stopped = True

    def _timeout(self) -> float | None:
        return None if self._serving else max(0.0, self._next - time.monotonic())

    def _start_if_due(self) -> None:
        if self._serving or time.monotonic() < self._next:
            return
        with suppress(KeyError):
            self._selector.unregister(self._listener)
        reading, writing = os.pipe()
        listener = self._listener.fileno()
        process = subprocess.Popen(
            [*self._command, f"--listener={listener}", f"--word={writing}"],
            pass_fds=(listener, writing),
            stdin=subprocess.DEVNULL,
        )
        os.close(writing)
        self._serving = _Template(process, reading, time.monotonic())
        self._selector.register(reading, selectors.EVENT_READ)

    def _heard(self) -> None:
        """A template retires, or it has ended without a word and is reaped soon."""
        assert self._serving is not None  # noqa: S101 it is the one that was heard
        word = os.read(self._serving.word, 4096)
        self._selector.unregister(self._serving.word)
        if word:
            log("info", "Replacing the warm process", reason=word.decode(errors="replace"))
            self._retired.append(self._serving)
            self._serving = None

    def _reap(self) -> None:
        for template in [*self._retired, *([self._serving] if self._serving else [])]:
            if template.process.poll() is not None:
                os.close(template.word)
                if template is self._serving:
                    self._died(template)
                else:
                    self._retired.remove(template)
        # Orphans of the runs of templates that are gone.
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        # Each by its number: waitid(2) for any would be told of a template's end again and again.
        for orphan in self._orphans():
            with suppress(ChildProcessError):
                os.waitpid(orphan, os.WNOHANG)

    def _orphans(self) -> set[int]:
        templates = {template.process.pid for template in self._retired}
        if self._serving:
            templates.add(self._serving.process.pid)
        return family.children(os.getpid()) - templates

    def _died(self, template: _Template) -> None:
        with suppress(KeyError):
            self._selector.unregister(template.word)
        self._serving = None
        self._end_orphans()
        if time.monotonic() - template.started > SHORT_LIFE:
            self._pause = 0.0
        else:
            self._pause = min(max(1.0, 2 * self._pause), LONGEST_PAUSE)
        self._next = time.monotonic() + self._pause
        # Until there is another: who waits here would wait in vain.
        if self._pause:
            self._selector.register(self._listener, selectors.EVENT_READ)
        log(
            "error",
            "The warm process has ended; runs are cold until there is another",
            status=template.process.returncode,
            retry_in=f"{self._pause:g}s",
        )

    def _end_orphans(self) -> None:
        """What the runs of a crashed template leave comes to us, as their parents end."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < ORPHANS_QUIET:
            for orphan in self._orphans():
                family.end(orphan)
                quiet_since = time.monotonic()
            self._reap_orphans()
            time.sleep(ORPHANS_QUIET / 10)

    def _turn_away(self) -> None:
        with suppress(OSError):
            self._listener.accept()[0].close()

    def _end_all(self) -> None:
        templates = [*self._retired, *([self._serving] if self._serving else [])]
        for template in templates:
            template.process.terminate()
        deadline = time.monotonic() + END_GRACE
        for template in templates:
            try:
                template.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                template.process.kill()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--owner", type=int, required=True)
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("arguments", nargs="*")
    options = parser.parse_args()
    os.umask(0o077)
    try:
        kernel.end_with_parent(options.owner, signal.SIGTERM)
        kernel.adopt_orphans()
        listener = socket.socket(fileno=options.listener)
        command = [sys.executable, "-P", "-m", "warm_runner.template", *options.arguments]
        Keeper(listener, command).run()
    finally:
        shutil.rmtree(options.directory, ignore_errors=True)


if __name__ == "__main__":
    main()
