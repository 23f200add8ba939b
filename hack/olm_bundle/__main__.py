"""`python -m olm_bundle`: writes what is packaged from config/ into the checkout."""

from __future__ import annotations

import argparse
import shutil
import sys

from control_plane import ControlPlaneError, KubectlError, programs
from control_plane.plane import progress_to_stderr

from olm_bundle.sources import CHECKOUT, packaged


def main() -> int:
    parser = argparse.ArgumentParser(prog="olm_bundle", description=__doc__)
    parser.add_argument("--image", default="", help="the operator's image; the released one else")
    given = parser.parse_args()
    try:
        files = packaged(programs.ensure_kubectl(progress_to_stderr), given.image)
    except (ControlPlaneError, KubectlError, ValueError) as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(CHECKOUT / "bundle", ignore_errors=True)
    for path, text in files.items():
        file = CHECKOUT / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
