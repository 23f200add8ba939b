# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many pods there are and who says so: spec.replicas, an autoscaler, or one that has gone.

While an autoscaler runs, the router's own or somebody else's (KEDA's, say), the count is nobody's
but its own. When it is switched off, the pods stay as many as they are until somebody changes
spec.replicas; the value that does not count until then stands in an annotation of the Deployment.
Why: docs/adr/0010-autoscaler-handover.md.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_REPLICAS_SET_ASIDE,
    Manifest,
    metadata,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Below two pods a budget would only keep a node from being drained.
_FEWEST_PODS_WITH_BUDGET = 2


def horizontal_pod_autoscaler(router: Router, facts: Facts) -> list[Manifest]:
    """The autoscaler of the Deployment; none beside one of somebody else's.

    It measures whole pods: ContainerResource, which would leave Envoy out, is younger than the
    oldest Kubernetes that is supported.
    """
    wanted = router.spec["autoscaling"]
    if not wanted["enabled"] or facts.foreign_autoscalers:
        return []
    targets = {
        "cpu": wanted["targetCPUUtilizationPercentage"],
        "memory": wanted.get("targetMemoryUtilizationPercentage"),
    }
    return [
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata(router.name, router.namespace),
            "spec": {
                "scaleTargetRef": {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": router.name,
                },
                "minReplicas": wanted["minReplicas"],
                "maxReplicas": wanted["maxReplicas"],
                "metrics": [
                    *(_metric(name, target) for name, target in targets.items() if target),
                    *compact(wanted.get("metrics") or []),
                ],
                **given(wanted, "behavior"),
            },
        }
    ]


def pod_disruption_budget(router: Router, facts: Facts) -> list[Manifest]:
    """How many pods a node drain may take at a time.

    None beside one of the user's own: Kubernetes refuses to evict a pod that two budgets cover.
    """
    wanted = router.spec.get("podDisruptionBudget") or {}
    enabled = wanted.get("enabled")
    if enabled is None:
        enabled = fewest_pods(router, facts) >= _FEWEST_PODS_WITH_BUDGET
    if not enabled or facts.foreign_budgets:
        return []
    return [
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(router.name, router.namespace),
            "spec": {
                **_budget(wanted),
                # What is not ready serves nobody, and may not be put right on this node.
                "unhealthyPodEvictionPolicy": wanted.get("unhealthyPodEvictionPolicy")
                or "AlwaysAllow",
                "selector": {"matchLabels": selector(router.name)},
            },
        }
    ]


def deployment_replicas(router: Router, facts: Facts) -> dict[str, int]:
    """The Deployment's ``replicas`` field; no field at all where the count is somebody else's.

    A field that we applied and then leave out is gone, and the API server puts its default of 1 in
    its place. So it is left out only after somebody else has set it, and until then repeats what is
    there.
    """
    if _spec_decides(router, facts):
        return {"replicas": router.spec["replicas"]}
    if facts.scale is None or not facts.scale.ours:
        return {}
    live = facts.scale.replicas
    scaling = router.spec["autoscaling"]
    if scaling["enabled"] and not facts.foreign_autoscalers:
        # From 0 an autoscaler never starts.
        live = min(max(live, scaling["minReplicas"]), scaling["maxReplicas"])
    return {"replicas": live}


def deployment_annotations(router: Router, facts: Facts) -> dict[str, str]:
    """Which spec.replicas is not in effect; nothing where it is."""
    if _spec_decides(router, facts):
        return {}
    return {ANNOTATION_REPLICAS_SET_ASIDE: str(router.spec["replicas"])}


def fewest_pods(router: Router, facts: Facts) -> int:
    """As few pods as there can be while everything is well."""
    if router.spec["autoscaling"]["enabled"] and not facts.foreign_autoscalers:
        return int(router.spec["autoscaling"]["minReplicas"])
    if facts.scale is None or _spec_decides(router, facts):
        return int(router.spec["replicas"])
    return facts.scale.replicas


def _spec_decides(router: Router, facts: Facts) -> bool:
    if router.spec["autoscaling"]["enabled"] or facts.foreign_autoscalers:
        return False
    return facts.scale is None or facts.scale.set_aside != str(router.spec["replicas"])


def _metric(name: str, target: int) -> dict[str, Any]:
    return {
        "type": "Resource",
        "resource": {
            "name": name,
            "target": {"type": "Utilization", "averageUtilization": target},
        },
    }


def _budget(wanted: dict[str, Any]) -> dict[str, Any]:
    for name in ("minAvailable", "maxUnavailable"):
        if wanted.get(name) is not None:
            return {name: wanted[name]}
    return {"maxUnavailable": 1}
