"""`python -m go_program NAME`: a program that a module of hack/ pins, built on first use.

`python -m go_program all` builds every one that tests run beside the control plane, so that no test
waits for a compiler while its own deadline runs.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import krew_manifest
import promtool
from control_plane import ControlPlaneError, envoy_gateway
from control_plane.plane import progress_to_stderr
from control_plane.programs import MODULE, Progress, build, cached
from olm_bundle import validator

# The directory of hack/ that pins it, which is the name too -> the package.
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


# Name -> what finds it, or builds it.
PROGRAMS: Mapping[str, Callable[[Progress], Path]] = {
    **{name: functools.partial(ensure, name) for name in PACKAGES},
    "envoy-gateway": envoy_gateway.ensure,
    "olm-validator": validator.ensure,
    "promtool": promtool.ensure,
    "validate-krew-manifest": krew_manifest.ensure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="go_program", description=__doc__)
    parser.add_argument("name", choices=["all", *PROGRAMS])
    name = parser.parse_args().name
    try:
        for each in PROGRAMS if name == "all" else (name,):
            print(PROGRAMS[each](progress_to_stderr))
    except ControlPlaneError as error:
        print(f"go_program: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
