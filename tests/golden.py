"""Golden files: UPDATE_GOLDEN=1 (`make golden`) writes them; read their diff before committing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from patches import Misfit, patch, patched

DIRECTORY = Path(__file__).parent / "unit" / "golden"
MANIFESTS = DIRECTORY / "manifests"
ENVOY = DIRECTORY / "envoy"

# The sample that others are told by their difference from.
BASE = "vllm.ai_v1alpha1_semanticrouter_simple"
BASE_MANIFESTS = MANIFESTS / f"{BASE}.kubernetes.yaml"

UPDATING = bool(os.environ.get("UPDATE_GOLDEN"))


def store(file: Path, text: str) -> None:
    """An empty text has no file."""
    if text:
        file.write_text(text, encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


def stored(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def check(file: Path, built: str) -> None:
    """The file holds what was built."""
    if UPDATING:
        store(file, built)
    expect(stored(file), built, file)


def check_patch(file: Path, base: str, built: str) -> None:
    """The file holds what makes what was built of the base."""
    if UPDATING:
        store(file, patch(base, built))
    expect_patched(base, stored(file), built, file)


def expect_patched(base: str, difference: str, built: str, file: Path) -> None:
    try:
        expected = patched(base, difference)
    except Misfit as misfit:
        pytest.fail(f"{file.name} is not of this base, which lacks\n{misfit}", pytrace=False)
    expect(expected, built, file)


def expect(expected: str, built: str, file: Path) -> None:
    if expected != built:
        pytest.fail(f"{file.name} says otherwise\n{patch(expected, built)}", pytrace=False)


def bootstraps() -> dict[str, str]:
    """Envoy's files by name: the base sample's, and what the patches make of it."""
    manifests = yaml.safe_load_all(stored(BASE_MANIFESTS))
    (base,) = (
        manifest["data"]["envoy.yaml"]
        for manifest in manifests
        if "envoy.yaml" in manifest.get("data", {})
    )
    others = {file.stem: patched(base, stored(file)) for file in sorted(ENVOY.glob("*.patch"))}
    return {"base": base, **others}
