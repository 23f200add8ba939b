"""Builds the manifests of config/ with kubectl's kustomize; edits no committed file."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import yaml
from control_plane import Kubectl

CONFIG = Path(__file__).resolve().parents[2] / "config"

_IMAGE = re.compile(
    r"(?P<name>[\w.-]+(?::\d+/)?[\w./-]*)(?::(?P<tag>[\w.-]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


def build(kubectl: Path, base: str, *, image: str = "", namespace: str = "") -> str:
    """The manifests of config/<base> as YAML, with another image or in another namespace if named.

    image: ``registry/name:tag``, ``registry/name@sha256:...``. ValueError when it is neither.
    """
    changed = {
        **({"images": [_other_image(image)]} if image else {}),
        **({"namespace": namespace} if namespace else {}),
    }
    run = Kubectl(kubectl, {})
    if not changed:
        return run("kustomize", str(CONFIG / base))
    with tempfile.TemporaryDirectory() as directory:
        # Kustomize takes a base by its relative path only.
        overlay = {"resources": [os.path.relpath(CONFIG / base, directory)], **changed}
        Path(directory, "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
        return run("kustomize", directory)


def released_image() -> str:
    """The image's name of config/manager, without a tag."""
    kustomization = yaml.safe_load((CONFIG / "manager" / "kustomization.yaml").read_text("utf-8"))
    (image,) = kustomization["images"]
    return str(image["newName"])


def _other_image(image: str) -> dict[str, str]:
    found = _IMAGE.fullmatch(image)
    if not found:
        raise ValueError(f"{image!r} is no image; write it like registry/name:tag")
    changed = {"name": released_image(), "newName": found["name"]}
    if found["digest"]:
        return {**changed, "digest": found["digest"]}
    return {**changed, "newTag": found["tag"] or "latest"}
