# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Envoy Gateway says about the live policies beside the models' HTTPRoute.

Pure. While the EnvoyExtensionPolicy is refused, it answers each model request with an error,
although it has accepted the HTTPRoute.
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


def admission_of(
    wanted: Sequence[str],
    live: Mapping[str, Manifest],
    gateway: Mapping[str, Any],
    has_pods: bool,
) -> Admission | None:
    """The first policy that is not in effect speaks; None when there is nothing to say.

    wanted: kinds of the policies. live: those that exist, by kind. gateway: spec.gateway.
    has_pods: a pod of the router answers. A policy that leads nowhere is refused until then.
    """
    for kind in wanted:
        if verdict := _admission(kind, live.get(kind), gateway, has_pods):
            return verdict
    return None


def _admission(
    kind: str, policy: Manifest | None, gateway: Mapping[str, Any], has_pods: bool
) -> Admission | None:
    reference = gateway["existingRef"]
    what = f"Gateway {reference['namespace']}/{reference['name']}"
    said = _accepted(policy, reference) if policy else {}
    generation = int(policy["metadata"]["generation"]) if policy else 0
    if not policy or int(said.get("observedGeneration") or 0) < generation:
        message = f"The controller of {what} has not looked at the latest {kind} yet."
        return Admission("GatewayPolicyPending", message)
    if said.get("status") == "True":
        return None
    why = str(said.get("message") or "it gives no explanation").strip().rstrip(".")
    named = f"{kind} {policy['metadata']['name']}"
    message = f"{what} refuses {named} ({said.get('reason')}): {why}."
    return Admission("GatewayPolicyNotAccepted", message, failing=has_pods)


def _accepted(policy: Manifest, reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Condition Accepted of the Gateway; {} when nobody has spoken."""
    for ancestor in status_of(policy).get("ancestors") or []:
        named = ancestor.get("ancestorRef") or {}
        namespace = named.get("namespace") or policy["metadata"]["namespace"]
        if (named.get("name"), namespace) == (reference["name"], reference["namespace"]):
            conditions = ancestor.get("conditions") or []
            return next((item for item in conditions if item.get("type") == "Accepted"), {})
    return {}
