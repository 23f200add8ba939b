# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether the open parts of spec.config have the shape that merging and checking take for granted.

The CRD cannot say it, because it leaves these parts to the router's schema; the leaves are that
schema's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    field_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# "*": every key. A list is of mappings with a name.
_MAPPINGS: tuple[Path, ...] = (
    ("providers",),
    ("providers", "defaults"),
    ("routing",),
    ("routing", "signals"),
    ("routing", "projections"),
    ("global",),
    ("global", "router"),
    ("global", "services"),
    ("global", "services", "*"),
    ("global", "services", "observability", "*"),
    ("global", "stores"),
    ("global", "stores", "*"),
    ("global", "integrations"),
    ("global", "integrations", "*"),
    ("global", "model_catalog"),
    ("global", "model_catalog", "embeddings"),
    ("global", "model_catalog", "embeddings", "*"),
    ("global", "model_catalog", "embeddings", "*", "embedding_config"),
    ("global", "model_catalog", "modules"),
    ("global", "model_catalog", "modules", "*"),
)
_NAMED_LISTS: tuple[Path, ...] = (
    ("providers", "models"),
    ("routing", "modelCards"),
    ("routing", "signals", "*"),
    ("routing", "projections", "mappings"),
    ("routing", "decisions"),
    ("recipes",),
)


def mistakes(config: dict[str, Any]) -> list[Problem]:
    """Every part of the wrong shape."""
    found = []
    for path in _MAPPINGS:
        for place, value in _at(config, path):
            if not isinstance(value, dict):
                found.append(_problem(place, "it is not a mapping", "Give keys and values"))
    for path in _NAMED_LISTS:
        for place, value in _at(config, path):
            found.extend(_list_mistakes(place, value))
    for place, decisions in _at(config, ("routing", "decisions")):
        found.extend(_decision_mistakes(place, decisions))
    if not found:
        for index, recipe in enumerate(config.get("recipes") or []):
            found.extend(_recipe_mistakes(recipe, ("recipes", index)))
    return found


def _recipe_mistakes(recipe: dict[str, Any], place: Path) -> Iterator[Problem]:
    """A recipe has the routing of a whole document."""
    for problem in mistakes({"routing": recipe.get("routing")}):
        yield replace(
            problem,
            field=problem.field.replace("spec.config", field_path(("config", *place)), 1),
        )


def _at(value: Any, path: Path, place: Path = ()) -> Iterator[tuple[Path, Any]]:
    if value is None:
        return
    if not path:
        yield place, value
    elif isinstance(value, dict):
        for key in value if path[0] == "*" else [path[0]]:
            yield from _at(value.get(key), path[1:], (*place, key))


def _list_mistakes(place: Path, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _problem(place, "it is not a list", "Give a list")
        return
    for index, entry in enumerate(value):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            yield _problem((*place, index), "it is not a mapping with a name", "Give it a name")


def _decision_mistakes(place: Path, decisions: Any) -> Iterator[Problem]:
    for index, decision in enumerate(decisions if isinstance(decisions, list) else []):
        for key, kind in (("modelRefs", list), ("rules", dict), ("plugins", list)):
            value = decision.get(key) if isinstance(decision, dict) else None
            if value is not None and not isinstance(value, kind):
                shape = "list" if kind is list else "mapping"
                yield _problem((*place, index, key), f"it is not a {shape}", f"Give a {shape}")
            elif key == "rules" and value is not None:
                yield from _rule_mistakes((*place, index, key), value)


def _rule_mistakes(place: Path, rule: Any) -> Iterator[Problem]:
    """A rule is a condition, or several of them."""
    if not isinstance(rule, dict):
        yield _problem(place, "it is not a mapping", "Give keys and values")
        return
    if not isinstance(rule.get("name", ""), str):
        yield _problem((*place, "name"), "it is not text", "Give the name of a signal")
    conditions = rule.get("conditions")
    if conditions is not None and not isinstance(conditions, list):
        yield _problem((*place, "conditions"), "it is not a list", "Give a list")
        return
    for index, condition in enumerate(conditions or []):
        yield from _rule_mistakes((*place, "conditions", index), condition)


def _problem(path: Path, found: str, remedy: str) -> Problem:
    return Problem("InvalidConfig", field_path(("config", *path)), found, remedy)
