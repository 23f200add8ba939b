"""Go modules that are not only compiled: their files, at the versions that a go.mod pins."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from control_plane.errors import ControlPlaneError


def module_directory(module: str, pins: Path) -> Path:
    """A pinned module's files, downloaded when they are not there yet and held against go.sum."""
    answer = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=pins,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        said = f"{answer.stdout.strip()} {answer.stderr.strip()}".strip()
        raise ControlPlaneError(f"`go mod download {module}` failed in {pins}: {said}")
    return Path(json.loads(answer.stdout)["Dir"])
