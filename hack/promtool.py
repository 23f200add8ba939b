"""Prometheus' own tool, which runs rules on series of a test, built on first use."""

from __future__ import annotations

import subprocess
from pathlib import Path

from control_plane.modules import module_directory
from control_plane.programs import MODULE, Progress, build, cached

PINS = MODULE / "prometheus"
PROMETHEUS = "github.com/prometheus/prometheus"
# Service discoveries are half of what there is to compile, and rules need none.
TAGS = "remove_all_sd"


def check(tests: Path, progress: Progress) -> tuple[bool, str]:
    """Whether a file of `promtool test rules` passes, and what promtool says."""
    command = [str(ensure(progress)), "test", "rules", str(tests)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.returncode == 0, answer.stdout + answer.stderr


def ensure(progress: Progress) -> Path:
    """The program, built when it is missing: two minutes on two free cores."""

    def make(program: Path) -> None:
        progress(f"building promtool into {program.parent} (once; about two minutes)")
        source = module_directory(PROMETHEUS, PINS)
        build("./cmd/promtool", program, progress, source, tags=TAGS)

    return cached("promtool", [(PINS / "go.sum").read_bytes(), TAGS.encode()], make, progress)
