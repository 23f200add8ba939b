# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does a managedFields entry still hold every field of a manifest? Compares no values.

When somebody edits a field that we applied, the API server takes it out of our entry. So an entry
that still covers the manifest of which it was made says that nothing of it was touched, however
the server spells the values now (``1000m`` becomes ``1``, an empty string disappears).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    Entries,
)

# Part of an object's address: no entry ever lists them.
_ADDRESS = frozenset({"apiVersion", "kind"})
_ADDRESS_METADATA = frozenset({"name", "namespace"})


def covers(fields_v1: Mapping[str, Any], manifest: Mapping[str, Any]) -> bool:
    """True if every leaf of ``manifest`` is in ``fields_v1`` (an entry's ``fieldsV1``)."""
    body = {name: value for name, value in manifest.items() if name not in _ADDRESS}
    metadata = {
        name: value
        for name, value in body.pop("metadata", {}).items()
        if name not in _ADDRESS_METADATA
    }
    if metadata:
        body["metadata"] = metadata
    return _covers_members(fields_v1, body)


def _covers(owned: Mapping[str, Any], value: Any) -> bool:
    # No children: the schema makes this map or list one indivisible value, and it is ours.
    if not owned:
        return True
    if isinstance(value, Mapping):
        return _covers_members(owned, value)
    if isinstance(value, list):
        return _covers_items(owned, value)
    return True


def _covers_members(owned: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    return all(
        f"f:{name}" in owned and _covers(owned[f"f:{name}"], value)
        for name, value in members.items()
        # A null asks for nothing.
        if value is not None
    )


def _covers_items(owned: Mapping[str, Any], items: list[Any]) -> bool:
    entries = Entries(items)
    covered: set[Any] = set()
    for key, children in owned.items():
        form, _, name = key.partition(":")
        if form == "v":
            # Go and Python escape other letters.
            covered.add(json.dumps(json.loads(name)))
        elif form == "k":
            item = entries.of(json.loads(name))
            # An item with nothing but its key, such as an ownerReference, is indivisible.
            if item is not None and _covers(children, item):
                covered.add(id(item))
    return all(_named(item) in covered for item in items)


def _named(item: Any) -> Any:
    """As the API server names a text of a set, which has no keys."""
    return id(item) if isinstance(item, Mapping) else json.dumps(item)
