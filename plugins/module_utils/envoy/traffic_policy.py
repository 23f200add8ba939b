# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How Envoy asks the endpoints of a model: which one, how long, how often, and which not.

Without a policy in the spec, it is what does for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
    duration,
    failover_model,
)

_FAILURES_IN_A_ROW = 5
_EJECTION_TIME = "10s"
_TRIES = 3
_UNWORKED = "connect-failure,refused-stream"
# Envoy's own.
_BACK_OFF = "0.025s"
_LEAST_RETRIES = 3
_ALL_BUT_ONE = 99

_LOAD_BALANCERS = {
    "LeastRequest": ("LEAST_REQUEST", "least_request_lb_config"),
    "RoundRobin": ("ROUND_ROBIN", "round_robin_lb_config"),
    "Random": ("RANDOM", ""),
}


def load_balancing(policy: TrafficPolicy) -> dict[str, Any]:
    """Which of the addresses of an endpoint is asked."""
    wanted = policy.get("loadBalancer") or {}
    # In turns, as many long answers may gather at one address as another has short ones.
    kind, config = _LOAD_BALANCERS[wanted.get("type", "LeastRequest")]
    window = duration(wanted, "slowStart")
    if not window or not config:
        return {"lb_policy": kind}
    return {"lb_policy": kind, config: {"slow_start_config": {"slow_start_window": window}}}


def outlier_detection(policy: TrafficPolicy) -> dict[str, Any]:
    """An endpoint that does nothing but fail gets no traffic for a while; the last one always does.

    Only by failures in a row. What one model refuses more often than another (success rates) says
    more of its prompts than of its health.
    """
    passive = _section(policy, "healthCheck", "passive")
    failures = passive.get("consecutive5xxErrors", _FAILURES_IN_A_ROW)
    return {
        "consecutive_5xx": failures,
        "consecutive_gateway_failure": failures,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_success_rate": 0,
        "interval": "5s",
        # Times the number of ejections, so that one which comes and goes has less and less to lose.
        "base_ejection_time": duration(passive, "baseEjectionTime", _EJECTION_TIME),
        "max_ejection_time": "120s",
        # Of the whole cluster: all but one, unless another model answers in the place of all.
        "max_ejection_percent": 100
        if failover_model(policy)
        else passive.get("maxEjectionPercent", _ALL_BUT_ONE),
    }


def health_checks(policy: TrafficPolicy) -> dict[str, Any]:
    """What each address is asked from time to time, whether there are requests or not."""
    active = _section(policy, "healthCheck", "active")
    if not active:
        return {}
    interval = duration(active, "interval")
    return {
        "health_checks": [
            {
                "timeout": duration(active, "timeout"),
                "interval": interval,
                # Else a model that nobody has asked yet is looked at once a minute.
                "no_traffic_interval": interval,
                "unhealthy_threshold": active["unhealthyThreshold"],
                "healthy_threshold": active["healthyThreshold"],
                "http_health_check": {"path": active["path"]},
            },
        ],
    }


def retry_budget(policy: TrafficPolicy) -> dict[str, Any]:
    """How many requests are tried again at a time."""
    retry = _section(policy, "retry")
    percent = retry.get("budgetPercent")
    if not percent:
        return {}
    least = retry.get("budgetLeast", _LEAST_RETRIES)
    return {"retry_budget": {"budget_percent": {"value": percent}, "min_retry_concurrency": least}}


def of_route(policy: TrafficPolicy) -> dict[str, Any]:
    """What a route to the model has otherwise than the others."""
    timeouts = _section(policy, "timeout")
    durations = {
        "timeout": duration(timeouts, "request"),
        "idle_timeout": duration(timeouts, "idle"),
    }
    first_byte = duration(timeouts, "firstByte")
    retries = {}
    if first_byte or "retry" in policy:
        wanted = _section(policy, "retry")
        # Whatever its name says, Envoy lets go of it when an answer has begun.
        limit = {"per_try_timeout": first_byte} if first_byte else {}
        tried = retry_policy(wanted.get("numRetries", _TRIES))
        retries = {"retry_policy": {**tried, **_of_reliability(wanted), **limit}}
    return {**{name: value for name, value in durations.items() if value}, **retries}


def _of_reliability(retry: Mapping[str, Any]) -> dict[str, Any]:
    """What only the router's own document can say."""
    codes, base = retry.get("statusCodes"), duration(retry, "backOffBase")
    reasons = retry.get("on") or (_UNWORKED if codes else "")
    if codes and "retriable-status-codes" not in reasons:
        reasons = f"{reasons},retriable-status-codes"
    most = duration(retry, "backOffMax")
    # The longest wait belongs to the first, and is ten times as long unasked.
    wait = {"base_interval": base or _BACK_OFF, **({"max_interval": most} if most else {})}
    return {
        **({"retry_on": reasons.replace(" ", "")} if reasons else {}),
        **({"retriable_status_codes": codes} if codes else {}),
        **({"retry_back_off": wait} if base or most else {}),
    }


def retry_policy(tries: int = _TRIES) -> dict[str, Any]:
    """What is tried again, at another endpoint."""
    return {
        # Only what no backend works on: a completion is not free to repeat. One that says 503 does
        # not work on it.
        "retry_on": f"{_UNWORKED},retriable-status-codes",
        "retriable_status_codes": [503],
        "num_retries": tries,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.retry.host"
                    ".previous_hosts.v3.PreviousHostsPredicate",
                },
            },
        ],
        # The next endpoint is drawn by weight: with 90 of 100, the failed one comes up often.
        "host_selection_retry_max_attempts": 50,
    }


def _section(policy: TrafficPolicy, *names: str) -> Mapping[str, Any]:
    for name in names:
        policy = policy.get(name) or {}
    return policy
