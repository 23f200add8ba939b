"""A run as the warm runner hands it over: here a program that is executed for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from wrapper_runner.handed import Command


class Executed:
    explanation = ""

    def __init__(self, command: Command, *program: str | Path) -> None:
        self.command = command
        self.ends = 0
        self._process = subprocess.Popen(
            [*program, *command.arguments],
            cwd=command.directory,
            env=command.environment,
            stdin=command.stdin,
            stdout=command.output,
            stderr=command.output,
        )

    def wait(self) -> int:
        return self._process.wait()

    def end(self) -> None:
        self.ends += 1
        self._process.kill()
        self._process.wait()
