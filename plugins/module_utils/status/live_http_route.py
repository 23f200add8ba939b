# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the Gateway's controller says about the live HTTPRoutes, in words that stay put.

Pure. What follows from it for a SemanticRouter is ``admission.py``; the reads are in
``cluster/status.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_route import (
    Admission,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    status_of,
)

_MEANING = {
    "Accepted": "HTTPRouteNotAccepted",
    "ResolvedRefs": "HTTPRouteRefsNotResolved",
}


def admission_of(
    wanted: Sequence[str], live: Mapping[str, Manifest], gateway: Mapping[str, Any]
) -> Admission:
    """The verdict over all of a router's HTTPRoutes: the first that is not served speaks.

    wanted: names of the HTTPRoutes. live: those that exist. gateway: spec.gateway.
    """
    verdicts = [_admission(name, live.get(name), gateway) for name in wanted]
    missing = [verdict for verdict in verdicts if not verdict.ready]
    failing = [verdict for verdict in missing if verdict.failing]
    return next(iter([*failing, *missing, *verdicts]))


def _admission(name: str, route: Manifest | None, gateway: Mapping[str, Any]) -> Admission:
    if route is None:
        return Admission("HTTPRouteMissing", f"HTTPRoute {name} does not exist yet.")
    reference = gateway["existingRef"]
    what = f"Gateway {reference['namespace']}/{reference['name']}"
    parents = [
        parent
        for parent in status_of(route).get("parents") or []
        if _is_ours(parent.get("parentRef") or {}, gateway, route)
    ]
    if not parents:
        message = f"No controller has looked at HTTPRoute {name} for {what} yet."
        return Admission("HTTPRoutePending", message)
    for kind, reason in _MEANING.items():
        said = next((item for item in _conditions(parents[0]) if item.get("type") == kind), {})
        if int(said.get("observedGeneration") or 0) < int(route["metadata"]["generation"]):
            message = f"The controller of {what} has not looked at the latest HTTPRoute {name} yet."
            return Admission("HTTPRoutePending", message)
        if said.get("status") != "True":
            return Admission(reason, _refusal(name, what, said), failing=True)
    return Admission("HTTPRouteAccepted", f"{what} serves HTTPRoute {name}.", ready=True)


def _is_ours(parent: Mapping[str, Any], gateway: Mapping[str, Any], route: Manifest) -> bool:
    reference = gateway["existingRef"]
    return (
        parent.get("name"),
        parent.get("namespace") or route["metadata"]["namespace"],
        parent.get("sectionName") or "",
    ) == (reference["name"], reference["namespace"], gateway.get("sectionName") or "")


def _conditions(parent: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(parent.get("conditions") or [])


def _refusal(name: str, what: str, said: Mapping[str, Any]) -> str:
    why = str(said.get("message") or "it gives no explanation").strip().rstrip(".")
    return f"{what} does not serve HTTPRoute {name} ({said.get('reason')}): {why}."
