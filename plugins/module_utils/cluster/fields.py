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
        return all(_covers_item(owned, item) for item in value)
    return True


def _covers_members(owned: Mapping[str, Any], members: Mapping[str, Any]) -> bool:
    return all(
        f"f:{name}" in owned and _covers(owned[f"f:{name}"], value)
        for name, value in members.items()
        # A null asks for nothing.
        if value is not None
    )


def _covers_item(owned: Mapping[str, Any], item: Any) -> bool:
    if not isinstance(item, Mapping):
        return any(
            key.startswith("v:") and json.loads(key.removeprefix("v:")) == item for key in owned
        )
    return any(
        key.startswith("k:")
        and _is_item(json.loads(key.removeprefix("k:")), item)
        # An item with nothing but its key, such as an ownerReference, is indivisible.
        and _covers(children, item)
        for key, children in owned.items()
    )


def _is_item(key: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """A key field that the manifest leaves out (a port's protocol) was defaulted by the server."""
    return all(item.get(name, value) == value for name, value in key.items())
