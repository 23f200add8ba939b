"""`python -m kustomize BASE`: the manifests of config/BASE on stdout."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from control_plane import ControlPlaneError, KubectlError

import kustomize


def main() -> int:
    parser = argparse.ArgumentParser(prog="kustomize", description=__doc__)
    parser.add_argument("base", help="a directory of config/")
    parser.add_argument("--kubectl", required=True, help="the program, on PATH or by its path")
    parser.add_argument("--image", default="", help="the operator's image; the released one else")
    parser.add_argument("--namespace", default="", help="instead of the base's own")
    given = parser.parse_args()
    try:
        kubectl = find(given.kubectl)
        text = kustomize.build(kubectl, given.base, image=given.image, namespace=given.namespace)
    except (ControlPlaneError, KubectlError, ValueError) as error:
        print(f"kustomize: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0


def find(kubectl: str) -> Path:
    found = shutil.which(kubectl)
    if not found:
        raise ValueError(f"there is no program {kubectl!r}")
    return Path(found)


if __name__ == "__main__":
    sys.exit(main())
