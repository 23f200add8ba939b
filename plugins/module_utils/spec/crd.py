# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the CRD says, for objects that no API server has looked at: defaults and structural checks.

The CRD in config/crd is the only home of defaults and bounds; this module reads them there. Rules
across fields are in ``checks/rules.py``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    API_VERSION,
    KIND,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)

CRD_DIRECTORY = Path(__file__).parents[3] / "config" / "crd"

Schema = dict[str, Any]

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@cache
def schema() -> Schema:
    """openAPIV3Schema of v1alpha1. Shared: do not change it."""
    loaded: Schema = json.loads((CRD_DIRECTORY / "schema.json").read_text(encoding="utf-8"))
    return loaded


def spec_schema() -> Schema:
    """The part of it that is about spec."""
    node: Schema = schema()["properties"]["spec"]
    return node


def with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a spec with every default filled in; the API server leaves out those in lists."""
    defaulted = deepcopy(dict(spec))
    _fill(defaulted, spec_schema())
    return defaulted


def has_defaults(spec: Mapping[str, Any]) -> bool:
    """An API server with this CRD has filled the spec in, and so looked at its structure.

    It adds nothing to the items of a list, see config/crd/generate.py.
    """
    return _is_filled(spec, spec_schema())


def validate(resource: Mapping[str, Any]) -> list[Problem]:
    """What the API server would refuse in this object with strict validation, rules excepted."""
    kind = (resource.get("apiVersion"), resource.get("kind"))
    if kind != (API_VERSION, KIND):
        found = f"the object is {kind[1] or 'of no kind'}, {kind[0] or 'without apiVersion'}"
        remedy = f"give a {KIND} of {API_VERSION}"
        return [invalid("kind", found, remedy)]
    if not (resource.get("metadata") or {}).get("name"):
        return [invalid("metadata.name", "no name is given", "Give the router a name")]
    fields = spec_schema()
    spec = resource.get("spec")
    return list(_mistakes({} if spec is None else spec, fields, "spec"))


def unlisted_keys(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys inside the sections of spec.config that the CRD does not list, and containers in leaves.

    The API server keeps them, because a router may know them. The top level is left out: a whole
    document of the router may stand there.
    """
    sections = spec_schema()["properties"]["config"]["properties"]
    for name, value in config.items():
        if name in sections:
            yield from _unlisted(value, sections[name], f"spec.config.{name}")


def _unlisted(value: Any, node: Schema, path: str) -> Iterator[Problem]:
    if _is_number_or_text(node):
        if isinstance(value, (dict, list)):
            yield invalid(path, f"{_shown(value)} is of the wrong type", "Give a number")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unlisted(item, node.get("items", {}), f"{path}[{index}]")
    elif isinstance(value, dict):
        properties = node.get("properties", {})
        others = node.get("additionalProperties", {})
        for name, item in value.items():
            if properties and name not in properties:
                hint = _nearest(str(name), properties)
                yield invalid(f"{path}.{name}", "there is no such field", hint)
            else:
                yield from _unlisted(item, properties.get(name, others), f"{path}.{name}")


def _fill(value: Any, node: Schema) -> None:
    if isinstance(value, dict):
        properties = node.get("properties", {})
        for name, child in properties.items():
            if "default" in child and value.get(name) is None:
                value[name] = deepcopy(child["default"])
        others = node.get("additionalProperties")
        for name, item in value.items():
            known = properties.get(name, others)
            if isinstance(known, dict):
                _fill(item, known)
    elif isinstance(value, list) and "items" in node:
        for item in value:
            _fill(item, node["items"])


def _is_filled(value: Any, node: Schema) -> bool:
    if not isinstance(value, Mapping):
        return True
    properties = node.get("properties", {})
    others = node.get("additionalProperties")
    return all(
        value.get(name) is not None for name, child in properties.items() if "default" in child
    ) and all(
        _is_filled(item, known)
        for name, item in value.items()
        if isinstance(known := properties.get(name, others), dict)
    )


def _mistakes(value: Any, node: Schema, path: str) -> Iterator[Problem]:
    wrong = _type_mistake(value, node)
    if wrong:
        yield invalid(path, *wrong)
        return
    for check in _SCALAR_CHECKS:
        wrong = check(value, node)
        if wrong:
            yield invalid(path, *wrong)
    if isinstance(value, dict):
        yield from _object_mistakes(value, node, path)
    elif isinstance(value, list):
        yield from _list_mistakes(value, node, path)


def _object_mistakes(value: dict[str, Any], node: Schema, path: str) -> Iterator[Problem]:
    properties = node.get("properties", {})
    for name in node.get("required", []):
        if value.get(name) is None and "default" not in properties.get(name, {}):
            yield invalid(f"{path}.{name}", "it is required and missing", "Add it")
    others = node.get("additionalProperties")
    is_open = node.get("x-kubernetes-preserve-unknown-fields", False)
    for name, item in value.items():
        known = properties.get(name, others)
        if known is None and not is_open:
            hint = _nearest(str(name), properties)
            yield invalid(f"{path}.{name}", "there is no such field", hint)
        elif isinstance(known, dict) and item is not None:
            yield from _mistakes(item, known, f"{path}.{name}")


def _list_mistakes(value: list[Any], node: Schema, path: str) -> Iterator[Problem]:
    if len(value) > node.get("maxItems", len(value)):
        found = f"it has {len(value)} entries and may have {node['maxItems']}"
        yield invalid(path, found, "Remove some")
    if len(value) < node.get("minItems", 0):
        yield invalid(path, "it is empty", "Give at least one, or remove it")
    for index, item in enumerate(value):
        yield from _mistakes(item, node.get("items", {}), f"{path}[{index}]")
    yield from _duplicates(value, node, path)


def _duplicates(value: list[Any], node: Schema, path: str) -> Iterator[Problem]:
    keys = node.get("x-kubernetes-list-map-keys", [])
    seen: dict[str, int] = {}
    for index, item in enumerate(value if keys else []):
        if isinstance(item, dict):
            # As text, for the value of a key may be of a wrong type.
            first = seen.setdefault(repr([item.get(key) for key in keys]), index)
            if first != index:
                found = f"{item.get(keys[0])!r} is the {keys[0]} of {path}[{first}] too"
                yield invalid(f"{path}[{index}].{keys[0]}", found, "Choose another one")


Wrong = tuple[str, str] | None


def _is_number_or_text(node: Schema) -> bool:
    # No CRD type says "either", so these leaves have none.
    return "type" not in node and node.get("x-kubernetes-preserve-unknown-fields", False)


def _type_mistake(value: Any, node: Schema) -> Wrong:
    if node.get("x-kubernetes-int-or-string"):
        wanted: tuple[type, ...] = (int, str)
        name = "integer or string"
    elif "type" in node:
        name = node["type"]
        wanted = _PYTHON_TYPES[name]
    else:
        return None
    # A bool is an int to Python and not to Kubernetes.
    if isinstance(value, wanted) and (not isinstance(value, bool) or bool in wanted):
        return None
    return f"{_shown(value)} is of the wrong type", f"Give {_article(name)} {name}"


def _enum_mistake(value: Any, node: Schema) -> Wrong:
    allowed = node.get("enum")
    if allowed is None or value in allowed:
        return None
    return f"{_shown(value)} is not allowed", f"Give one of {', '.join(map(str, allowed))}"


def _bounds_mistake(value: Any, node: Schema) -> Wrong:
    if not isinstance(value, (int, float)):
        return None
    if value < node.get("minimum", value):
        return f"{value} is too small", f"Give at least {node['minimum']}"
    if value > node.get("maximum", value):
        return f"{value} is too large", f"Give at most {node['maximum']}"
    return None


def _length_mistake(value: Any, node: Schema) -> Wrong:
    if not isinstance(value, str):
        return None
    if len(value) < node.get("minLength", 0):
        return "it is empty", "Give a value"
    if len(value) > node.get("maxLength", len(value)):
        return f"it has {len(value)} characters", f"Use at most {node['maxLength']}"
    return None


def _pattern_mistake(value: Any, node: Schema) -> Wrong:
    if not isinstance(value, str) or re.search(node.get("pattern", ""), value):
        return None
    return f"{_shown(value)} has the wrong form", f"Give a value that matches {node['pattern']}"


_SCALAR_CHECKS: tuple[Callable[[Any, Schema], Wrong], ...] = (
    _enum_mistake,
    _bounds_mistake,
    _length_mistake,
    _pattern_mistake,
)


def _nearest(name: str, properties: Schema) -> str:
    # Imported here: only a mistake needs it, and the reconcile path starts often.
    from difflib import get_close_matches

    near = get_close_matches(name, properties, n=1)
    return f"Did you mean {near[0]}? Otherwise remove it" if near else "Remove it"


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, bool, int, float)) else type(value).__name__


def _article(name: str) -> str:
    return "an" if name[0] in "aeiou" else "a"
