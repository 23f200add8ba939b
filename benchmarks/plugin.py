"""`python -m benchmarks.plugin`: how big the kubectl plugin is, and how long its commands take.

It goes to the cluster of KUBECONFIG, `make demo`'s say, and puts the wheel into an environment of
its own. Processor time is told beside the clock's: on a busy machine only that says anything.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
RUNS = 15
COMMANDS = (("--version",), ("status",), ("status", "-A"), ("doctor",))
# What a start brings in, each alone in a Python of its own.
IMPORTS = ("yaml", "typer", "rich.console", "urllib3")


def installed(directory: Path) -> tuple[Path, int]:
    """(an environment with the wheel and what it asks for, the wheel's size)."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", directory, CHECKOUT / "cli"], check=True)
    (wheel,) = directory.glob("*.whl")
    root = directory / "environment"
    venv.create(root)
    subprocess.run([*pip, f"--python={root}", "install", wheel], check=True)
    return root, wheel.stat().st_size


def took(command: Sequence[str | Path]) -> tuple[float, float]:
    """Milliseconds of the clock, and of the processor: (median, least)."""
    clock, processor = [], []
    for _ in range(RUNS):
        before, began = _processor(), time.monotonic()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        clock.append(time.monotonic() - began)
        processor.append(_processor() - before)
    return 1000 * statistics.median(clock), 1000 * min(processor)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory(prefix="plugin-") as directory:
        root, size = installed(Path(directory))
        files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
        total = sum(path.stat().st_size for path in files)
        print(f"wheel {size / 1e6:.2f} MB, installed with all it asks for {total / 1e6:.0f} MB")
        print(f"{'':28}  clock, median  processor, least   ({RUNS} runs)")
        rows = {
            f"kubectl sr {' '.join(words)}": (root / "bin/kubectl-sr", *words) for words in COMMANDS
        }
        for name, command in rows.items():
            _print(name, command)
        for module in ("sys", *IMPORTS):
            _print(f"import {module}", (root / "bin/python", "-c", f"import {module}"))


def _print(name: str, command: Sequence[str | Path]) -> None:
    clock, processor = took(command)
    print(f"{name:28} {clock:11.0f} ms {processor:14.0f} ms", flush=True)


if __name__ == "__main__":
    main()
