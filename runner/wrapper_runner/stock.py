"""The stock ansible-operator binary: where it is, and how to become it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from wrapper_runner.environment import Environment, absolute, with_absolute_paths
from wrapper_runner.flags import OWN_FLAGS, without
from wrapper_runner.problems import StartError

VARIABLE = "ANSIBLE_OPERATOR_BIN"
PROGRAM = "ansible-operator"
# Flags whose value is a path (or a list of them), which moving to another directory would change.
_PATH_FLAGS = ("--ansible-roles-path", "--ansible-collections-path")


def find(environment: Environment) -> str | None:
    """The binary of ANSIBLE_OPERATOR_BIN, or the first on PATH."""
    named = environment.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if not found:
            raise StartError(f"{VARIABLE}={named}: there is no such program")
        return os.path.abspath(found)
    return shutil.which(PROGRAM, path=environment.get("PATH"))


def become(
    binary: str, arguments: Sequence[str], watches_file: Path, environment: Environment
) -> NoReturn:
    """Go on as ansible-operator, which looks up a relative playbook in its working directory."""
    command = [binary, "run", *command_line(arguments, watches_file)]
    prepared = with_absolute_paths(environment)
    os.chdir(watches_file.parent)
    sys.stderr.flush()
    os.execve(binary, command, prepared)  # noqa: S606 replacing this process is the point


def command_line(arguments: Sequence[str], watches_file: Path) -> list[str]:
    """For the stock binary, started in the directory of the watches file."""
    kept = without(arguments, (*OWN_FLAGS, "--watches-file"))
    return [f"--watches-file={watches_file}", *_absolute_flags(kept)]


def _absolute_flags(arguments: Sequence[str]) -> list[str]:
    result: list[str] = []
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name in _PATH_FLAGS and value:
            argument = f"{name}={absolute(value)}"
        elif result and result[-1] in _PATH_FLAGS:
            argument = absolute(argument)
        result.append(argument)
    return result
