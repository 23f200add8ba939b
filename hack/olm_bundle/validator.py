"""The validators of hack/olm-validator, which are those of OLM's own tools, built on first use."""

from __future__ import annotations

import subprocess
from pathlib import Path

from control_plane.programs import MODULE, Progress, build, cached

SOURCE = MODULE / "olm-validator"


def validate(bundle: Path, progress: Progress) -> tuple[bool, list[str]]:
    """Whether the bundle in a directory passes, and every warning and error."""
    answer = subprocess.run(
        [str(ensure(progress)), str(bundle)], capture_output=True, text=True, check=False
    )
    return answer.returncode == 0, (answer.stdout + answer.stderr).splitlines()


def ensure(progress: Progress) -> Path:
    """The program, built when it is missing: a minute on two free cores."""
    parts = [(SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum")]

    def make(program: Path) -> None:
        progress(f"building OLM's validators into {program.parent} (once; about a minute)")
        build(".", program, progress, SOURCE)

    return cached("olm-validator", parts, make, progress)
