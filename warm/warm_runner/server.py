"""Starts a warm server: for `warm-runner exec`, and for programs that use this package."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from warm_runner import client_scripts

BACKLOG = 512


class ServerError(Exception):
    """The server cannot be started here; runs can still be cold."""


@dataclass(frozen=True)
class Options:
    """preload: modules that runs import anyway. reload: those of them that read variables at
    import and may be executed again where these differ. run_timeout: in seconds."""

    preload: Sequence[str] = ()
    reload: Sequence[str] = ()
    run_timeout: float = 600.0
    max_runs: int = 64
    recycle_after: int = 5000

    def arguments(self) -> list[str]:
        return [
            *(f"--preload={name}" for name in self.preload),
            *(f"--reload={name}" for name in self.reload),
            f"--run-timeout={self.run_timeout}",
            f"--max-runs={self.max_runs}",
            f"--recycle-after={self.recycle_after}",
        ]


class Server:
    """A running server; it ends with this process, or with the program that this becomes."""

    def __init__(self, process: subprocess.Popen[bytes], binaries: Path) -> None:
        self._process = process
        self.binaries = binaries

    @property
    def pid(self) -> int:
        return self._process.pid

    def first_on(self, path: str) -> str:
        """A PATH on which the warm programs are found first."""
        return os.pathsep.join((str(self.binaries), path))

    def stop(self) -> None:
        """End it, with every run that it serves."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def start(directory: Path, options: Options, environment: Mapping[str, str]) -> Server:
    """A server whose socket and programs are in `directory`, which it makes and later removes.

    Must be called by the main thread: the server ends with the thread that has started it. Nothing
    is waited for: until all is loaded, programs wait a few seconds, then run cold.
    """
    address, binaries = directory / "socket", directory / "bin"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
        client_scripts.write(binaries, address)
        listener = _listen(address)
    except (OSError, client_scripts.ScriptError) as error:
        raise ServerError(f"{directory}: {error}") from error
    command = [sys.executable, "-P", "-m", "warm_runner.keeper", f"--owner={os.getpid()}"]
    command += [f"--listener={listener.fileno()}", f"--directory={directory}", "--"]
    with listener:
        process = subprocess.Popen(
            command + options.arguments(),
            env=dict(environment),
            pass_fds=(listener.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            # A Ctrl-C in the terminal is for the operator.
            start_new_session=True,
        )
    return Server(process, binaries)


def _listen(address: Path) -> socket.socket:
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Through a descriptor: an address has room for some hundred bytes only.
    directory = os.open(address.parent, os.O_PATH | os.O_DIRECTORY)
    previous = os.umask(0o177)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{address.name}")
    finally:
        os.umask(previous)
        os.close(directory)
    listener.listen(BACKLOG)
    return listener
