# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From what the API server dislikes in an object to the field of the SemanticRouter it came from.

A field that no rule knows is reported by its place in the object: better than a guess.
"""

from __future__ import annotations

import re

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Cause,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.ownership import (
    described,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# An Invalid answer may repeat whole maps.
_LONGEST = 600
_MOST = 8

_POD = r"spec\.template\.spec\."
# Envoy's container comes second and is not the user's to configure field by field.
_ROUTER_CONTAINER = _POD + r"containers\[(?:0|name=\"(?!envoy)[^\"]*\")\]\."

_PLACES = tuple(
    (kind, re.compile(pattern), field)
    for kind, pattern, field in (
        ("Deployment", r"spec\.replicas", "spec.replicas"),
        ("Deployment", r"spec\.template\.metadata\.annotations.*", "spec.podAnnotations"),
        (
            "Deployment",
            _POD + r"((?:affinity|tolerations|nodeSelector|imagePullSecrets)\b.*)",
            r"spec.\1",
        ),
        ("Deployment", _POD + r"securityContext(.*)", r"spec.podSecurityContext\1"),
        ("Deployment", _POD + r"serviceAccountName", "spec.serviceAccount.name"),
        (
            "Deployment",
            _ROUTER_CONTAINER + r"((?:resources|securityContext|\w+Probe)\b.*)",
            r"spec.\1",
        ),
        # Entries of ours stand among the user's: an index would mislead.
        ("Deployment", _ROUTER_CONTAINER + r"(env|args)\b.*", r"spec.\1"),
        ("Deployment", _ROUTER_CONTAINER + r"image\b.*", "spec.image"),
        ("Service", r"spec\.type", "spec.service.type"),
        ("Service", r"spec\.ports\b.*", "spec.service"),
        ("HTTPRoute", r"spec\.hostnames(.*)", r"spec.gateway.hostnames\1"),
        ("HTTPRoute", r"spec\.parentRefs.*", "spec.gateway"),
        ("HTTPRoute", r"spec\.rules.*", "spec.vllmEndpoints"),
        ("Route", r"spec\.host", "spec.openshift.routes.hostname"),
        ("Route", r"spec\.tls(.*)", r"spec.openshift.routes.tls\1"),
        ("PersistentVolumeClaim", r"spec\.resources\b.*", "spec.persistence.size"),
        ("PersistentVolumeClaim", r"spec\.storageClassName", "spec.persistence.storageClassName"),
        ("PersistentVolumeClaim", r"spec\.accessModes\b.*", "spec.persistence.accessMode"),
        (
            "PersistentVolumeClaim",
            r"metadata\.annotations.*",
            "spec.persistence.annotations",
        ),
        ("ServiceAccount", r"metadata\.annotations.*", "spec.serviceAccount.annotations"),
        ("ServiceAccount", r"metadata\.name", "spec.serviceAccount.name"),
    )
)

# What fills a ConfigMap, which holds 1 MiB, by its keys.
_FILLED_BY = {
    "tools_db.json": "spec.toolsDb",
    "config.yaml": "spec.config",
    "envoy.yaml": "spec.vllmEndpoints",
}
_TOO_LONG = "FieldValueTooLong"

_FIXED = re.compile(r"immutable|may not change once set|can not be less than", re.IGNORECASE)


def problems(error: ApiError, manifest: Manifest, live: Manifest | None) -> list[Problem]:
    """One Problem for each cause the API server gives, or one for all if it gives none."""
    if error.problem.retry:
        field = "spec.persistence.size" if _is_refused_growth(error, manifest) else ""
        return [_of_the_cluster(error, manifest, field)]
    causes = error.causes[:_MOST] or (Cause(reason="", message=error.message, field=""),)
    # The API server repeats itself.
    return list(dict.fromkeys(_of_the_spec(cause, manifest, live) for cause in causes))


def _of_the_cluster(error: ApiError, manifest: Manifest, field: str) -> Problem:
    return Problem(
        reason=error.problem.reason,
        field=field,
        found=f"{described(manifest)} cannot be written: {_short(error.message)}",
        remedy=error.problem.remedy,
        retry=True,
    )


def _of_the_spec(cause: Cause, manifest: Manifest, live: Manifest | None) -> Problem:
    if manifest["kind"] == "ConfigMap" and cause.reason == _TOO_LONG:
        return _too_much_text(cause, manifest)
    place = _fixed_claim_field(manifest, live) if cause.field == "spec" else cause.field
    field = _field(manifest["kind"], place)
    where = f"{place}: " if place and place != "[]" else ""
    remedy = f"Correct {field or 'the SemanticRouter'} as the message says"
    if live is not None and _FIXED.search(cause.message):
        remedy = _way_out(manifest, field)
    return Problem(
        reason="ApplyRefused",
        field=field,
        found=f"{described(manifest)} is refused: {where}{_short(cause.message)}",
        remedy=remedy,
    )


def _too_much_text(cause: Cause, manifest: Manifest) -> Problem:
    data = manifest["data"]
    longest = max(data, key=lambda key: len(data[key].encode()))
    field = _FILLED_BY.get(longest, "")
    return Problem(
        reason="ApplyRefused",
        field=field,
        found=f"{described(manifest)} is refused: {longest} has {len(data[longest].encode()):,} "
        f"bytes ({_short(cause.message)})",
        remedy=f"Shorten {field or 'the SemanticRouter'}, or divide it among several routers",
    )


def _field(kind: str, place: str) -> str:
    for of_kind, pattern, field in _PLACES:
        if of_kind == kind and (match := pattern.fullmatch(place)):
            return match.expand(field)
    return ""


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
