"""One running program of the plane, known by its pid and never confused with anybody else's.

A pid in a file may have been given to another process since. What is ours is recognised by its
command line, which always names the plane's state directory.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from control_plane.errors import ControlPlaneError

STOP_DEADLINE = 10.0
POLL_INTERVAL = 0.02


@dataclass
class Process:
    """A program of the plane at `run/<name>.pid`, with its output in `logs/<name>.log`."""

    name: str
    pid: int
    root: Path
    child: subprocess.Popen[bytes] | None = None
    command: Sequence[str] = ()

    @classmethod
    def start(cls, name: str, command: Sequence[str], root: Path, *, detached: bool) -> Process:
        if str(root) not in " ".join(command):
            raise ValueError(f"{name}: its command line does not name {root}, nobody could stop it")
        with (root / "logs" / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [*([] if detached else _die_with_parent()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Out of the terminal's reach: Ctrl-C is for us, and we stop things in order.
                start_new_session=True,
            )
        (root / "run" / f"{name}.pid").write_text(f"{child.pid}\n")
        return cls(name, child.pid, root, child, command)

    @classmethod
    def recorded(cls, root: Path) -> list[Process]:
        """What an earlier process started in `root`, whether it is still alive or not."""
        return [
            cls(file.stem, int(file.read_text()), root)
            for file in sorted((root / "run").glob("*.pid"), key=lambda f: f.stat().st_mtime_ns)
        ]

    @property
    def alive(self) -> bool:
        if self.child is not None:
            return self.child.poll() is None
        return str(self.root) in _command_line(self.pid)

    def stop(self) -> None:
        self.terminate()
        self.wait_stopped()

    def terminate(self) -> None:
        if self.alive:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """By KILL: as when it is out of memory."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        self.wait_stopped()

    def wait_stopped(self) -> None:
        if not self._gone_within(STOP_DEADLINE):
            os.kill(self.pid, signal.SIGKILL)
            if not self._gone_within(STOP_DEADLINE):
                raise ControlPlaneError(f"{self.name} (pid {self.pid}) does not end")
        (self.root / "run" / f"{self.name}.pid").unlink(missing_ok=True)

    def log_tail(self, lines: int = 15) -> str:
        log = self.root / "logs" / f"{self.name}.log"
        text = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
        return "\n".join([f"--- last lines of {log}", *text])

    def said(self, words: str) -> bool:
        log = self.root / "logs" / f"{self.name}.log"
        return log.exists() and words in log.read_text(errors="replace")

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_INTERVAL)
        return True


def _die_with_parent() -> list[str]:
    """Has Linux end the program with the thread that started it: a killed pytest leaves none.

    By KILL: an API server that is asked politely waits for its store, which is ending as well.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _command_line(pid: int) -> str:
    """Empty when there is no such process; also for a zombie, which nobody needs to stop."""
    if Path("/proc/self/cmdline").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""
    answer = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout
