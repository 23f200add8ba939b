"""Puts into the wheel what the plugin knows: the collection's Python, from where it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CHECKOUT = Path(__file__).resolve().parents[1]
BUNDLED = Path("semantic_router_cli", "bundled", "ansible_collections", "vllm", "semantic_router")
# Its version, the CRD that files are held against, and what thinks: no Ansible plugin.
PARTS = ("galaxy.yml", "LICENSE", "config/crd/schema.json", "plugins/module_utils")


class Bundle(BuildHookInterface[Any]):
    """An editable installation has the collection from the checkout, as it is now."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for file in _files():
            build_data["force_include"][str(file)] = str(BUNDLED / file.relative_to(CHECKOUT))


def _files() -> list[Path]:
    found = []
    for part in (CHECKOUT / name for name in PARTS):
        found += sorted(part.rglob("*")) if part.is_dir() else [part]
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
