"""A warm server of a test: started as a user starts it, with its log in a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eventually import eventually

BINARIES = Path(sys.executable).parent
# Ends when its input does, and prints the PATH that the server has given it.
CARETAKER = "import os, sys; print(os.environ['PATH'], flush=True); sys.stdin.read()"


class WarmServer:
    """`warm-runner exec` around a program that waits, which stands for the operator."""

    def __init__(self, directory: Path, *options: str, **environment: str) -> None:
        self._log = directory / "server.log"
        self.directory = directory / "server"
        self.environment = {**plain_environment(), **environment}
        command = [sys.executable, "-m", "warm_runner", "exec", f"--directory={self.directory}"]
        with self._log.open("wb") as log:
            self.owner = subprocess.Popen(
                [*command, *options, "--", sys.executable, "-c", CARETAKER],
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.owner.stdout is not None
        self.environment["PATH"] = self.owner.stdout.readline().strip()

    def __enter__(self) -> WarmServer:
        self.wait_until_warm()
        return self

    def __exit__(self, *_: object) -> None:
        self.owner.kill()
        self.owner.communicate()
        eventually(lambda: not self.keepers(), 20, "the server to end with its owner")

    @property
    def log(self) -> list[dict[str, Any]]:
        """Lines that are no entries would spoil an operator's log, and fail here."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    @property
    def cold_reasons(self) -> list[str]:
        return [entry["reason"] for entry in self.log if entry["msg"] == "Runs are cold"]

    def keepers(self) -> list[int]:
        return processes(f"--directory={self.directory}")

    def template(self) -> int:
        """The process that forks; while one replaces another there is not the one."""
        keepers = self.keepers()
        # Before it becomes a template, a new process looks like the keeper.
        assert len(keepers) == 1, keepers
        found = [pid for pid in children(keepers[0]) if "warm_runner.template" in command(pid)]
        assert len(found) == 1, found
        return found[0]

    def wait_until_warm(self) -> None:
        """A run before would be no harm, only slow."""

        def serves() -> bool:
            done = run(["ansible-playbook", "--version"], self.environment, self.directory)
            assert done.returncode == 0, done.stderr
            return "VmSize" in Path(f"/proc/{self.template()}/status").read_text()

        eventually(serves, 60, "the server to have loaded Ansible")


def plain_environment() -> dict[str, str]:
    """What the tests were started with, but for what steers Ansible or Python or names the test."""
    steering = ("ANSIBLE_", "PYTEST_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return {**kept, "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}"}


def run(
    arguments: list[str], environment: Mapping[str, str], directory: Path, timeout: float = 60
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments,
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def processes(words: str) -> list[int]:
    """Those with these words in their command line."""
    return [pid for pid in _pids() if words in command(pid) and state(pid) != "Z"]


def children(parent: int) -> list[int]:
    return [pid for pid in _pids() if _stat(pid)[1:2] == [str(parent)]]


def state(pid: int) -> str:
    return (_stat(pid) or [""])[0]


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdecimal()]
