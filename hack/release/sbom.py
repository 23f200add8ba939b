"""What is in a release besides our own text, by Syft: SPDX and CycloneDX.

Of the packages that image, kubectl plugin and warm runner are made with, as pinned or packed. The
base image's own are known where there is an image: the release workflow asks Syft about that one
too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import krew_manifest
import kustomize
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SYFT = Path(sys.executable).parent / "syft"
# Suffix of the file -> Syft's name of the format.
FORMATS = {"spdx.json": "spdx-json", "cdx.json": "cyclonedx-json"}
# What the Dockerfile installs. Syft knows a list of requirements by its name only.
PINNED = ("schema.txt", "router-0.4.txt")
# Folder of the sources -> the name of its wheel.
WHEELS = {"cli": "semantic_router_cli", "warm": "ansible_warm_runner"}


class SbomError(Exception):
    """Syft is missing, or did not answer."""


def write(to: Path, version: str) -> list[Path]:
    name = kustomize.released_image().rpartition("/")[2]
    made = {to / f"{name}-{version}.{suffix}": form for suffix, form in FORMATS.items()}
    with tempfile.TemporaryDirectory(prefix="sbom-") as directory:
        _lay_out(Path(directory), to)
        outputs = [f"--output={form}={file}" for file, form in made.items()]
        _syft(
            "scan",
            f"dir:{directory}",
            f"--source-name={name}",
            f"--source-version={version}",
            "--select-catalogers=+sbom-cataloger",
            *outputs,
        )
    return list(made)


def _lay_out(directory: Path, made: Path) -> None:
    for name in PINNED:
        folder = directory / "image" / Path(name).stem
        folder.mkdir(parents=True)
        shutil.copy(CHECKOUT / "requirements" / name, folder / "requirements.txt")
    (directory / "image" / "collections.cdx.json").write_text(_collections(), encoding="utf-8")
    for name in WHEELS.values():
        for wheel in made.glob(f"{name}-*.whl"):
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(directory / name)
    for archive in made.glob(f"{krew_manifest.PROGRAM}-*.tar.gz"):
        shutil.unpack_archive(archive, directory / "krew")


def _collections() -> str:
    """Those of the image, as an SBOM: Syft reads one, and knows no collection of Ansible's."""
    asked = yaml.safe_load((CHECKOUT / "requirements.yml").read_text(encoding="utf-8"))
    components = [
        {
            "type": "library",
            "name": one["name"],
            "version": one["version"],
            "purl": f"pkg:generic/{one['name']}@{one['version']}"
            "?repository_url=https://galaxy.ansible.com",
        }
        for one in asked["collections"]
    ]
    told = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    return json.dumps(told)


def _syft(*arguments: str) -> None:
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    try:
        done = subprocess.run(
            [str(SYFT), *arguments], env=environment, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise SbomError("there is no syft beside this Python: make setup") from error
    if done.returncode != 0:
        raise SbomError(f"syft {' '.join(arguments)}:\n{done.stderr.strip()}")
