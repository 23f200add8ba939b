"""The validators of hack/olm-validator, which are those of OLM's own tools, built on first use."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from control_plane.programs import (
    BUILD_FLAGS,
    MODULE,
    Progress,
    cache_root,
    file_lock,
    go_version,
    run_build,
)

SOURCE = MODULE / "olm-validator"


def validate(bundle: Path, progress: Progress) -> tuple[bool, list[str]]:
    """Whether the bundle in a directory passes, and every warning and error."""
    answer = subprocess.run(
        [str(ensure(progress)), str(bundle)], capture_output=True, text=True, check=False
    )
    return answer.returncode == 0, (answer.stdout + answer.stderr).splitlines()


def ensure(progress: Progress) -> Path:
    """The program, built when it is missing: a minute on two free cores."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    for text in (*BUILD_FLAGS, go_version()):
        digest.update(text.encode())
    cache = cache_root() / "olm-validator" / digest.hexdigest()[:16]
    program = cache / "olm-validator"
    if program.is_file():
        return program
    cache.mkdir(parents=True, exist_ok=True)
    with file_lock(cache / ".lock", lambda: progress("another build is under way: waiting")):
        if not program.is_file():
            progress(f"building OLM's validators into {cache} (once; about a minute)")
            unfinished = cache / f".olm-validator.{os.getpid()}"
            command = ["go", "build", "-v", *BUILD_FLAGS, "-ldflags", "-s -w"]
            try:
                run_build([*command, "-o", str(unfinished), "."], progress, SOURCE)
                unfinished.rename(program)
            finally:
                unfinished.unlink(missing_ok=True)
    return program
