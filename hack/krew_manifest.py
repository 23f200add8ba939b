"""`python -m krew_manifest`: what krew installs the kubectl plugin from, into dist/.

An archive with the wheel, all it asks for and a launcher, the same for every platform that has
Python; and the manifest that names it. krew asks for an address and a digest, so both are made when
a release is.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import yaml
from control_plane.errors import ControlPlaneError
from control_plane.programs import MODULE, Progress, build, cached

CHECKOUT = Path(__file__).resolve().parents[1]
NAME = "semantic-router"
# kubectl takes dashes of a command for those of its file's name, which has underscores then.
PROGRAM = "kubectl-semantic_router"
MANIFEST = f"{NAME}.yaml"
PINS = MODULE / "krew"
VALIDATOR = "sigs.k8s.io/krew/cmd/validate-krew-manifest"

LAUNCHER = """\
#!/usr/bin/env python3
import os
import sys

if sys.version_info < (3, 11):
    sys.exit("kubectl semantic-router needs Python 3.11 or newer as python3 on PATH")
# krew calls it by a link.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "lib"))
from semantic_router_cli.entry import main

main()
"""


def archive(target: Path) -> None:
    """The same bytes for the same wheel and libraries."""
    with tempfile.TemporaryDirectory(prefix="krew-") as directory:
        lib = Path(directory, "lib")
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
            "--no-warn-conflicts",
        ]
        # In the versions that the tests run.
        pins = (f"--constraint={CHECKOUT}/requirements/{name}.txt" for name in ("test", "runtime"))
        command = [*pip, *pins, "--no-compile", "--target", str(lib), str(CHECKOUT / "cli")]
        subprocess.run(command, check=True)
        shutil.rmtree(lib / "bin", ignore_errors=True)
        # PyYAML does without what is compiled for one platform.
        for compiled in lib.rglob("*.so"):
            compiled.unlink()
        # Where it was built, and with which installer, is nobody's business.
        for note in lib.glob("*.dist-info/*"):
            if note.name in ("RECORD", "direct_url.json", "INSTALLER", "REQUESTED"):
                note.unlink()
        target.write_bytes(gzip.compress(_tar(lib), mtime=0))


def _tar(lib: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        _add(out, PROGRAM, LAUNCHER.encode(), 0o755)
        _add(out, "LICENSE", (CHECKOUT / "LICENSE").read_bytes(), 0o644)
        for file in sorted(path for path in lib.rglob("*") if path.is_file()):
            _add(out, f"lib/{file.relative_to(lib).as_posix()}", file.read_bytes(), 0o644)
    return buffer.getvalue()


def _add(out: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    out.addfile(entry, io.BytesIO(content))


def manifest(galaxy: dict[str, Any], uri: str, digest: str) -> dict[str, Any]:
    """galaxy: what galaxy.yml says of the release."""
    systems = {"key": "os", "operator": "In", "values": ["darwin", "linux"]}
    return {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": NAME},
        "spec": {
            "version": f"v{galaxy['version']}",
            "homepage": galaxy["repository"],
            "shortDescription": "Look into vLLM Semantic Routers and ask them",
            "description": (
                "Shows SemanticRouters with their objects, pods and backends, and why a link is\n"
                "broken; finds what is wrong and what to do; follows one request through a\n"
                "router; and checks files before they are applied.\n"
            ),
            "caveats": "This plugin needs Python 3.11 or newer as python3 on PATH.\n",
            "platforms": [
                {
                    "selector": {"matchExpressions": [systems]},
                    "uri": uri,
                    "sha256": digest,
                    "bin": PROGRAM,
                }
            ],
        },
    }


def validate(file: Path, progress: Progress) -> None:
    """By krew's own program; ControlPlaneError says what it has against a manifest."""
    command = [str(ensure(progress)), "-manifest", str(file), "-skip-install"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ControlPlaneError(f"krew refuses {file}:\n{done.stderr}")


def ensure(progress: Progress) -> Path:
    """krew's check, built when it is missing: a minute on two free cores."""

    def make(program: Path) -> None:
        progress(f"building krew's check into {program.parent} (once; about a minute)")
        build(VALIDATOR, program, progress, PINS)

    return cached("validate-krew-manifest", [(PINS / "go.sum").read_bytes()], make, progress)


def write(to: Path, galaxy: dict[str, Any], url: str = "") -> list[Path]:
    """Archive and manifest. url: of the directory that they will be in; the release's page else."""
    version = galaxy["version"]
    url = url or f"{galaxy['repository']}/releases/download/v{version}"
    to.mkdir(parents=True, exist_ok=True)
    for former in to.glob(f"{PROGRAM}-*.tar.gz"):
        former.unlink()
    target = to / f"{PROGRAM}-v{version}.tar.gz"
    archive(target)
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    file = to / MANIFEST
    found = manifest(galaxy, f"{url}/{target.name}", digest)
    file.write_text(yaml.safe_dump(found, sort_keys=False))
    return [target, file]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist")
    parser.add_argument("--url", default="", help="of the directory that the archive will be in")
    arguments = parser.parse_args()
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
    print(*write(arguments.output, galaxy, arguments.url), sep="\n")


if __name__ == "__main__":
    main()
