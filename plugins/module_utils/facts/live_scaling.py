# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who has set the number of pods, and who else looks after them: what the cluster says. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Scale
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_REPLICAS_SET_ASIDE,
    FIELD_MANAGER,
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    Manifest,
    labels,
    pod_labels,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def scale_of(deployment: Manifest | None) -> Scale | None:
    """The number of pods that the live Deployment asks for."""
    if deployment is None:
        return None
    annotations = deployment["metadata"].get("annotations") or {}
    wanted = deployment["spec"].get("replicas")
    return Scale(
        replicas=1 if wanted is None else int(wanted),
        ours=any(
            "f:replicas" in (entry.get("fieldsV1") or {}).get("f:spec", {})
            for entry in deployment["metadata"].get("managedFields") or []
            if entry.get("manager") == FIELD_MANAGER
            and entry.get("operation") == "Apply"
            and not entry.get("subresource")
        ),
        set_aside=str(annotations.get(ANNOTATION_REPLICAS_SET_ASIDE, "")),
    )


def foreign_budgets(router: Router, budgets: Iterable[Manifest]) -> list[str]:
    """Names of the PodDisruptionBudgets that cover the router's pods and are not its own."""
    carried = pod_labels(router.name, router.spec)
    return sorted(
        str(budget["metadata"]["name"])
        for budget in budgets
        if not _is_own(budget, router)
        and _selects((budget.get("spec") or {}).get("selector"), carried)
    )


def _is_own(budget: Manifest, router: Router) -> bool:
    described = budget["metadata"]
    references = described.get("ownerReferences") or []
    if references:
        return any(reference.get("uid") == router.uid for reference in references)
    # Restored from a backup: apply takes it over.
    own = labels(router.name)
    found = described.get("labels") or {}
    return all(found.get(key) == own[key] for key in (LABEL_INSTANCE, LABEL_MANAGED_BY))


def _selects(selector: Mapping[str, Any] | None, carried: Mapping[str, str]) -> bool:
    # To a budget, no selector means no pod and an empty one every pod.
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return all(carried.get(key) == value for key, value in wanted.items()) and all(
        _meets(expression, carried) for expression in selector.get("matchExpressions") or []
    )


def _meets(expression: Mapping[str, Any], carried: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    if expression["operator"] == "Exists":
        return key in carried
    if expression["operator"] == "DoesNotExist":
        return key not in carried
    is_listed = carried.get(key) in values
    return is_listed if expression["operator"] == "In" else not is_listed
