# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who says which fields of a live object are whose: the operator's own, and a former operator's.

An operator that updates objects, as upstream's in Go does, goes on owning what it has written when
another one applies: its probes, containers and ports stay for ever. So its entry becomes ours
before the first apply, which then removes what is not in it. (client-go calls it csaupgrade.)

The same is done with what anybody adds to the parts of an object in which nobody else has a say: an
item whose key was edited (a port's number), a container, the node's network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    FORMER_FIELD_MANAGER,
    FORMER_FINALIZER,
    KIND,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Entry = dict[str, Any]
Fields = dict[str, Any]

# Where nobody else has a say. Elsewhere others do: an autoscaler in a Deployment's number of pods,
# `kubectl rollout restart` in its template's annotations, a provisioner in all of a claim.
_SOLE = ("f:spec",)
_SOLE_OF: dict[str, tuple[str, ...] | None] = {
    "Deployment": ("f:spec", "f:template", "f:spec"),
    "PersistentVolumeClaim": None,
}
# What others give all the same: OpenShift a Route's host, cert-manager its certificate.
_GIVEN: dict[str, Fields] = {
    "Route": {
        "f:host": {},
        "f:subdomain": {},
        "f:tls": {
            f"f:{name}": {}
            for name in ("certificate", "key", "caCertificate", "externalCertificate")
        },
    },
}
# No JSON, and so no part of a key.
_LEFT_OUT = ""
# The variable by which Stakater's Reloader replaces pods when a Secret has changed. Who takes it
# away replaces them once more.
_RELOADED = re.compile(r'k:{"name":"STAKATER_\w+"}')


def applied(manifest: Manifest) -> list[dict[str, Any]]:
    """``fieldsV1`` of our entries: one at most, unless the kind has changed versions."""
    return [entry.get("fieldsV1") or {} for entry in _entries(manifest) if _is_ours(entry)]


def inherited(manifest: Manifest, router: Router) -> list[dict[str, Any]]:
    """``fieldsV1`` of what the former operator wrote and the router is about to take over.

    Kubebuilder calls every operator "manager". It is the router's former one if it has put its
    finalizer on the router, or has made the router the object's owner, or, of what is left behind,
    an earlier one of its name.
    """
    return [
        entry.get("fieldsV1") or {}
        for entry in _entries(manifest)
        if _is_former(entry) and (is_marked(router) or _makes_owner(entry, manifest, router))
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


def added(desired: Manifest, live: Manifest) -> Fields:
    """What others own of the parts that are ours alone, and ``desired`` has not."""
    found: Fields = {}
    for entry in _entries(live):
        if _is_of_others(entry, desired):
            found = _united(found, _surplus(entry, desired))
    return found


def is_exact(desired: Manifest, live: Manifest) -> bool:
    """There is nothing in these parts but what ``desired`` has, for all that is known of owners."""
    ours = filter(_is_ours, _entries(live))
    return not added(desired, live) and not any(_surplus(entry, desired) for entry in ours)


def taken_back(desired: Manifest, live: Manifest) -> list[Entry] | None:
    """``managedFields`` with all that is added in our entry: the next apply removes it."""
    surplus = added(desired, live)
    if not surplus:
        return None
    kept, mine = [], None
    for entry in _entries(live):
        if _is_ours(entry) and entry.get("apiVersion") == desired["apiVersion"]:
            mine = entry
        elif _is_of_others(entry, desired):
            left = _without(entry.get("fieldsV1") or {}, surplus)
            kept += [{**entry, "fieldsV1": left}] if left else []
        else:
            kept.append(entry)
    of_others = next(entry for entry in _entries(live) if _is_of_others(entry, desired))
    said = {"manager": FIELD_MANAGER, "operation": "Apply"}
    fields = _united((mine or {}).get("fieldsV1") or {}, surplus)
    return [{**(mine or of_others), **said, "fieldsV1": fields}, *kept]


def _is_of_others(entry: Entry, desired: Manifest) -> bool:
    """What an admission webhook adds to our own writes is under our name, and comes back anyway."""
    is_alike = entry.get("apiVersion") == desired["apiVersion"] and not entry.get("subresource")
    return is_alike and entry.get("manager") != FIELD_MANAGER


def _surplus(entry: Entry, desired: Manifest) -> Fields:
    way = _SOLE_OF.get(desired["kind"], _SOLE)
    if way is None:
        return {}
    owned: Any = entry.get("fieldsV1") or {}
    value: Any = desired
    for step in way:
        owned = owned.get(step) or {}
        value = value.get(step.removeprefix("f:")) or {}
    found = _without(_beyond(owned, value), _GIVEN.get(desired["kind"], {}))
    if found:
        for step in reversed(way):
            found = {step: found}
    return found


def _beyond(owned: Fields, value: Any) -> Fields:
    """The members of a set of fields that a value has not."""
    found: Fields = {}
    entries = Entries(value)
    for key, children in owned.items():
        if key == "." or _RELOADED.fullmatch(key):
            continue
        is_there, part = _part(key, value, entries)
        if not is_there:
            if not children:
                found[key] = {}
            elif kept := _unmarked(children):
                found[key] = kept
        elif beyond := _beyond(children, part):
            found[key] = beyond
    return found


def _unmarked(owned: Fields) -> Fields:
    """Without a reloader's marks; {} when there is nothing else."""
    kept = {
        key: _unmarked(children)
        for key, children in owned.items()
        if not _RELOADED.fullmatch(key) and (not children or _unmarked(children))
    }
    return kept if kept.keys() != {"."} or kept == owned else {}


def _part(key: str, value: Any, entries: Entries) -> tuple[bool, Any]:
    """Whether a value has a member, and which."""
    form, _, name = key.partition(":")
    if form == "f":
        found = value.get(name) if isinstance(value, dict) else None
        return found is not None, found
    wanted = json.loads(name)
    if form == "v":
        return isinstance(value, list) and wanted in value, None
    item = entries.of(wanted)
    return item is not None, item


class Entries:
    """The entries of a list by their keys. A list may have thousands, and each is looked up."""

    def __init__(self, value: Any) -> None:
        items = value if isinstance(value, list) else []
        self._items = [item for item in items if isinstance(item, Mapping)]
        self._by: dict[str, dict[str, list[Mapping[str, Any]]]] = {}

    def of(self, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """A part of a key that the manifest leaves out (a port's protocol) was defaulted by the
        server; an entry that leaves nothing out goes first."""
        name, given = next(iter(wanted.items()))
        if name not in self._by:
            self._by[name] = {}
            for item in self._items:
                said = json.dumps(item[name]) if name in item else _LEFT_OUT
                self._by[name].setdefault(said, []).append(item)
        found = self._by[name]
        alike = [
            item
            for item in (*found.get(json.dumps(given), ()), *found.get(_LEFT_OUT, ()))
            if all(item.get(part, value) == value for part, value in wanted.items())
        ]
        return max(alike, key=lambda item: len(wanted.keys() & item.keys()), default=None)


def _without(owned: Fields, part: Fields) -> Fields:
    """One set of fields less another."""
    left: Fields = {}
    for key, children in owned.items():
        if key not in part:
            left[key] = children
        elif part[key] and (rest := _without(children, part[key])):
            left[key] = rest
    return left


def _entries(manifest: Manifest) -> list[Entry]:
    return list(manifest["metadata"].get("managedFields") or [])


def _is_ours(entry: Entry) -> bool:
    said = entry.get("manager"), entry.get("operation")
    return said == (FIELD_MANAGER, "Apply") and not entry.get("subresource")


def _is_former(entry: Entry) -> bool:
    said = entry.get("manager"), entry.get("operation")
    return said == (FORMER_FIELD_MANAGER, "Update") and not entry.get("subresource")


def _makes_owner(entry: Entry, manifest: Manifest, router: Router) -> bool:
    metadata = (entry.get("fieldsV1") or {}).get("f:metadata") or {}
    references = manifest["metadata"].get("ownerReferences") or []
    routers = [
        item["uid"] for item in references if (item["kind"], item["name"]) == (KIND, router.name)
    ]
    owners = metadata.get("f:ownerReferences") or {}
    return any(f'k:{{"uid":"{uid}"}}' in owners for uid in (router.uid, *routers))


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
