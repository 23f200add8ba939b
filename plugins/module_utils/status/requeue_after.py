# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the operator looks again at a router, as a Go duration. Pure."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import is_duration
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    models_claim_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.admission import (
    admission_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

# Both engines know it too.
ANNOTATION = "ansible.sdk.operatorframework.io/reconcile-period"

# Of problems that waiting may cure: what is waited for is something that the run has read.
OF_READS = frozenset(
    {
        "ExtProcNotAttached",
        "GatewayApiNotInstalled",
        "GatewayControllerUnknown",
        "GatewayNotFound",
        "GatewayRefusesRoutes",
        "KeySetNotFound",
        "MonitoringApiMissing",
        "PodsCoveredAlready",
        "ReferenceGrantMissing",
        "StorageClassNotFound",
    }
)
# What nobody may read, nobody may watch.
_UNREADABLE = "BackendUnreadable"

RETRY = "15s"
PROGRESSING = "30s"
UNTOLD = "1m"
# reconcilePeriod of watches.yaml.
SETTLED = "10m"


def by_itself(router: Router) -> str:
    """After how long the engine looks again, when a play has not asked for anything else."""
    annotated = router.annotations.get(ANNOTATION, "")
    return annotated if is_duration(annotated) else SETTLED


def period(situation: Situation, is_told_of_status: bool = True) -> str:
    """What waiting may cure is looked at soon, and everything once in a while.

    Changes of the router's own objects wake every engine by themselves, changes of what a run has
    read of others the embedded one; see reads_suffice. Whoever wants to know earlier annotates the
    router.

    is_told_of_status: False where nothing wakes the operator when only values in a child's status
    change. It hears of a Deployment that loses its pods all the same, as fields come and go then;
    another verdict on an HTTPRoute or a Route is another value of the same fields.
    """
    if any(problem.retry for problem in situation.problems) or situation.facts.unresolved:
        return RETRY
    return _of_own_objects(situation, is_told_of_status)


def reads_suffice(situation: Situation) -> bool:
    """Nothing is waited for but news of the router's own objects and of what the run has read.

    Then an engine that watches all of these need not look again so soon, or ever.
    """
    router, workload = situation.router, situation.workload
    return (
        all(problem.reason in OF_READS for problem in situation.problems if problem.retry)
        and not any(endpoint.reason == _UNREADABLE for endpoint in situation.facts.unresolved)
        # A claim of the user's is read and not watched.
        and workload.claim_name in ("", models_claim_name(router.name))
        and ANNOTATION not in router.annotations
        # Nobody is told when a pod's port comes into reach.
        and (situation.convergence is None or situation.convergence.is_settled)
        and _of_own_objects(situation, is_told_of_status=True) == SETTLED
    )


def _of_own_objects(situation: Situation, is_told_of_status: bool) -> str:
    facts, workload = situation.facts, situation.workload
    # What nobody is going to write, nobody needs to wait for.
    is_expected = situation.may_write or workload.deployment is not None
    if is_expected and not situation.blocking and not situation.is_rolled_out:
        return PROGRESSING
    if situation.is_overtaken:
        return PROGRESSING
    is_judged = facts.is_openshift or workload.gateway
    admission = admission_of(situation) if is_judged else None
    if admission and not admission.ready:
        return PROGRESSING
    if admission and not is_told_of_status and ANNOTATION not in situation.router.annotations:
        return UNTOLD
    return by_itself(situation.router)
