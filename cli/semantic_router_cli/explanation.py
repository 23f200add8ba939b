"""`kubectl sr explain FIELD`: what a field of a SemanticRouter is, who reads it, what makes it act.

`kubectl explain` knows the CRD. Below spec.config it ends where the router's own document begins,
and whether anybody acts on a key it cannot say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import alone
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import effects
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd

# Before what only holds for a router that serves alone.
_ALONE = "with spec.gateway.mode router: "
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Reading:
    """By whom a field, or a part of it, is read in some contracts, and what makes it act."""

    field: str
    contracts: tuple[str, ...]
    reader: str
    acts: str

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "field": self.field,
            "contracts": list(self.contracts),
            "reader": self.reader,
            "acts": self.acts,
        }


@dataclass(frozen=True)
class Explanation:
    """type, description: the CRD's; "" where the router's document begins."""

    field: str
    type: str
    description: str
    default: Any
    readings: tuple[Reading, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return {
            "field": self.field,
            "type": self.type,
            "description": self.description,
            **({"default": self.default} if self.default is not None else {}),
            "readings": [reading.as_dict() for reading in self.readings],
        }


_OPERATORS = Reading("", (), effects.OPERATOR, "it makes the objects by it")


def explain(field: str) -> Explanation | None:
    """Of spec.config.prompt_guard.enabled, say, with or without "spec."; None: no such field."""
    words = tuple(word for word in _INDEX.sub("", field).split(".") if word)
    if words[:1] == ("spec",):
        words = words[1:]
    node = _schema_of(words)
    of_config = words[:1] == ("config",)
    readings = _of_config(words[1:]) if of_config else _of_spec(words)
    if not words or (node is None and not (of_config and readings)):
        return None
    node = node or {}
    return Explanation(
        field=".".join(("spec", *words)),
        type=str(node.get("type", "")),
        description=str(node.get("description", "")),
        default=node.get("default"),
        readings=readings,
    )


def _of_spec(words: tuple[str, ...]) -> tuple[Reading, ...]:
    only = alone.envoy_only(words)
    if not only:
        return (_OPERATORS,)
    return (_OPERATORS, Reading("", (), effects.NOBODY, f"{_ALONE}{only.lost}"))


def _schema_of(words: tuple[str, ...]) -> dict[str, Any] | None:
    node: Any = crd.spec_schema()
    for word in words:
        while "items" in node:
            node = node["items"]
        others = node.get("additionalProperties")
        node = node.get("properties", {}).get(word, others if isinstance(others, dict) else None)
        if node is None:
            return None
    return dict(node)


def _of_config(words: tuple[str, ...]) -> tuple[Reading, ...]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name, contract in router_config.CONTRACTS.items():
        for part, effect in effects.of_words(words, contract):
            found.setdefault((part, effect.reader, effect.acts), []).append(name)
        for part, effect in effects.of_words(words, contract, alone=True):
            if contract.serves_alone and effect.alone:
                acts = f"{_ALONE}{effect.acts}"
                found.setdefault((part, effect.reader, acts), []).append(name)
    return tuple(
        Reading(part, tuple(contracts), reader, acts)
        for (part, reader, acts), contracts in found.items()
    )
