# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a dry run would write, as paths of fields without their values. Pure.

Values stay out on purpose: a Deployment's may be passwords, and a status is read by more people
than the objects are. ``ansible-playbook --check --diff`` shows them to whoever runs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import compare
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

CREATE, CHANGE, DELETE = "create", "change", "delete"

# What a status may hold of one object; etcd takes 1.5 MiB of the whole.
_MOST_FIELDS = 20
_LONGEST_FIELD = 200


@dataclass(frozen=True)
class Change:
    """One object.

    fields: paths in it that would change. Of an unwanted object none, and of a new one only those
    by which it differs from the one that it follows.
    """

    kind: str
    name: str
    action: str
    fields: list[str] = field(default_factory=list)


def change(
    before: Manifest | None, after: Manifest | None, follows: Manifest | None = None
) -> Change:
    """From one state of an object to the other; None where there is none.

    follows: the ConfigMap after which a new one comes.
    """
    named = after or before or {}
    action = CREATE if before is None else DELETE if after is None else CHANGE
    paths: list[str] = []
    if before and after:
        paths = list(_paths(compare.shown(before), compare.shown(after)))
    elif follows and after:
        paths = differing_files(follows, after)
    return Change(named["kind"], named["metadata"]["name"], action, _bounded(paths))


def differing_files(before: Manifest, after: Manifest) -> list[str]:
    """Paths by which the files of two ConfigMaps differ."""
    return list(_paths({"data": before.get("data")}, {"data": after.get("data")}))


def as_dict(changes: list[Change]) -> dict[str, Any]:
    """Plain containers: what crosses Jinja between two tasks."""
    counts = {
        action: sum(1 for item in changes if item.action == action)
        for action in (CREATE, CHANGE, DELETE)
    }
    summary = ", ".join(f"{count} to {action}" for action, count in counts.items() if count)
    return {
        "summary": summary or "nothing to do",
        "changes": [
            {key: value for key, value in asdict(item).items() if value} for item in changes
        ],
    }


def _bounded(paths: list[str]) -> list[str]:
    shown = [path[:_LONGEST_FIELD] for path in paths[:_MOST_FIELDS]]
    rest = len(paths) - len(shown)
    return [*shown, f"and {rest} more"] if rest else shown


def _paths(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where the two differ, as deep as both have the same shape."""
    if before == after:
        return
    before, after = _parsed(path, before), _parsed(path, after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}, key=str):
            yield from _paths(before.get(key), after.get(key), _below(path, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and before and after:
        yield from _list_paths(before, after, path)
    else:
        yield path


def _list_paths(before: list[Any], after: list[Any], path: str) -> Iterator[str]:
    # Containers, ports and variables are known by their names, wherever they stand.
    if all(isinstance(item, Mapping) and "name" in item for item in (*before, *after)):
        by_name = [{item["name"]: item for item in items} for items in (before, after)]
        found = [
            step
            for name in dict.fromkeys((*by_name[0], *by_name[1]))
            for step in _paths(by_name[0].get(name), by_name[1].get(name), f"{path}[{name}]")
        ]
        yield from found or [path]
        return
    for index in range(max(len(before), len(after))):
        yield from _paths(
            before[index] if index < len(before) else None,
            after[index] if index < len(after) else None,
            f"{path}[{index}]",
        )


def _below(path: str, key: str) -> str:
    if not path:
        return key
    return f"{path}[{key}]" if "." in key or "/" in key else f"{path}.{key}"


def _parsed(path: str, value: Any) -> Any:
    """A ConfigMap's files as documents, so that the paths lead into them."""
    if not isinstance(value, str):
        return value
    try:
        if path.endswith(".yaml]"):
            return yaml.safe_load(value)
        if path.endswith(".json]"):
            return json.loads(value)
    except (ValueError, RecursionError, yaml.YAMLError):
        # Somebody's edit by hand: the file as a whole has changed.
        return value
    return value
