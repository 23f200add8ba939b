"""Golden files: UPDATE_GOLDEN=1 (`make golden`) writes them; read their diff before committing."""

from __future__ import annotations

import hashlib
import os
import re
from itertools import pairwise
from pathlib import Path
from textwrap import indent

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import auth
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import CONTRACTS
from patches import Misfit, patch, patched

DIRECTORY = Path(__file__).parent / "unit" / "golden"
CONFIG = DIRECTORY / "config"
MANIFESTS = DIRECTORY / "manifests"
ENVOY = DIRECTORY / "envoy"

# The sample that others are told by their difference from.
BASE = "vllm.ai_v1alpha1_semanticrouter_simple"
BASE_MANIFESTS = MANIFESTS / f"{BASE}.kubernetes.yaml"

NEWER = dict(pairwise(sorted(CONTRACTS)))

# A text of the sources that objects hold as it is. It is read there.
SCRIPTS = [Path(auth.__file__).with_name(name) for name in ("auth.lua", "failover.lua")]

# A Grafana dashboard, which its own test reads.
DASHBOARD = re.compile(r"^(  semantic-router-\S+\.json: \|\n)((?:    .*\n)+)", re.MULTILINE)

UPDATING = bool(os.environ.get("UPDATE_GOLDEN"))


def store(file: Path, text: str) -> None:
    """An empty text has no file."""
    if text:
        file.write_text(text, encoding="utf-8")
    else:
        file.unlink(missing_ok=True)


def stored(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def abridged(manifests: str) -> str:
    """The manifests with digests in place of scripts, and of what Grafana alone reads."""
    for file in SCRIPTS:
        script = file.read_text(encoding="utf-8")
        first, _, _ = script.partition("\n")
        if found := re.search(rf"^( *){re.escape(first)}$", manifests, re.MULTILINE):
            digest = hashlib.sha256(script.encode()).hexdigest()
            line = f"{found[1]}-- {file.name}, sha256 {digest}\n"
            manifests = manifests.replace(indent(script, found[1]), line)
    return DASHBOARD.sub(_dashboard, manifests)


def _dashboard(found: re.Match[str]) -> str:
    panels = re.findall(r'^ *"title": "(.*)",?$', found[2], re.MULTILINE)
    digest = hashlib.sha256(found[2].encode()).hexdigest()
    return f"{found[1]}    {len(panels)} titles, sha256 {digest}\n"


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


def documents(contract: str) -> dict[str, str]:
    """What routers get, by case: from a file, or by the difference from the next newer contract."""
    whole = {
        file.name.removesuffix(f".{contract}.yaml"): stored(file)
        for file in CONFIG.glob(f"*.{contract}.yaml")
    }
    if contract not in NEWER:
        return whole
    by_difference = {
        case: patched(base, stored(CONFIG / f"{case}.{contract}.patch"))
        for case, base in documents(NEWER[contract]).items()
        if "blocking: " not in stored(CONFIG / f"{case}.{contract}.problems")
    }
    return {**whole, **by_difference}


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
