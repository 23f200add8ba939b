# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a value stands below spec, what stands there, and how messages spell the place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# As keys and list indexes.
Path = tuple[str | int, ...]


def at(value: Any, path: Path) -> Any:
    """What stands at a path of nested mappings; None when a part of it is missing."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def field_path(path: Path) -> str:
    """The path as `kubectl explain` spells it, with list indexes: spec.config.decisions[0].name."""
    text = "spec"
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text
