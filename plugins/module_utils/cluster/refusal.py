# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the API server dislikes in an object, as what is to be done about the SemanticRouter.

A place that comes from no field is reported by its place alone: better than a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import place
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Cause,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.ownership import (
    described,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.provenance import Source
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    look_up,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# An Invalid answer may repeat whole maps.
_LONGEST = 600
_MOST = 8

_TOO_LONG = "FieldValueTooLong"
_SIZE: Path = ("spec", "resources", "requests", "storage")

_FIXED = re.compile(r"immutable|may not change once set|can not be less than", re.IGNORECASE)


def problems(
    error: ApiError,
    manifest: Manifest,
    live: Manifest | None,
    source: Source,
    *,
    is_live_to_blame: bool = False,
) -> list[Problem]:
    """One Problem for each cause the API server gives, or one for all if it gives none.

    source: of the manifest, provenance.source_of().
    is_live_to_blame: what others made of the live object is in the way of a manifest that is right.
    """
    if error.problem.retry:
        return [_of_the_cluster(error, manifest, source)]
    causes = error.causes[:_MOST] or (Cause(reason="", message=error.message, field=""),)
    if is_live_to_blame:
        return [_of_the_live_object(causes, manifest)]
    # The API server repeats itself.
    return list(dict.fromkeys(_of_the_spec(cause, manifest, live, source) for cause in causes))


def is_about_what_cannot_change(error: ApiError) -> bool:
    """A field that was set once has another value now, in the manifest or in the live object."""
    told = [error.message, *(cause.message for cause in error.causes)]
    return any(_FIXED.search(text) for text in told)


def _of_the_cluster(error: ApiError, manifest: Manifest, source: Source) -> Problem:
    field = ""
    if _is_refused_growth(error, manifest):
        field = source(_SIZE)
    elif error.problem.reason == "Forbidden":
        # A policy's word may be as good as validation's.
        field = _named_field(error.message, manifest, source)
    return Problem(
        reason=error.problem.reason,
        field=field,
        found=f"{described(manifest)} cannot be written: {_short(error.message)}",
        remedy=error.problem.remedy,
        retry=True,
    )


def _of_the_spec(
    cause: Cause, manifest: Manifest, live: Manifest | None, source: Source
) -> Problem:
    spelled = _fixed_claim_field(manifest, live) if cause.field == "spec" else cause.field
    path = place.path(spelled, manifest)
    if cause.reason == _TOO_LONG:
        path = place.longest(path, manifest)
        if manifest["kind"] == "ConfigMap":
            return _too_much_text(cause, manifest, path, source)
    if path:
        field = source(place.narrowed(path, cause.message, manifest))
    else:
        field = _named_field(cause.message, manifest, source) or source(path)
    where = f"{spelled}: " if path else ""
    remedy = f"Correct {field or 'the SemanticRouter'} as the message says"
    if live is not None and _FIXED.search(cause.message):
        remedy = _way_out(manifest, field)
    return Problem(
        reason="ApplyRefused",
        field=field,
        found=f"{described(manifest)} is refused: {where}{_short(cause.message)}",
        remedy=remedy,
    )


def _of_the_live_object(causes: Iterable[Cause], manifest: Manifest) -> Problem:
    told = dict.fromkeys(
        f"{cause.field}: {_short(cause.message)}" if cause.field else _short(cause.message)
        for cause in causes
    )
    remedy = "Take back what others have changed in it"
    if manifest["kind"] != "PersistentVolumeClaim":
        remedy += ", or delete it: the operator creates it anew"
    return Problem(
        reason="ApplyRefused",
        field="",
        found=f"{described(manifest)}, as it is now, does not go with what the operator would "
        f"write: {'; '.join(told)}",
        remedy=remedy,
        # Without an edit of the SemanticRouter: whoever changed it may change it back.
        retry=True,
    )


def _too_much_text(cause: Cause, manifest: Manifest, path: Path, source: Source) -> Problem:
    field = source(path)
    size = len(str(look_up(manifest, path)).encode())
    return Problem(
        reason="ApplyRefused",
        field=field,
        found=f"{described(manifest)} is refused: {path[-1]} has {size:,} bytes "
        f"({_short(cause.message)})",
        remedy=f"Shorten {field or 'the SemanticRouter'}, or divide it among several routers",
    )


def _named_field(message: str, manifest: Manifest, source: Source) -> str:
    """The field that the first place in a message comes from which has one."""
    fields = (source(named) for named in place.named_in(message, manifest))
    return next((field for field in fields if field), "")


def _fixed_claim_field(manifest: Manifest, live: Manifest | None) -> str:
    """A claim's refusal blames the whole spec; two fields of it are ours and can never change."""
    if manifest["kind"] != "PersistentVolumeClaim" or live is None:
        return "spec"
    if manifest["spec"]["accessModes"] != live["spec"]["accessModes"]:
        return "spec.accessModes"
    return "spec.storageClassName"


def _way_out(manifest: Manifest, field: str) -> str:
    back = f"Set {field} back" if field else "Take the change back"
    if manifest["kind"] == "PersistentVolumeClaim":
        return (
            f"{back}, name a claim of your own in spec.persistence.existingClaim, or, if the "
            f"models may be downloaded again, delete {described(manifest)}"
        )
    return f"{back}, or delete {described(manifest)}: the operator creates it anew"


def _is_refused_growth(error: ApiError, manifest: Manifest) -> bool:
    return manifest["kind"] == "PersistentVolumeClaim" and "pvc can be resized" in error.message


def _short(message: str) -> str:
    first = message.strip().split("\n", 1)[0].rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[:_LONGEST]}..."
