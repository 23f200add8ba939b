# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do spec.autoscaling and spec.podDisruptionBudget make sense?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
)

_TARGETS = {
    "cpu": "targetCPUUtilizationPercentage",
    "memory": "targetMemoryUtilizationPercentage",
}


def _requests(spec: Spec) -> Problems:
    """An autoscaler that finds one container without a request measures nothing at all."""
    if not spec["autoscaling"]["enabled"]:
        return
    for resource, target in _TARGETS.items():
        if not spec["autoscaling"].get(target):
            continue
        for path, resources in _resources(spec):
            # Kubernetes takes a limit for the request that is not given.
            asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
            if resource not in asked:
                yield Problem(
                    reason="AutoscalerBlind",
                    field=f"{path}.requests.{resource}",
                    found=f"it is missing, and spec.autoscaling.{target} is a percentage of it",
                    remedy="Give it; without, the autoscaler leaves the number of pods alone",
                    # A LimitRange of the namespace may supply it.
                    blocking=False,
                )


def _resources(spec: Spec) -> Iterator[tuple[str, Spec]]:
    yield "spec.resources", spec["resources"]
    if has_envoy(spec):
        yield "spec.envoy.resources", spec["envoy"]["resources"]
    for index, container in enumerate(spec.get("extraContainers") or []):
        yield f"spec.extraContainers[{index}].resources", container.get("resources") or {}


def _budget(spec: Spec) -> Problems:
    budget = spec.get("podDisruptionBudget") or {}
    available = budget.get("minAvailable")
    scaling = spec["autoscaling"]
    pods = scaling["minReplicas"] if scaling["enabled"] else spec["replicas"]
    is_built = budget.get("enabled", pods > 1)
    if is_built and (available == "100%" or (isinstance(available, int) and available >= pods > 0)):
        yield Problem(
            reason="DrainBlocked",
            field="spec.podDisruptionBudget.minAvailable",
            found=f"{available} of {pods} pods must stay, so a node that runs one is never drained",
            remedy="Lower it; if that is what you want, set maxUnavailable to 0 instead",
            blocking=False,
        )


RULES: tuple[Callable[[Spec], Problems], ...] = (_requests, _budget)
