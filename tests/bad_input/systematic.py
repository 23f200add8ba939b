"""One wrong value for every limit of every field, made from the CRD itself.

The table has what people get wrong; this has what nobody thought of. A limit that is not known
here (see LIMITS) fails a test, so that a new kind of limit gets its wrong value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from schema_walk import Schema, Steps, leaves, with_leaf

import bad_input

_OF_ANOTHER_TYPE: dict[str, Any] = {
    "string": 7,
    "integer": "seven",
    "number": "seven",
    "boolean": "maybe",
    "object": "text",
}


@dataclass(frozen=True)
class Wrong:
    """A field with a value that breaks one limit: type, enum, minimum, maximum, length, pattern."""

    steps: Steps
    limit: str
    value: Any

    def __str__(self) -> str:
        return f"{self.limit} of {self.field}"

    @property
    def field(self) -> str:
        """As the API server spells it."""
        steps = ("[0]" if s == "[]" else ".any" if s == "*" else f".{s}" for s in self.steps)
        return "spec" + "".join(steps)

    def resource(self, name: str, namespace: str = "default") -> dict[str, Any]:
        """A good router but for this field."""
        resource = bad_input.good(name, namespace)
        fields = crd.schema()["properties"]["spec"]
        spec = with_leaf(fields, self.steps, self.value)
        resource["spec"] = {**resource["spec"], **spec}
        return resource


def cases() -> list[Wrong]:
    """Every limit of every field, broken."""
    fields = crd.schema()["properties"]["spec"]
    return [
        Wrong(steps, limit, value)
        for steps, node in leaves(fields)
        for limit, value in _wrong_values(node)
    ]


def _wrong_values(node: Schema) -> Iterator[tuple[str, Any]]:
    if node.get("x-kubernetes-int-or-string"):
        yield "type", [1]
    elif node.get("type") in _OF_ANOTHER_TYPE:
        yield "type", _OF_ANOTHER_TYPE[node["type"]]
    if "enum" in node:
        yield "enum", 10**6 if node["type"] == "integer" else "no-such-choice"
    if "minimum" in node:
        yield "minimum", node["minimum"] - 1
    if "maximum" in node:
        yield "maximum", node["maximum"] + 1
    if node.get("minLength"):
        yield "length", ""
    if "maxLength" in node:
        yield "length", "a" * (node["maxLength"] + 1)
    if "pattern" in node:
        yield "pattern", "no such thing"
