# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking over what upstream's operator in Go has left: its fields, and its finalizer.

Which fields those are is ``facts/managed_fields.py``; the whole story is docs/migration.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    JSON_PATCH,
    MERGE_PATCH,
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    router_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import managed_fields
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    FORMER_FINALIZER,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# The status of a Deployment whose pods come and go is written all the time.
_ATTEMPTS = 3


def is_due(live: Manifest, router: Router) -> bool:
    """The former operator still owns fields of an object that the router is about to apply.

    Not of a claim: next to nothing of one may change, and a field that its owner no longer gives
    is a change.
    """
    is_claim = not resources.resource_of(live).prune
    return not is_claim and bool(managed_fields.inherited(live, router))


def take_over(client: Client, live: Manifest, router: Router) -> Manifest:
    """Give its fields to us. No value changes, and no pod: the apply that comes next does that."""
    return _given_over(client, live, lambda now: managed_fields.taken_over(now, router))


def take_back(client: Client, desired: Manifest, live: Manifest) -> Manifest:
    """Likewise with what anybody has added where nobody else has a say."""
    return _given_over(client, live, lambda now: managed_fields.taken_back(desired, now))


def _given_over(
    client: Client,
    live: Manifest,
    entries_of: Callable[[Manifest], list[managed_fields.Entry] | None],
) -> Manifest:
    path = resources.path(live)
    for _ in range(_ATTEMPTS):
        entries = entries_of(live)
        if entries is None:
            return live
        version = live["metadata"]["resourceVersion"]
        patch = {"metadata": {"managedFields": entries, "resourceVersion": version}}
        try:
            return client.patch(path, patch, MERGE_PATCH, {"fieldManager": FIELD_MANAGER})
        except ApiError as error:
            if error.status != 409:
                raise
            conflict = error
        live = client.get(path) or live
    raise conflict


def as_new(desired: Manifest) -> Manifest:
    """The same under a name that nobody has.

    In a dry run nothing can be taken over first, and the API server may refuse what it makes of two
    operators' fields: a probe of two kinds, two ports of one name.
    """
    digest = hashlib.sha256(desired["metadata"]["name"].encode()).hexdigest()[:16]
    return {**desired, "metadata": {**desired["metadata"], "name": f"takeover-{digest}"}}


def foreseen(
    desired: Manifest, live: Manifest, made: Manifest, former: Sequence[managed_fields.Fields]
) -> Manifest:
    """What the object will be after it is taken over. made: the API server's answer to as_new().

    former: the fields that go. What neither asks for is kept: the address of a Service, the number
    of an autoscaler.
    """

    def with_others(new: Mapping[str, Any], *path: str) -> dict[str, Any]:
        asked = _at(desired, path)
        owned = {key for fields in former for key in _at(fields, [f"f:{step}" for step in path])}
        others = {
            key: value
            for key, value in _at(live, path).items()
            if key not in asked and f"f:{key}" not in owned
        }
        return {**new, **others}

    described = {
        part: with_others(_at(desired, ("metadata", part)), "metadata", part)
        for part in ("labels", "annotations")
    }
    body = {
        key: with_others(value, key)
        for key, value in made.items()
        if isinstance(value, Mapping) and key not in ("metadata", "status")
    }
    metadata = {**live["metadata"], **desired["metadata"], **described}
    return {**made, **body, "metadata": metadata}


def _at(manifest: Mapping[str, Any], path: Iterable[str]) -> Mapping[str, Any]:
    found: Any = manifest
    for step in path:
        found = found.get(step) or {}
    return found if isinstance(found, Mapping) else {}


def release(client: Client, router: Router) -> list[Problem]:
    """Take the former operator's finalizer off the router, and that one alone.

    Deletion is the garbage collector's work. Why it could not be done, to be tried again.
    """
    finalizers = router.resource["metadata"].get("finalizers") or []
    if FORMER_FINALIZER not in finalizers:
        return []
    place = f"/metadata/finalizers/{finalizers.index(FORMER_FINALIZER)}"
    # Nobody else's that was put there meanwhile may be lost.
    patch = [
        {"op": "test", "path": place, "value": FORMER_FINALIZER},
        {"op": "remove", "path": place},
    ]
    path = router_path(router.name, router.namespace)
    try:
        client.patch(path, patch, JSON_PATCH, {"fieldManager": FIELD_MANAGER})
    except ApiError as error:
        return [_held(error)] if error.status not in (404, 409, 422) else []
    return []


def _held(error: ApiError) -> Problem:
    return Problem(
        reason=error.problem.reason,
        field="",
        found=f"the finalizer {FORMER_FINALIZER} of the former operator cannot be removed: "
        f"{error.problem.found}",
        remedy=error.problem.remedy,
        retry=True,
        blocking=False,
    )
