"""Reads config/ as kustomize builds it, and gives the files that are made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kustomize
import yaml
from release import pins

import olm_bundle
from olm_bundle import v1

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
    icon = ICON.read_bytes()
    bundle = olm_bundle.bundle_files(manifests, namespaced, version, icon, pins.read())
    return {
        **{f"playbooks/files/{name}": text for name, text in installer.items()},
        **bundle,
        **_of_olm_v1(bundle, version),
    }


def _of_olm_v1(bundle: olm_bundle.Files, version: str) -> olm_bundle.Files:
    """config/olm-v1, from the bundle. The images beside the operator's go by its released name."""
    name = kustomize.released_image()
    package, channel = olm_bundle.PACKAGE, olm_bundle.CHANNEL
    objects = [
        yaml.load(text, Loader=yaml.CSafeLoader)
        for path, text in bundle.items()
        if path.startswith("bundle/manifests/")
    ]
    (base,) = yaml.safe_load_all(
        (CHECKOUT / "config/default/kustomization.yaml").read_text("utf-8")
    )
    return {
        "config/olm-v1/catalog-template.yaml": v1.catalog_template(
            package, channel, f"{name}-bundle", version
        ),
        "config/olm-v1/extension.yaml": v1.extension(
            package, channel, f"{name}-catalog:latest", base["namespace"], objects
        ),
    }


def _built(kubectl: Path, base: str, image: str = "") -> list[dict[str, Any]]:
    built = kustomize.build(kubectl, base, image=image)
    return list(yaml.load_all(built, Loader=yaml.CSafeLoader))
