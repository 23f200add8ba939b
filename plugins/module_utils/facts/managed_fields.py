# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who says which fields of a live object are whose: the operator's own, and a former operator's.

An operator that updates objects, as upstream's in Go does, goes on owning what it has written when
another one applies: its probes, containers and ports stay for ever. So its entry becomes ours
before the first apply, which then removes what is not in it. (client-go calls it csaupgrade.)
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    FORMER_FIELD_MANAGER,
    FORMER_FINALIZER,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Entry = dict[str, Any]


def applied(manifest: Manifest) -> list[dict[str, Any]]:
    """``fieldsV1`` of our entries: one at most, unless the kind has changed versions."""
    return [entry.get("fieldsV1") or {} for entry in _entries(manifest) if _is_ours(entry)]


def inherited(manifest: Manifest, router: Router) -> list[dict[str, Any]]:
    """``fieldsV1`` of what the former operator wrote and the router is about to take over.

    Kubebuilder calls every operator "manager". It is the router's former one if it has put its
    finalizer on the router, or has made the router the object's owner.
    """
    return [
        entry.get("fieldsV1") or {}
        for entry in _entries(manifest)
        if _is_former(entry) and (is_marked(router) or _makes_owner(entry, router))
    ]


def is_marked(router: Router) -> bool:
    """The former operator has had the router, and it is not yet ours."""
    return FORMER_FINALIZER in (router.resource["metadata"].get("finalizers") or [])


def taken_over(manifest: Manifest, router: Router) -> list[Entry] | None:
    """``managedFields`` with the former operator's entries in ours; None when there are none."""
    if not inherited(manifest, router):
        return None
    kept = [entry for entry in _entries(manifest) if not _is_former(entry)]
    for former in filter(_is_former, _entries(manifest)):
        version = former.get("apiVersion")
        ours = next((e for e in kept if _is_ours(e) and e.get("apiVersion") == version), None)
        fields = _united((ours or {}).get("fieldsV1") or {}, former.get("fieldsV1") or {})
        said = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
        merged = {**former, **said}
        kept = [merged, *(entry for entry in kept if entry is not ours)]
    return kept


def _entries(manifest: Manifest) -> list[Entry]:
    return list(manifest["metadata"].get("managedFields") or [])


def _is_ours(entry: Entry) -> bool:
    said = entry.get("manager"), entry.get("operation")
    return said == (FIELD_MANAGER, "Apply") and not entry.get("subresource")


def _is_former(entry: Entry) -> bool:
    said = entry.get("manager"), entry.get("operation")
    return said == (FORMER_FIELD_MANAGER, "Update") and not entry.get("subresource")


def _makes_owner(entry: Entry, router: Router) -> bool:
    metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    return f'k:{{"uid":"{router.uid}"}}' in (metadata.get("f:ownerReferences") or {})


def _united(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both sets of fields."""
    return {
        **one,
        **{key: _united_at(key, one, other) for key in other},
    }


def _united_at(key: str, one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    if key not in one:
        return dict(other[key])
    both = _united(one[key], other[key])
    # A leaf is itself a member of its set; beside others below it, a dot says so.
    return both if bool(one[key]) == bool(other[key]) else {**both, ".": {}}
