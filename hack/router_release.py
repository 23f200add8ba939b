"""The commands of a router's release, vllm-sr, run in an environment that has it installed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

# What judges a file.
VALIDATE = {
    "0.3": ("validate", "--config"),
    "0.4": ("config", "validate", "--config"),
    "0.5": ("config", "validate", "--config"),
}
# Argument lists in, exit codes and output back: one process for all, as starting takes longest.
_RUN_COMMANDS = """
import json, sys
from click.testing import CliRunner
from cli.main import main
for arguments in json.load(sys.stdin):
    result = CliRunner().invoke(main, arguments)
    print("RESULT", json.dumps([result.exit_code, result.output or repr(result.exception)]))
"""
_TIMEOUT_SECONDS = 300

Result = tuple[int, str]


def validate(python: Path, contract: str, files: Iterable[Path]) -> list[Result]:
    """What the release of a contract says of each file: exit code and output."""
    return commands(python, [[*VALIDATE[contract], str(file)] for file in files])


def commands(python: Path, wanted: Sequence[Sequence[str]]) -> list[Result]:
    """Exit code and output of each."""
    return [(code, output) for code, output in printed(python, _RUN_COMMANDS, wanted)]


def printed(python: Path, code: str, given: Any = None) -> list[Any]:
    """What this code prints after RESULT with that Python, given JSON on its standard input."""
    run = subprocess.run(
        [python, "-c", code],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_SECONDS,
    )
    lines = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    if given and not lines:
        raise RuntimeError(run.stdout + run.stderr)
    return [json.loads(line.removeprefix("RESULT ")) for line in lines]
