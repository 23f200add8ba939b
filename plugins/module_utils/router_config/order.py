# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The order of keys in what people and routers read."""

from __future__ import annotations

from typing import Any

# What people look for first; the rest follows by name. An API server sorts keys and a file does
# not: the same SemanticRouter gives the same bytes from both.
_LEADING = (
    "name",
    "enabled",
    "type",
    "model",
    "description",
    "priority",
    "operator",
    "rules",
    "modelRefs",
    "reasoning",
    "reasoning_family",
    "provider",
    "endpoint",
    "host",
    "port",
)


def tidy(value: Any) -> Any:
    """A copy whose mappings are in an order that depends on nothing but their keys."""
    if isinstance(value, list):
        return [tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    return ordered({key: tidy(value[key]) for key in sorted(value, key=str)}, _LEADING)


def ordered(mapping: dict[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    """A copy with the named keys first and the others as they come."""
    known = {key: mapping[key] for key in order if key in mapping}
    return {**known, **{key: value for key, value in mapping.items() if key not in known}}
