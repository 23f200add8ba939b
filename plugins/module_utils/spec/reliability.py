# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the router's own document says of how a model is asked, as a trafficPolicy.

spec.config.providers.models[].reliability, of contract 0.4 and later. Upstream's command line makes
Envoy's settings of it. So does the operator: no router that an Envoy asks reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import seconds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    at,
    replaced,
)

_MODELS = ("config", "providers", "models")

LOAD_BALANCERS = {
    "least_request": "LeastRequest",
    "round_robin": "RoundRobin",
    "random": "Random",
}
# Envoy's words for what is tried again.
RETRY_ON = frozenset(
    (
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
    )
)

# Key -> where a trafficPolicy has it. What only Envoy knows has the key's own name there.
_PLACES: dict[str, Path] = {
    "lb_policy": ("loadBalancer", "type"),
    "retry_count": ("retry", "numRetries"),
    "retry_on": ("retry", "on"),
    "retriable_status_codes": ("retry", "statusCodes"),
    "retry_back_off_base": ("retry", "backOffBase"),
    "retry_back_off_max": ("retry", "backOffMax"),
    "retry_budget_percent": ("retry", "budgetPercent"),
    "retry_budget_min_concurrency": ("retry", "budgetLeast"),
    "connect_timeout": ("timeout", "connect"),
    "per_try_timeout": ("timeout", "firstByte"),
    "first_byte_timeout": ("timeout", "firstByte"),
    "idle_timeout": ("timeout", "idle"),
    "total_timeout": ("timeout", "request"),
    "consecutive_5xx": ("healthCheck", "passive", "consecutive5xxErrors"),
    "base_ejection_time": ("healthCheck", "passive", "baseEjectionTime"),
    "max_ejection_percent": ("healthCheck", "passive", "maxEjectionPercent"),
    "health_check_path": ("healthCheck", "active", "path"),
    "health_check_interval": ("healthCheck", "active", "interval"),
    "health_check_timeout": ("healthCheck", "active", "timeout"),
}
KEYS = tuple(_PLACES)
# As the CRD has them.
_ACTIVE = {"interval": "10s", "timeout": "2s", "unhealthyThreshold": 2, "healthyThreshold": 1}


def by_model(spec: Mapping[str, Any]) -> Iterator[tuple[Path, str, Mapping[str, Any]]]:
    """Where such a block stands, of which model, and the block."""
    listed = at(spec, _MODELS)
    # Nobody has looked at the shape of this part yet.
    for index, model in enumerate(listed if isinstance(listed, list) else []):
        name, block = at(model, ("name",)), at(model, ("reliability",))
        if isinstance(name, str) and isinstance(block, Mapping) and block:
            yield (*_MODELS, index, "reliability"), name, block


def as_policy(block: Mapping[str, Any]) -> dict[str, Any]:
    """The same as spec.vllmEndpoints[].trafficPolicy, without what problems() names."""
    refused = {key for key, _, _ in problems(block)}
    policy: dict[str, Any] = {}
    for key, place in _PLACES.items():
        # The router's 0 is "unset" as well.
        if key not in refused and block.get(key):
            value = LOAD_BALANCERS[block[key]] if key == "lb_policy" else block[key]
            policy = replaced(policy, place, value)
    checks = policy.get("healthCheck") or {}
    if active := checks.get("active"):
        # Without a path nothing is asked.
        policy["healthCheck"] = {
            **checks,
            "active": {**_ACTIVE, **active} if "path" in active else {},
        }
    return policy


def problems(block: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Key, what is wrong with it, what to do."""
    for key, (is_right, remedy) in _RIGHT.items():
        if block.get(key) and not is_right(block[key]):
            yield key, f"Envoy can do nothing with {block[key]!r}", remedy


def _is_time(value: Any) -> bool:
    return bool(seconds(value))


def _up_to(most: int, *kinds: type) -> Callable[[Any], bool]:
    def is_right(value: Any) -> bool:
        return type(value) in kinds and bool(0 < value <= most)

    return is_right


def _are_reasons(value: Any) -> bool:
    return isinstance(value, str) and {each.strip() for each in value.split(",")} <= RETRY_ON


def _are_statuses(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) for each in value)


_TIME = (_is_time, "Give a time such as 500ms, 30s or 10m")
_RIGHT: dict[str, tuple[Callable[[Any], bool], str]] = {
    "lb_policy": (
        lambda kind: kind in [*LOAD_BALANCERS],
        f"Use one of: {', '.join(LOAD_BALANCERS)}",
    ),
    "retry_count": (_up_to(10, int), "Give 0 to 10"),
    "retry_on": (_are_reasons, f"Use some of: {', '.join(sorted(RETRY_ON))}"),
    "retriable_status_codes": (_are_statuses, "Give a list of numbers"),
    "retry_budget_percent": (_up_to(100, int, float), "Give 1 to 100"),
    "retry_budget_min_concurrency": (_up_to(1000, int), "Give 1 to 1000"),
    "max_ejection_percent": (_up_to(100, int), "Give 1 to 100"),
    "consecutive_5xx": (_up_to(1000, int), "Give 1 to 1000"),
    "health_check_path": (
        lambda path: isinstance(path, str) and path.startswith("/"),
        "Give a path that begins with a slash",
    ),
    **{
        key: _TIME
        for key in _PLACES
        if key.endswith(("_timeout", "_time", "_interval", "_base", "_back_off_max"))
    },
}
