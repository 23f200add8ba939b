# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Gateway's controller says about the live policies beside the HTTPRoutes.

Pure. While the policy that has the router asked is refused, each model request is answered with an
error, although the HTTPRoute was accepted.
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

# kgateway and agentgateway say both, Envoy Gateway the first.
_TELLING = ("Accepted", "Attached")


def admission_of(
    wanted: Sequence[str],
    live: Mapping[str, Manifest],
    gateway: Mapping[str, Any],
    has_pods: bool,
) -> Admission | None:
    """The first policy that is not in effect speaks; None when there is nothing to say.

    wanted: the policies, by kind and name. live: those that exist. gateway: spec.gateway.
    has_pods: a pod of the router answers. A policy that leads nowhere is refused until then.
    """
    for named in wanted:
        if verdict := _admission(named, live.get(named), gateway, has_pods):
            return verdict
    return None


def _admission(
    named: str, policy: Manifest | None, gateway: Mapping[str, Any], has_pods: bool
) -> Admission | None:
    reference = gateway["existingRef"]
    what = f"Gateway {reference['namespace']}/{reference['name']}"
    conditions = _conditions(policy, reference) if policy else {}
    said = conditions.get("Accepted") or {}
    generation = int(policy["metadata"]["generation"]) if policy else 0
    if not policy or int(said.get("observedGeneration") or 0) < generation:
        message = f"The controller of {what} has not looked at the latest {named} yet."
        return Admission("GatewayPolicyPending", message)
    refused = next((item for item in conditions.values() if _is_refusal(item)), None)
    if not refused:
        return None
    why = str(refused.get("message") or "it gives no explanation").strip().rstrip(".")
    message = f"{what} refuses {named} ({refused.get('reason')}): {why}."
    return Admission("GatewayPolicyNotAccepted", message, failing=has_pods)


def _is_refusal(condition: Mapping[str, Any]) -> bool:
    """Accepted is False, or only of a part; or, where it is told apart, it is attached to nothing.

    agentgateway calls a policy accepted of which it has left out what it did not understand.
    """
    if condition.get("type") not in _TELLING:
        return False
    return condition.get("status") != "True" or condition.get("reason") == "PartiallyValid"


def _conditions(policy: Manifest, reference: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What is said of it at the Gateway, by type; {} when nobody has spoken."""
    for ancestor in status_of(policy).get("ancestors") or []:
        named = ancestor.get("ancestorRef") or {}
        namespace = named.get("namespace") or policy["metadata"]["namespace"]
        if (named.get("name"), namespace) == (reference["name"], reference["namespace"]):
            return {str(item.get("type")): item for item in ancestor.get("conditions") or []}
    return {}
