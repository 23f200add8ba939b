# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has set the number of pods, and who else looks after them: what the cluster says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Scale
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    applied,
    inherited,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import selects
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_REPLICAS_SET_ASIDE,
    Manifest,
    is_labelled,
    pod_labels,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def scale_of(router: Router, deployment: Manifest | None) -> Scale | None:
    """The number of pods that the live Deployment asks for.

    A number that a former operator set counts as ours: it is about to be.
    """
    if deployment is None:
        return None
    annotations = deployment["metadata"].get("annotations") or {}
    owned = [*applied(deployment), *inherited(deployment, router)]
    return Scale(
        replicas=wanted_replicas(deployment),
        ours=any("f:replicas" in fields.get("f:spec", {}) for fields in owned),
        set_aside=str(annotations.get(ANNOTATION_REPLICAS_SET_ASIDE, "")),
    )


def wanted_replicas(deployment: Manifest) -> int:
    """spec.replicas of the Deployment; Kubernetes takes an absent one as 1."""
    wanted = deployment["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def foreign_budgets(router: Router, budgets: Iterable[Manifest]) -> list[str]:
    """Names of the PodDisruptionBudgets that cover the router's pods and are not its own."""
    carried = pod_labels(router.name, router.spec)
    return sorted(
        str(budget["metadata"]["name"])
        for budget in budgets
        if not _is_own(budget, router) and _covers(budget, carried)
    )


def foreign_autoscalers(router: Router, autoscalers: Iterable[Manifest]) -> list[str]:
    """Names of the HorizontalPodAutoscalers that scale the router's Deployment and are not its own.

    KEDA makes such ones. One that scales the SemanticRouter sets spec.replicas alone.
    """
    return sorted(
        str(autoscaler["metadata"]["name"])
        for autoscaler in autoscalers
        if not _is_own(autoscaler, router) and _scales(autoscaler, router)
    )


def _scales(autoscaler: Manifest, router: Router) -> bool:
    target = (autoscaler.get("spec") or {}).get("scaleTargetRef") or {}
    return (target.get("kind"), target.get("name")) == ("Deployment", router.name)


def _is_own(item: Manifest, router: Router) -> bool:
    references = item["metadata"].get("ownerReferences") or []
    if references:
        return any(reference.get("uid") == router.uid for reference in references)
    # Restored from a backup: apply takes it over.
    return is_labelled(item, router.name)


def _covers(budget: Manifest, carried: Mapping[str, str]) -> bool:
    # To a budget, no selector means no pod and an empty one every pod.
    selector = (budget.get("spec") or {}).get("selector")
    return selector is not None and selects(selector, carried)
