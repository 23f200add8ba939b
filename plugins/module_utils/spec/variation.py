# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other values that a field could have, made from its schema in the CRD.

For asking what a field does, not for a cluster: rules across fields, and patterns, are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.crd import Schema

# No field has them as its default, and every schema with bounds has room for them.
_NUMBERS = (7, 8)
_TEXTS = ("x", "y")
FILLINGS = range(2)


def is_set(value: Any) -> bool:
    """An empty container asks for nothing."""
    return value is not None and value not in ({}, [])


def below(node: Schema, step: str | int) -> Schema:
    """The schema of what stands at the step."""
    if isinstance(step, int):
        found: Schema = node.get("items", {})
        return found
    others = node.get("additionalProperties")
    found = node.get("properties", {}).get(step, others)
    return found if isinstance(found, dict) else {}


def children(value: Any, node: Schema) -> Iterator[tuple[str | int, Any]]:
    """What a container holds, by step, and what it could hold: None."""
    if isinstance(value, list):
        yield from enumerate(value)
    elif isinstance(value, dict):
        yield from ((name, value.get(name)) for name in dict.fromkeys((*value, *_names(node))))


def others(value: Any, node: Schema) -> Iterator[Any]:
    """For a value without parts."""
    yield from (choice for choice in node.get("enum", ()) if choice != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield value + 1
        yield value - 1
    elif isinstance(value, str):
        if value[:1].isdigit():
            # It may have to stay a number, or a quantity.
            yield f"1{value}"
        yield f"{value}x"


def different(value: Any, node: Schema) -> Any:
    """Another value in every part."""
    if isinstance(value, list):
        return [different(item, below(node, index)) for index, item in enumerate(value)]
    if isinstance(value, dict):
        return {name: different(item, below(node, name)) for name, item in value.items()}
    return next(others(value, node), value)


def filled(node: Schema, filling: int) -> Any:
    """A value with every part that the schema knows; no text and no number is in both fillings."""
    if node.get("enum"):
        return node["enum"][-filling]
    kind = node.get("type")
    if kind == "object":
        return {name: filled(below(node, name), filling) for name in _names(node) or ("x",)}
    if kind == "array":
        return [filled(below(node, 0), filling)]
    if kind == "boolean":
        return not filling
    if kind in ("integer", "number"):
        return max(_NUMBERS[filling], node.get("minimum", 0) + filling)
    return _TEXTS[filling]


def _names(node: Schema) -> tuple[str, ...]:
    return tuple(node.get("properties", ()))
