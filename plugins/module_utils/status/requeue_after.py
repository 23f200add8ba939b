# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""When the operator looks again at a router, as a Go duration. Pure."""

from __future__ import annotations

import re

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.admission import (
    admission_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

# Both engines know it too.
ANNOTATION = "ansible.sdk.operatorframework.io/reconcile-period"
_DURATION = re.compile(r"(\d+(\.\d*)?(ns|us|µs|ms|s|m|h))+")

RETRY = "15s"
PROGRESSING = "30s"
UNTOLD = "1m"
# reconcilePeriod of watches.yaml.
SETTLED = "10m"


def by_itself(router: Router) -> str:
    """After how long the engine looks again, when a play has not asked for anything else."""
    annotated = router.annotations.get(ANNOTATION, "")
    return annotated if _DURATION.fullmatch(annotated) else SETTLED


def period(situation: Situation, is_told_of_status: bool = True) -> str:
    """What waiting may cure is looked at soon.

    Changes of the router's own objects wake the operator by themselves; backends and StorageClasses
    do not, and the long period catches those that change without anything being wrong yet. Whoever
    wants to know earlier annotates the router.

    is_told_of_status: False where nothing wakes the operator when only values in a child's status
    change. It hears of a Deployment that loses its pods all the same, as fields come and go then;
    another verdict on an HTTPRoute or a Route is another value of the same fields.
    """
    facts, workload = situation.facts, situation.workload
    if any(problem.retry for problem in situation.problems) or facts.unresolved:
        return RETRY
    # What nobody is going to write, nobody needs to wait for.
    is_expected = situation.may_write or workload.deployment is not None
    if is_expected and not situation.blocking and not situation.is_rolled_out:
        return PROGRESSING
    is_judged = facts.is_openshift or workload.gateway
    admission = admission_of(situation) if is_judged else None
    if admission and not admission.ready:
        return PROGRESSING
    if admission and not is_told_of_status and ANNOTATION not in situation.router.annotations:
        return UNTOLD
    return by_itself(situation.router)
