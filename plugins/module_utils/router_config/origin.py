# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells which field of the SemanticRouter a place in config.yaml comes from."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

_MODEL_PATHS = (("providers", "models"), ("routing", "modelCards"))


def origin(place: Path, document: dict[str, Any], contract: Contract, config: RouterConfig) -> Path:
    """The path below spec, as exact as can be told."""
    given = _given(place, document, config.canonical)
    if given is not None:
        return ("config", *given)
    for name, path in contract.layout.items():
        if place[: len(path)] == path and name in config.sections:
            return (*config.sections[name].source, *place[len(path) :])
    if place[:2] in _MODEL_PATHS:
        return ("vllmEndpoints",)
    return ("config",)


def _given(place: Path, document: Any, canonical: Any) -> Path | None:
    """The place in the user's own part; None when it is not from there.

    An entry of a merged list is found by its name, because its index differs.
    """
    path: list[str | int] = []
    for step in place:
        if isinstance(step, int):
            if not isinstance(canonical, list):
                return None
            entry = document[step]
            by_name = (i for i, item in enumerate(canonical) if _same(item, entry))
            # One that was given another name stands where it stood.
            step = next(by_name, step if len(canonical) == len(document) else -1)
            if step < 0:
                return None
            document, canonical = entry, canonical[step]
        else:
            if not isinstance(canonical, dict) or step not in canonical:
                return None
            document, canonical = document[step], canonical[step]
        path.append(step)
    return tuple(path)


def _same(item: Any, entry: Any) -> bool:
    if isinstance(item, dict) and isinstance(entry, dict) and "name" in item:
        return bool(item["name"] == entry.get("name"))
    return bool(item == entry)
