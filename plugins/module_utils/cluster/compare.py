# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Desired and live objects side by side: stamped, untouched, equal, and shown to a person. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import fields
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import managed_fields
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    applied,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_APPLIED_HASH,
    CREDENTIAL_PREFIX,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Said by the API server: no part of what an object is meant to be.
_BOOKKEEPING = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"}
)


# In place of a value that a diff must not show.
HIDDEN = "(hidden)"


def stamped(manifest: Manifest, router: Router, with_owner: bool = True) -> Manifest:
    """With its owner, if it is to have one, and a hash of all that is asked for."""
    owner = {"ownerReferences": [router.owner_reference]} if with_owner else {}
    metadata = {**manifest["metadata"], **owner}
    owned = {**manifest, "metadata": metadata}
    annotations = {**(metadata.get("annotations") or {}), ANNOTATION_APPLIED_HASH: _hash(owned)}
    return {**owned, "metadata": {**metadata, "annotations": annotations}}


def is_untouched(desired: Manifest, live: Manifest) -> bool:
    """We have applied exactly this, and nobody has changed any of it since, or added to it where
    nobody else has a say."""
    if not is_what_was_applied(desired, live):
        return False
    is_whole = any(fields.covers(owned, desired) for owned in applied(live))
    return is_whole and managed_fields.is_exact(desired, live)


def is_what_was_applied(desired: Manifest, live: Manifest) -> bool:
    """The last that we have applied is exactly this, whatever has become of it."""
    annotations = live["metadata"].get("annotations") or {}
    wanted = desired["metadata"]["annotations"][ANNOTATION_APPLIED_HASH]
    return bool(annotations.get(ANNOTATION_APPLIED_HASH) == wanted)


def is_same(rehearsed: Manifest, live: Manifest) -> bool:
    """A write would change neither a value nor its ownership.

    It is so on a cluster whose admission rewrites a field of ours each time that we apply it.
    """
    return shown(rehearsed) == shown(live) and applied(rehearsed) == applied(live)


def difference(before: Manifest | None, after: Manifest | None) -> dict[str, Any]:
    """One entry of the result's ``diff``."""
    named = after or before or {}
    header = f"{named['kind']} {named['metadata']['namespace']}/{named['metadata']['name']}"
    return {
        "before_header": header,
        "after_header": header,
        "before": _without_credentials(shown(before)) if before else {},
        "after": _without_credentials(shown(after)) if after else {},
    }


def _without_credentials(value: Any) -> Any:
    """Environment entries whose value is a credential of spec.config keep their name only."""
    if isinstance(value, list):
        return [_without_credentials(item) for item in value]
    if not isinstance(value, dict):
        return value
    if str(value.get("name", "")).startswith(CREDENTIAL_PREFIX) and "value" in value:
        return {**value, "value": HIDDEN}
    return {key: _without_credentials(item) for key, item in value.items()}


def _hash(manifest: Manifest) -> str:
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def shown(manifest: Manifest) -> Manifest:
    """What an object is meant to be, without the API server's bookkeeping and ours."""
    metadata = manifest["metadata"]
    annotations = _without(metadata.get("annotations") or {}, {ANNOTATION_APPLIED_HASH})
    kept = {**_without(metadata, _BOOKKEEPING), "annotations": annotations}
    return {**_without(manifest, {"status"}), "metadata": kept}


def _without(mapping: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = frozenset(names)
    return {name: value for name, value in mapping.items() if name not in left_out}
