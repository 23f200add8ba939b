"""The fields of a schema of the CRD, and where an object has them. For laws about every field.

Steps lead to a field: a name, "[]" for an entry of a list, "*" for any key of a map.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Schema = dict[str, Any]
Steps = tuple[str, ...]
Place = tuple[str | int, ...]

SOURCE = Path(__file__).parents[1] / "config" / "crd" / "semanticrouter.yaml"


def leaves(node: Schema, steps: Steps = ()) -> Iterator[tuple[Steps, Schema]]:
    """Every field with a value of its own. Kubernetes' own types are one field."""
    if "$core" in node:
        yield steps, node
    elif node.get("properties"):
        for name, child in node["properties"].items():
            yield from leaves(child, (*steps, name))
    elif node.get("items"):
        yield from leaves(node["items"], (*steps, "[]"))
    elif isinstance(node.get("additionalProperties"), dict):
        yield from leaves(node["additionalProperties"], (*steps, "*"))
    else:
        yield steps, node


@cache
def source_of_spec() -> Schema:
    """The schema of spec as it is written, with `$core` in the place of Kubernetes' own types."""
    crd = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    spec: Schema = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return spec


def look_up(node: Schema, steps: Steps) -> Schema:
    """The schema that the steps lead to."""
    for step in steps:
        if step == "[]":
            node = node["items"]
        elif step == "*":
            node = node["additionalProperties"]
        else:
            node = node["properties"][step]
    return node


def places(value: Any, steps: Steps, place: Place = ()) -> Iterator[Place]:
    """Where an object has the field: keys and indices."""
    if not steps:
        yield place
    elif steps[0] == "[]" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, steps[1:], (*place, index))
    elif steps[0] == "*" and isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, steps[1:], (*place, key))
    elif isinstance(value, dict) and steps[0] in value:
        yield from places(value[steps[0]], steps[1:], (*place, steps[0]))


def read(value: Any, place: Place) -> Any:
    """What is at the place."""
    for key in place:
        value = value[key]
    return value


def written(value: Any, place: Place, new: Any) -> Any:
    """A copy of the object with another value at the place; what is not on the way is shared."""
    if not place:
        return new
    if isinstance(value, list):
        changed = list(value)
        changed[int(place[0])] = written(value[int(place[0])], place[1:], new)
        return changed
    return {**value, place[0]: written(value.get(place[0], {}), place[1:], new)}


def removed(value: Any, place: Place) -> Any:
    """A copy of the object without what is at the place."""
    *way, last = place
    parent = {key: item for key, item in read(value, tuple(way)).items() if key != last}
    return written(value, tuple(way), parent)


def spelled(steps: Steps) -> str:
    """The field as `kubectl explain` and messages spell it, below spec."""
    return "spec" + "".join(step if step == "[]" else f".{step}" for step in steps)


def filled(node: Schema, name: str = "") -> Any:
    """The least value: what is required, and nothing else."""
    if node.get("properties"):
        return {key: filled(node["properties"][key], key) for key in node.get("required", [])}
    if node.get("items"):
        return []
    if node.get("enum"):
        return node["enum"][0]
    return {} if node.get("type") == "object" else name


def with_leaf(node: Schema, steps: Steps, value: Any, name: str = "") -> Any:
    """The least value that has this one leaf."""
    if not steps:
        return value
    if steps[0] == "[]":
        return [with_leaf(node["items"], steps[1:], value, name)]
    if steps[0] == "*":
        return {"any": with_leaf(node["additionalProperties"], steps[1:], value, name)}
    child = with_leaf(node["properties"][steps[0]], steps[1:], value, steps[0])
    return {**filled(node, name), steps[0]: child}
