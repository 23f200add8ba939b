"""`python -m benchmarks`: measures, prints a table, writes rows as JSON and a plot."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from control_plane import ControlPlane
from rich.console import Console

from benchmarks import bars, conventional, report, rows, subjects
from benchmarks.cases import FULL, OURS, QUICK, Bench
from benchmarks.routers import ROOT
from benchmarks.rows import SUBJECTS, Row
from benchmarks.subjects import USER, Site

CRDS = [*ROOT.glob("config/crd/bases/*.yaml"), *ROOT.glob("tests/crds/*.yaml")]


def main() -> int:
    options = _options()
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.0f} s[/]  {text}", highlight=False)

    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        with ControlPlane.start(directory / "plane", crds=CRDS, progress=say) as plane:
            measured = _measure(Bench.of(_site(plane, directory), options.size, say), options.only)
    judged = bars.judge(measured)
    rows.write(options.output, _machine(), measured, judged)
    report.plot(measured, options.output.with_suffix(".svg"))
    report.table(measured, judged, Console())
    say(f"rows in {options.output}, plot beside it")
    return 0


def _measure(bench: Bench, only: Sequence[str]) -> list[Row]:
    found: list[Row] = []
    conventional.write_templates(bench.site.templates)
    with subjects.singles(bench.site) as singles:
        for subject in singles:
            if subject.name in only:
                found += bench.singles(subject)
                if subject.name in OURS:
                    found += bench.many(subject)
    operators = [command for command in subjects.operators(bench.site) if command.name in only]
    found += bench.operators(operators)
    return rows.joined(found)


def _site(plane: ControlPlane, directory: Path) -> Site:
    # As administrator: what RBAC costs is no part of this, and a peer has rights of its own.
    return Site(plane, directory, plane.kubeconfig_for(USER, ["system:masters"]))


def _machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[0],
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument(
        "--quick",
        dest="size",
        action="store_const",
        const=QUICK,
        default=FULL,
        help="one run of each, few routers: shows that it works, not how fast",
    )
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=list(SUBJECTS),
        help="subjects, with commas between them (default: all)",
    )
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench.json")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
