"""`python -m kustomize BASE`: the manifests of config/BASE on stdout."""

from __future__ import annotations

import argparse
import sys

from control_plane import ControlPlaneError, KubectlError, programs
from control_plane.plane import progress_to_stderr

import kustomize


def main() -> int:
    parser = argparse.ArgumentParser(prog="kustomize", description=__doc__)
    parser.add_argument("base", help="a directory of config/")
    parser.add_argument("--image", default="", help="the operator's image; the released one else")
    parser.add_argument("--namespace", default="", help="instead of the base's own")
    given = parser.parse_args()
    try:
        kubectl = programs.ensure_kubectl(progress_to_stderr)
        text = kustomize.build(kubectl, given.base, image=given.image, namespace=given.namespace)
    except (ControlPlaneError, KubectlError, ValueError) as error:
        print(f"kustomize: {error}", file=sys.stderr)
        return 1
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
