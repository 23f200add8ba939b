# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether requests reach the Service from outside, by all who have a say: OpenShift, a Gateway.

Pure. What each of them says is ``live_route.py``, ``live_http_route.py`` and
``live_gateway_policy.py``.
"""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    discovery,
    gateways,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import joined
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    live_gateway_policy,
    live_http_route,
    live_route,
    live_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_route import (
    Admission,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)


def admission_of(situation: Situation) -> Admission | None:
    """The worse of the two; None when no Route is asked for, or nothing is known."""
    verdicts = [
        verdict
        for verdict in (_gateway_admission(situation), openshift_admission(situation))
        if verdict
    ]
    return min(verdicts, key=lambda verdict: (verdict.ready, not verdict.failing), default=None)


def _gateway_admission(situation: Situation) -> Admission | None:
    workload = situation.workload
    if not workload.gateway or situation.is_blind:
        return None
    missing = [problem for problem in situation.problems if problem.reason in gateways.REASONS]
    if missing:
        return Admission(missing[0].reason, joined(missing), failing=True)
    admission = live_http_route.admission_of(
        workload.http_route_names, workload.http_routes, workload.gateway
    )
    if not admission.ready:
        return admission
    has_pods = bool(live_workload.status_of(workload.deployment).get("readyReplicas"))
    return (
        live_gateway_policy.admission_of(
            workload.policy_names, workload.policies, workload.gateway, has_pods
        )
        or admission
    )


def openshift_admission(situation: Situation) -> Admission | None:
    """None when nobody asked for a Route, or nothing is known."""
    workload = situation.workload
    if not workload.route_name or situation.is_blind:
        return None
    if not situation.facts.is_openshift:
        return Admission("RouteApiMissing", str(discovery.ROUTE_API_MISSING), failing=True)
    return live_route.admission_of(workload.route_name, workload.route)
