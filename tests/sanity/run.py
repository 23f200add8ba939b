"""`.venv/bin/python tests/sanity/run.py`: ansible-test sanity, with .venv's ansible-core.

ansible-test wants a real directory .../ansible_collections/vllm/semantic_router in a tree of
collections, so it gets a copy under build/sanity, and what it installs stays there too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
# One for each environment, so that two can be at it at the same time.
ROOT = CHECKOUT / "build" / "sanity" / Path(sys.prefix).name
HOME = ROOT / "home"
COLLECTIONS = ROOT / "ansible_collections"
COPY = COLLECTIONS / "vllm" / "semantic_router"

# What reaches users, and what ansible-test reads itself.
PARTS = ("changelogs", "galaxy.yml", "meta", "playbooks", "plugins", "roles", "tests")
# The get-pip.py that ansible-test of both ansible-cores looks for before it downloads it.
GET_PIP = HOME / ".ansible" / "test" / "cache" / "get_pip_24_2.py"

PYTHON = f"--python={sys.version_info.major}.{sys.version_info.minor}"
RUNS = (
    # ruff and yamllint check the same with the settings of this project.
    ("--skip-test=pep8", "--skip-test=pylint", "--skip-test=yamllint", "--skip-test=import"),
    # On modules alone, since they alone may run where the kubernetes client is missing: what
    # actions and filters import, the unit tests import too.
    ("--test=import", "plugins/modules/"),
)


def lay_out() -> None:
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    for name in tracked():
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)
    # It asks git for the files of a collection, and the surrounding checkout ignores build/.
    subprocess.run(["git", "init", "--quiet", str(COPY)], check=True)
    installed = Path(sysconfig.get_path("purelib")) / "ansible_collections" / "kubernetes"
    (COLLECTIONS / "kubernetes").symlink_to(installed)
    GET_PIP.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(Path(__file__).with_name("get_pip.py"), GET_PIP)


def tracked() -> list[str]:
    """What git knows or would know, so that a new file is checked before it is committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *PARTS]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    names = sorted(set(listed.stdout.rstrip("\0").split("\0")))
    return [name for name in names if (CHECKOUT / name).is_file()]


def main() -> int:
    lay_out()
    program = Path(sys.executable).with_name("ansible-test")
    environment = {
        **os.environ,
        "HOME": str(HOME),
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
    }
    codes = [
        subprocess.run(
            [program, "sanity", PYTHON, *arguments], cwd=COPY, env=environment
        ).returncode
        for arguments in RUNS
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
