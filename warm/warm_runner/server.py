"""Starts a warm server, which is a keeper and its template.

For `warm-runner exec`, and for programs that use this package.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from warm_runner import client_scripts, run

BACKLOG = 512
# Twice what the keeper gives its templates.
END_PATIENCE = 10.0


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

    def __init__(self, keeper: subprocess.Popen[bytes], address: Path, binaries: Path) -> None:
        self._keeper = keeper
        self._address = address
        self.binaries = binaries

    @property
    def pid(self) -> int:
        return self._keeper.pid

    def first_on(self, path: str) -> str:
        """A PATH on which the warm programs are found first."""
        return os.pathsep.join((str(self.binaries), path))

    def hand_over(
        self,
        program: str,
        arguments: Sequence[str],
        directory: str | os.PathLike[str],
        environment: Mapping[str, str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> run.Run:
        """Do what `program`, which is run.RUNNER or run.PLAYBOOK, would do with these arguments,
        which do not begin with its name. Where PATH in `environment` comes from `first_on`, the
        playbook inside a run of ansible-runner is warm too.

        Raises run.ColdRun, with the reason, where it has to be a cold run: the caller then starts
        the program itself. May be called by any thread; it takes as long as the run takes to begin,
        and some seconds while the server is starting. The descriptors stay the caller's.
        """
        streams = (stdin, stdout, stderr)
        place = self._address, self.binaries
        return run.hand_over(*place, program, arguments, directory, environment, streams)

    def stop(self) -> None:
        """End it, with every run that it serves."""
        self._keeper.terminate()
        try:
            self._keeper.wait(END_PATIENCE)
        except subprocess.TimeoutExpired:
            # What it has started ends with it, by prctl(2).
            self._keeper.kill()
            self._keeper.wait()


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
        keeper = subprocess.Popen(
            command + options.arguments(),
            env=dict(environment),
            pass_fds=(listener.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            # A Ctrl-C in the terminal is for the operator.
            start_new_session=True,
        )
    return Server(keeper, address, binaries)


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
