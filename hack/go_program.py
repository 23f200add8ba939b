"""`python -m go_program NAME`: a program that a module of hack/ pins, built on first use.

For programs that are one package of one module: the linter of workflows, Helm.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from control_plane import ControlPlaneError
from control_plane.plane import progress_to_stderr
from control_plane.programs import MODULE, Progress, build, cached

# The directory of hack/ that pins it, which is the program's name too -> the package.
PACKAGES = {
    "actionlint": "github.com/rhysd/actionlint/cmd/actionlint",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "kube-score": "github.com/zegl/kube-score/cmd/kube-score",
}


def ensure(name: str, progress: Progress) -> Path:
    """The program, built when it is missing: seconds for actionlint, two minutes for Helm."""
    pins = MODULE / name

    def make(program: Path) -> None:
        progress(f"building {name} into {program.parent} (once)")
        build(PACKAGES[name], program, progress, pins)

    return cached(name, [(pins / "go.sum").read_bytes()], make, progress)


def main() -> int:
    parser = argparse.ArgumentParser(prog="go_program", description=__doc__)
    parser.add_argument("name", choices=PACKAGES)
    try:
        print(ensure(parser.parse_args().name, progress_to_stderr))
    except ControlPlaneError as error:
        print(f"go_program: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
