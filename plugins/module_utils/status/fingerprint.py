# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a run has anything to do: it has not, when it finds what the last complete one left.

Everything that objects and status are made of goes into one hash, which the complete run leaves in
``status.fingerprint``. So a run that changes nothing needs no second way to see that nothing would
change: the same code given the same input gives the same output. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_DOORBELL,
    API_VERSION,
    DOORBELL_MANAGER,
    Manifest,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

FIELD = "fingerprint"
_TIMES = ("time", "lastTransitionTime", "lastUpdateTime", "lastProbeTime")
_MEASURES = "HorizontalPodAutoscaler"
_GROUP_PREFIX = API_VERSION.partition("/")[0] + "/"


def fingerprint(
    code: str, situation: Situation, live: Iterable[Manifest], status: Mapping[str, Any]
) -> str:
    """32 hexadecimal digits.

    code: a digest of this collection. live: what the cluster has of the router's objects; those of
    others among them do not count, nor does the situation's workload, which was made of them.
    status: with or without a fingerprint of its own.
    """
    router = situation.router
    seen = {
        "code": code,
        "router": [router.uid, router.generation, _switches(router)],
        "facts": situation.facts.as_dict(),
        "problems": [problem.as_dict() for problem in situation.problems],
        "live": sorted(
            (_readable(item) for item in live if _is_labelled(item, router)),
            key=lambda item: (item["apiVersion"], item["kind"], item["metadata"]["name"]),
        ),
        "status": {key: value for key, value in status.items() if key != FIELD},
    }
    text = json.dumps(seen, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _switches(router: Router) -> dict[str, str]:
    """The annotations that mean something here; others come and go without a write of ours."""
    return {
        key: value for key, value in router.annotations.items() if key.startswith(_GROUP_PREFIX)
    }


def _readable(manifest: Manifest) -> Manifest:
    """What a run may go by: all but versions, times, doorbells, and a status that nobody reads.

    Whoever repeats its verdict on a Route, and an autoscaler that measures, changes only these.
    """
    metadata = {**manifest["metadata"]}
    metadata.pop("resourceVersion", None)
    measures = manifest["kind"] == _MEASURES
    metadata["managedFields"] = [
        _timeless(entry)
        for entry in metadata.get("managedFields") or []
        if entry.get("manager") != DOORBELL_MANAGER
        and not (measures and entry.get("subresource") == "status")
    ]
    metadata["annotations"] = {
        key: value
        for key, value in (metadata.get("annotations") or {}).items()
        if key != ANNOTATION_DOORBELL
    }
    readable = {**manifest, "metadata": metadata}
    status = readable.pop("status", None)
    if not measures:
        readable["status"] = _timeless(status)
    return readable


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in _TIMES}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _is_labelled(manifest: Manifest, router: Router) -> bool:
    labels = manifest["metadata"].get("labels") or {}
    return selector(router.name).items() <= labels.items()
