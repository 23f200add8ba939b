"""Runs kubectl, strictly: what it refuses is an exception that shows its words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path


class KubectlError(Exception):
    """kubectl ended with an error; `stderr` is what it said."""

    def __init__(self, arguments: tuple[str, ...], returncode: int, stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)} exited {returncode}:\n{stderr.strip()}")
        self.returncode = returncode
        self.stderr = stderr


class Kubectl:
    """`kubectl("get", "pods", "-n", namespace)` returns what kubectl printed."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self._env = {**os.environ, **env}

    def __call__(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 60
    ) -> str:
        answer = self.run(*arguments, stdin=stdin, timeout=timeout)
        if check and answer.returncode != 0:
            raise KubectlError(arguments, answer.returncode, answer.stderr)
        return answer.stdout

    def run(
        self, *arguments: str, stdin: str | None = None, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """The same without judgement, for who wants the exit code or the warnings on stderr."""
        return subprocess.run(
            [str(self.path), *arguments],
            # An empty string, not the terminal: kubectl must never wait for a keyboard.
            input=stdin if stdin is not None else "",
            env=self._env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
