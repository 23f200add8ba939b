# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Another model that answers while no endpoint of the first one does: trafficPolicy.failover.

The other may be anybody's, with a Host, a path, a key and a name for itself that are not those of
the first one. So a request that fails over does not go to its endpoints, but to a listener in
Envoy's own process, as if a client had named the other model: failover.lua puts that name into it,
takes out what was meant for the first one, and the router is asked again. What it does for a hosted
model it does here too, and the key stays where it is.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.auth import lua_filter
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    Cluster,
    circuit_breakers,
    inside_cluster,
    model_cluster_name,
    usable_endpoints,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.traffic_policy import (
    retry_budget,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import traffic_policy
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    CONNECT_TIMEOUT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_AGGREGATE = "type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig"
_PREVIOUS_PRIORITIES = (
    "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3"
    ".PreviousPrioritiesConfig"
)
# A client's own key, and the first model's, are not for who serves the other.
_CREDENTIALS = ("authorization", "x-api-key", "api-key")
# vLLM's, of which others make an error. The router adds what the other model wants.
_VLLMS_OWN = "chat_template_kwargs"


def targets(router: Router, facts: Facts) -> dict[str, str]:
    """Model -> the one that answers in its place, where both have somewhere to go."""
    grouped = by_model(facts.endpoints)
    wanted = {
        model: traffic_policy.failover_model(policy)
        for model, policy in traffic_policy.by_model(router.spec).items()
    }
    return {
        model: other
        for model, other in wanted.items()
        if all(usable_endpoints(grouped.get(name, [])) for name in (model, other))
        # Where a picker says where, nobody else does.
        and not usable_endpoints(grouped[model])[0].pool
    }


def cluster_name(model: str) -> str:
    """Of both together."""
    return f"failover-{model_cluster_name(model)}"


def listener_name(model: str) -> str:
    return f"failover of {model}"


def clusters(router: Router, facts: Facts) -> list[Cluster]:
    """For each such model, one in front of its own, and the way to the listener."""
    policies = traffic_policy.by_model(router.spec)
    return [
        cluster
        for model in targets(router, facts)
        for cluster in (
            {
                "name": cluster_name(model),
                "lb_policy": "CLUSTER_PROVIDED",
                "connect_timeout": CONNECT_TIMEOUT,
                # Of retries, those of the cluster in the route count.
                "circuit_breakers": circuit_breakers(**retry_budget(policies[model])),
                "cluster_type": {
                    "name": "envoy.clusters.aggregate",
                    "typed_config": {
                        "@type": _AGGREGATE,
                        "clusters": [model_cluster_name(model), _way_name(model)],
                    },
                },
            },
            inside_cluster(_way_name(model), listener_name(model)),
        )
    ]


def retries(policy: dict[str, Any], endpoints: int) -> dict[str, Any]:
    """A retry policy that tries each endpoint of the first model, and then the other model."""
    frequency = max(1, min(endpoints, int(policy["num_retries"])))
    return {
        **policy,
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": {"@type": _PREVIOUS_PRIORITIES, "update_frequency": frequency},
        },
    }


def rewriting(facts: Facts, model: str, other: str, internal: list[str]) -> dict[str, Any]:
    """The filter that makes it a request for the other. internal: headers of the router's own."""
    grouped = by_model(facts.endpoints)
    is_hosted = any(endpoint.is_outside for endpoint in grouped[other])
    settings = {
        "model": json.dumps(other),
        "path": usable_endpoints(grouped[model])[0].path,
        # To Lua each text is true.
        "dropped": dict.fromkeys(("model", *((_VLLMS_OWN,) if is_hosted else ())), "yes"),
        "removed": [*internal, *_CREDENTIALS],
    }
    return lua_filter(settings, _script())


def _way_name(model: str) -> str:
    return f"to-{cluster_name(model)}"


@cache
def _script() -> str:
    return Path(__file__).with_name("failover.lua").read_text(encoding="utf-8")
