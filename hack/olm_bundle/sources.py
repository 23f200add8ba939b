"""Reads config/ as kustomize builds it, and gives the files that are made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kustomize
import yaml

import olm_bundle

CHECKOUT = Path(__file__).resolve().parents[2]
ICON = CHECKOUT / "config" / "manifests" / "icon.svg"


def packaged(kubectl: Path, image: str = "") -> olm_bundle.Files:
    """Every generated file, by its path in the checkout.

    image: of the operator that the bundle installs; the released one if empty. ValueError if none.
    """
    namespaced = _built(kubectl, "namespaced")
    installer = olm_bundle.installer_files(_built(kubectl, "default"), namespaced)
    version = str(yaml.safe_load((CHECKOUT / "galaxy.yml").read_text("utf-8"))["version"])
    manifests = _built(kubectl, "manifests", image)
    return {
        **{f"playbooks/files/{name}": text for name, text in installer.items()},
        **olm_bundle.bundle_files(manifests, namespaced, version, ICON.read_bytes()),
    }


def _built(kubectl: Path, base: str, image: str = "") -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(kustomize.build(kubectl, base, image=image)))
