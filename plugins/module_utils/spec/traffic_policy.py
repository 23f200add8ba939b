# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the endpoints of a model are asked, as spec.vllmEndpoints[].trafficPolicy says it.

In Envoy most of it is the cluster's or the route's, so it is the model's: whichever of its
endpoints has it. The router's own document says the same in other words (reliability.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import reliability
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import (
    as_envoy_writes,
    seconds,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import field_path

# trafficPolicy as it is in the spec, with its defaults.
TrafficPolicy = Mapping[str, Any]


def by_model(spec: Mapping[str, Any]) -> dict[str, TrafficPolicy]:
    """Model -> the policy of its endpoints, for those that have one."""
    found: dict[str, TrafficPolicy] = {}
    for entry in spec.get("vllmEndpoints") or []:
        if policy := entry.get("trafficPolicy"):
            found.setdefault(entry["model"], policy)
    for _, model, block in reliability.by_model(spec):
        found.setdefault(model, reliability.as_policy(block))
    return found


def failover_model(policy: TrafficPolicy) -> str:
    """The model that answers while no endpoint of this one does; "" for none."""
    return str((policy.get("failover") or {}).get("model") or "")


def limits_time(spec: Mapping[str, Any]) -> bool:
    """Some model may take so long and no longer."""
    return any(policy.get("timeout") for policy in by_model(spec).values())


def fields(spec: Mapping[str, Any]) -> dict[str, str]:
    """Model -> where its policy stands."""
    found = fields_of_endpoints(spec)
    for path, model, _ in reliability.by_model(spec):
        found.setdefault(model, field_path(path))
    return found


def fields_of_endpoints(spec: Mapping[str, Any]) -> dict[str, str]:
    """The same of spec.vllmEndpoints alone."""
    found: dict[str, str] = {}
    for index, entry in enumerate(spec.get("vllmEndpoints") or []):
        if entry.get("trafficPolicy"):
            found.setdefault(entry["model"], f"spec.vllmEndpoints[{index}].trafficPolicy")
    return found


def as_gateways_write(section: Mapping[str, Any], name: str) -> str:
    """Of a section of the policy, as the Gateway API has it: no fractions; "" when unset."""
    wanted = seconds(section.get(name))
    if wanted is None:
        return ""
    return f"{round(wanted)}s" if wanted == round(wanted) else f"{round(wanted * 1000)}ms"


def duration(section: Mapping[str, Any], name: str, default: str = "") -> str:
    """Of a section of the policy, as Envoy writes it; ``default`` when unset."""
    wanted = seconds(section.get(name))
    return default if wanted is None else as_envoy_writes(wanted)
