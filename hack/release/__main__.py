"""`python -m release`: every file of a release that takes neither a registry nor a signature.

Into dist/, with their sums. The workflow `release` adds images, signatures and provenance.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import go_program
import krew_manifest
import kustomize
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import inherited
from control_plane import ControlPlaneError, KubectlError, programs
from control_plane.plane import progress_to_stderr
from olm_bundle.sources import packaged

from release import chart, files, pins, sbom

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class ReleaseError(Exception):
    """Something that is released could not be made, or would not be right."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="release", description=__doc__)
    parser.add_argument("--to", type=Path, default=CHECKOUT / "dist", help="the directory")
    parser.add_argument("--image", default="", help="the operator's image; the released one else")
    parser.add_argument("--tag", default="", help="of git, which has to be that of the version")
    parser.add_argument("--only", choices=PARTS, action="append", help="not all of it")
    parser.add_argument(
        "--pinned", action="store_true", help="refuse to release while an image has no digest"
    )
    given = parser.parse_args()
    try:
        made = release(given.to, given.image, given.tag, given.only or list(PARTS), given.pinned)
    except (
        ControlPlaneError,
        KubectlError,
        ReleaseError,
        pins.NotPinned,
        sbom.SbomError,
        ValueError,
    ) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(file) for file in made))
    return 0


def release(to: Path, image: str, tag: str, parts: list[str], pinned: bool) -> list[Path]:
    galaxy = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text("utf-8"))
    version = str(galaxy["version"])
    if tag and tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, and galaxy.yml says version {version}")
    told = yaml.safe_load((CHECKOUT / "changelogs" / "changelog.yaml").read_text("utf-8"))
    if tag and version not in (told["releases"] or {}):
        raise ReleaseError(f"the changelog has no {version} yet: make changelog, and commit it")
    if pinned:
        pins.require_digests()
        if "@sha256:" not in image:
            raise ReleaseError(f"the image is {image or 'not named'}, which is no digest")
    to.mkdir(parents=True, exist_ok=True)
    made = [file for part in parts for file in PARTS[part](to, image, galaxy)]
    sums = to / files.SUMS
    sums.write_text(files.sums(made), encoding="utf-8")
    return [*made, sums]


def _collection(to: Path, _: str, galaxy: dict[str, Any]) -> list[Path]:
    _run(BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", to)
    return [to / f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"]


def _wheels(to: Path, _: str, galaxy: dict[str, Any]) -> list[Path]:
    """The kubectl plugin, and the warm runner, which other operators may use."""
    made = []
    for source, name in sbom.WHEELS.items():
        for former in to.glob(f"{name}-*.whl"):
            former.unlink()
        # setuptools leaves it, and would make the next wheel of it too.
        shutil.rmtree(CHECKOUT / source / "build", ignore_errors=True)
        _run(BIN / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", to, CHECKOUT / source)
        (wheel,) = to.glob(f"{name}-*.whl")
        if not wheel.name.startswith(f"{name}-{galaxy['version']}-"):
            raise ReleaseError(f"{wheel.name}: {source}/pyproject.toml has another version")
        made.append(wheel)
    return made


def _installer(to: Path, image: str, _: dict[str, Any]) -> list[Path]:
    file = to / "install.yaml"
    file.write_text(kustomize.build(_kubectl(), "default", image=image), encoding="utf-8")
    return [file]


def _bundle(to: Path, image: str, galaxy: dict[str, Any]) -> list[Path]:
    name = kustomize.released_image().rpartition("/")[2]
    made = packaged(_kubectl(), image)
    bundle = {path: text for path, text in made.items() if path.startswith("bundle")}
    file = to / f"{name}-bundle-{galaxy['version']}.tar.gz"
    file.write_bytes(files.archive(bundle, f"{name}-bundle-{galaxy['version']}"))
    of_v1 = []
    for path, text in made.items():
        if path.startswith("config/olm-v1/"):
            of_v1.append(to / f"olm-v1-{Path(path).name}")
            of_v1[-1].write_text(text, encoding="utf-8")
    return [file, *of_v1]


def _images(to: Path, image: str, galaxy: dict[str, Any]) -> list[Path]:
    """For `skopeo` and whoever else copies them: one a line."""
    own = image or f"{kustomize.released_image()}:v{galaxy['version']}"
    file = to / "images.txt"
    known = pins.read()
    started = [pins.by_digest(name, known) for name in inherited.images().values()]
    file.write_text("\n".join([own, *started, ""]), encoding="utf-8")
    return [file]


def _chart(to: Path, image: str, galaxy: dict[str, Any]) -> list[Path]:
    made = chart_files(_kubectl(), image, galaxy)
    name = kustomize.released_image().rpartition("/")[2]
    file = to / f"{name}-{galaxy['version']}.tgz"
    file.write_bytes(files.archive(made, name))
    helm = go_program.ensure("helm", progress_to_stderr)
    _run(helm, "lint", "--strict", file)
    return [file]


def chart_files(kubectl: Path, image: str, galaxy: dict[str, Any]) -> chart.Files:
    default, namespaced = (
        list(yaml.safe_load_all(kustomize.build(kubectl, base, image=image)))
        for base in ("default", "namespaced")
    )
    csv = CHECKOUT / "config/manifests/bases/clusterserviceversion.yaml"
    minimum = yaml.safe_load(csv.read_text("utf-8"))["spec"]["minKubeVersion"]
    return chart.files(default, namespaced, galaxy, minimum)


def _krew(to: Path, _: str, galaxy: dict[str, Any]) -> list[Path]:
    return krew_manifest.write(to, galaxy)


def _sbom(to: Path, _: str, galaxy: dict[str, Any]) -> list[Path]:
    return sbom.write(to, str(galaxy["version"]))


# In this order: what is quick to fail first.
PARTS = {
    "installer": _installer,
    "images": _images,
    "bundle": _bundle,
    "chart": _chart,
    "collection": _collection,
    "wheels": _wheels,
    "krew": _krew,
    "sbom": _sbom,
}


def _kubectl() -> Path:
    return programs.ensure_kubectl(progress_to_stderr)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = " ".join(str(word) for word in command)
        raise ReleaseError(f"{words}:\n{(done.stdout + done.stderr).strip()}")


if __name__ == "__main__":
    sys.exit(main())
