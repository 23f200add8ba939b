"""The operator's image without a container engine: the Dockerfile's lines, in a directory.

What the base image brings (ansible-core, ansible-runner, the kubernetes client) is this Python
environment's, its `ansible` package stands in for Galaxy. What else is said of the base image is in
images/ansible-operator/Dockerfile of operator-framework/ansible-operator-plugins v1.42.3.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PREFIX = "/opt/semantic-router-operator"
BASE = "quay.io/operator-framework/ansible-operator:v1.42.3"
# What RUN finds on PATH there, as far as it is used: ubi-minimal's, Python and Ansible. No pip.
PROGRAMS = ("ansible-galaxy", "chmod", "python3", "sh")
# The checkout is linked into this Python's site-packages, and must not be taken for the collection.
ONLY_THE_IMAGE = {
    "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    "PATH": f"{BIN}:{os.environ['PATH']}",
}


class ImageError(Exception):
    """The Dockerfile has a line that cannot be carried out here."""


def build(root: Path) -> Image:
    """In `root`, which stands for the image's PREFIX. Its collection is that of the checkout."""
    made = ["make", "--silent", "build"]
    subprocess.run(made, cwd=CHECKOUT, check=True, capture_output=True)
    with tempfile.TemporaryDirectory(prefix="programs-") as programs:
        image = Image(root, _programs(Path(programs)))
        image.build(CHECKOUT / "Dockerfile")
        shutil.rmtree(image.stages)
    root.chmod(0o755)
    return image


class Image:
    """What the Dockerfile makes, with PREFIX elsewhere; `_copy` and `_run` are its lines."""

    def __init__(self, root: Path, programs: Path) -> None:
        self.root = self._final = root
        self.programs = programs
        # Stages before the last one, each in a directory of its own beside the image's.
        self.stages = root.with_name(f"{root.name}.stages")
        self.environment: dict[str, str] = {}
        self.entrypoint: list[str] = []
        self.user = ""
        self.directory = ""

    def build(self, dockerfile: Path) -> None:
        text = re.sub(r"^\s*#.*\n", "", dockerfile.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for line in text.replace("\\\n", " ").splitlines():
            instruction, _, rest = line.strip().partition(" ")
            if instruction:
                getattr(self, f"_{instruction.lower()}")(rest.strip())

    @property
    def config(self) -> dict[str, Any]:
        """As the image has it, with PREFIX where it is there."""
        return {
            "User": self.user,
            "WorkingDir": self.directory,
            "Entrypoint": [self._there(argument) for argument in self.entrypoint],
            "Env": [f"{name}={self._there(value)}" for name, value in self.environment.items()],
        }

    def here(self, text: str) -> str:
        return text.replace(PREFIX, str(self.root))

    def _there(self, text: str) -> str:
        return text.replace(str(self.root), PREFIX)

    def _from(self, arguments: str) -> None:
        image, _, stage = arguments.partition(" AS ")
        self.root = self.stages / stage if stage else self._final
        self.root.mkdir(parents=True, exist_ok=True)
        if image != BASE:
            raise ImageError(
                f"The base image is {image} now: look what it brings, and name it here"
            )

    def _label(self, _: str) -> None:
        pass

    def _env(self, pairs: str) -> None:
        for pair in shlex.split(pairs):
            name, _, value = pair.partition("=")
            self.environment[name] = self.here(value)

    def _user(self, user: str) -> None:
        self.user = user

    def _workdir(self, directory: str) -> None:
        if not Path(self.here(directory)).is_dir():
            raise ImageError(f"WORKDIR {directory}: there is no such directory")
        self.directory = directory

    def _copy(self, arguments: str) -> None:
        if arguments.startswith("--from="):
            self._copy_from_a_stage(*shlex.split(arguments.removeprefix("--from=")))
            return
        *sources, target = shlex.split(arguments)
        destination = Path(self.here(target))
        for source in (CHECKOUT / name for name in sources):
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, destination, dirs_exist_ok=True, ignore=ignore)
                copied = [destination, *destination.rglob("*")]
            else:
                destination.mkdir(parents=True, exist_ok=True)
                copied = [Path(shutil.copy(source, destination))]
            # As from the checkout of somebody with an umask of 077.
            for path in copied:
                path.chmod(path.stat().st_mode & ~0o077)

    def _copy_from_a_stage(self, stage: str, source: str, target: str) -> None:
        there = Path(source.replace(PREFIX, str(self.stages / stage)))
        shutil.copytree(there, self.here(target), dirs_exist_ok=True, symlinks=True)

    def _run(self, command: str) -> None:
        if "--requirements-file" in command:
            self._from_the_ansible_package()
            return
        if "-m pip" in command:
            raise ImageError(f"The base image has no pip: {command}")
        done = subprocess.run(
            ["sh", "-c", self.here(command)],
            env={
                **os.environ,
                **self.environment,
                **ONLY_THE_IMAGE,
                "PATH": str(self.programs),
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode != 0:
            raise ImageError(f"RUN {command}: {done.stdout}{done.stderr}")

    def _from_the_ansible_package(self) -> None:
        wanted = yaml.safe_load((self.root / "build" / "requirements.yml").read_text())[
            "collections"
        ]
        for name in (collection["name"] for collection in wanted):
            part = Path("ansible_collections", *name.split("."))
            there = Path(sysconfig.get_path("purelib")) / part
            shutil.copytree(there, self.root / "collections" / part)

    def _entrypoint(self, arguments: str) -> None:
        self.entrypoint = json.loads(self.here(arguments))


def _programs(directory: Path) -> Path:
    """The directory for PATH with what the base image has."""
    for name in PROGRAMS:
        found = shutil.which(name, path=ONLY_THE_IMAGE["PATH"])
        if not found:
            raise ImageError(f"There is no {name} on PATH")
        # No link: a Python that is started by one has other packages.
        (directory / name).write_text(f'#!/bin/sh\nexec {shlex.quote(found)} "$@"\n')
        (directory / name).chmod(0o755)
    return directory
