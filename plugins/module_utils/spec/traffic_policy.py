# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How the endpoints of a model are asked, as spec.vllmEndpoints[].trafficPolicy says it.

In Envoy most of it is the cluster's or the route's, so it is the model's: whichever of its
endpoints has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import (
    as_envoy_writes,
    seconds,
)

# trafficPolicy as it is in the spec, with its defaults.
TrafficPolicy = Mapping[str, Any]


def by_model(spec: Mapping[str, Any]) -> dict[str, TrafficPolicy]:
    """Model -> the policy of its endpoints, for those that have one."""
    found: dict[str, TrafficPolicy] = {}
    for entry in spec.get("vllmEndpoints") or []:
        if policy := entry.get("trafficPolicy"):
            found.setdefault(entry["model"], policy)
    return found


def limits_time(spec: Mapping[str, Any]) -> bool:
    """Some model may take so long and no longer."""
    return any(policy.get("timeout") for policy in by_model(spec).values())


def duration(section: Mapping[str, Any], name: str, default: str = "") -> str:
    """Of a section of the policy, as Envoy writes it; ``default`` when unset."""
    wanted = seconds(section.get(name))
    return default if wanted is None else as_envoy_writes(wanted)
