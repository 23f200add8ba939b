"""What the stock ansible-operator needs beside its binary, where it does not run in its image."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
BINARY = "ANSIBLE_OPERATOR_BIN"


def environment(given: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables with which the wrapper runner starts it; {} when none is named."""
    if not given.get(BINARY):
        return {}
    return {BINARY: given[BINARY], "PYTHONPATH": str(event_plugin())}


@functools.cache
def event_plugin() -> Path:
    """By which ansible-runner tells the stock engine of tasks, for PYTHONPATH.

    It is part of that engine's image; without it the engine waits for a run's end in vain.
    """
    directory = CHECKOUT / "build" / "stock"
    requirements = CHECKOUT / "requirements" / "stock.txt"
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--upgrade", "--target", str(directory)),
            *("--requirement", str(requirements)),
        ],
        check=True,
        timeout=300,
    )
    return directory
