# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What leads from an existing Gateway to the router: gateway mode.

``<name>`` carries the harmless part of the router's own HTTP API. With gateway.extProc there is
also ``<name>-models`` (several for many models), the data path. It is never there without what
makes the Gateway ask the router (ext_proc.py): a request that is not asked about skips
the guards. With spec.auth health has a route of its own, ``<name>-health``: the others are
not everybody's (gateway_door.py).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.local_replies import (
    HEADER_SELECTED_MODEL,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    ALLOWED_API_PATHS,
    ALLOWED_API_SUBTREES,
    HEALTH_PATHS,
    REPLAYS_PATH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    MATCHES_LIMIT,
    RULES_LIMIT,
    ModelGroup,
    health_route_names,
    model_groups,
    route_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis, backend_kinds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import is_wanted
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    names_by_model,
    served_by,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
    as_gateways_write,
)

# OpenAI's list of models: in standalone mode the router answers it through ext_proc.
MODELS_PATH = "/v1/models"
# The client's path, not any: the longest path wins before a header counts, so a model's rule must
# not have a shorter one than the default model's.
MODELS_PREFIX = "/v1"
_OPENAI_PATH = {"type": "PathPrefix", "value": MODELS_PREFIX}

Rule = dict[str, Any]


def http_routes(router: Router, facts: Facts) -> list[Manifest]:
    """The HTTPRoutes; none where the cluster does not know them, which discovery says."""
    by_route = {
        router.name: api_rules(router),
        **{name: api_rules(router, is_health=True) for name in health_route_names(router)},
        **_rules_of_models(router, facts),
    }
    return [_http_route(router, name, by_route[name]) for name in route_names(router, facts)]


def _rules_of_models(router: Router, facts: Facts) -> dict[str, list[Rule]]:
    return {
        name: some
        for group in model_groups(router.name, router.spec)
        for name, some in zip(
            group.routes, _slices(model_rules(router, facts, group), RULES_LIMIT), strict=True
        )
    }


def model_rules(router: Router, facts: Facts, group: ModelGroup) -> list[Rule]:
    """One rule per model (more for one with many LoRA adapters), then the default model's."""
    grouped, names = by_model(facts.endpoints), names_by_model(router.spec)
    default = served_by(router.spec).get(default_model(router.spec), "")
    return [
        _model_rule(matches, grouped.get(model or default, []), group.policy)
        for model in group.models
        for matches in (
            [[_model_match(name) for name in some] for some in _slices(names[model], MATCHES_LIMIT)]
            if model
            else [[{"path": dict(_OPENAI_PATH)}]]
        )
    ]


def _http_route(router: Router, name: str, rules: list[Rule]) -> Manifest:
    gateway = router.spec["gateway"]
    section = {"sectionName": gateway["sectionName"]} if gateway.get("sectionName") else {}
    hostnames = {"hostnames": list(gateway["hostnames"])} if gateway.get("hostnames") else {}
    return {
        "apiVersion": str(apis.GATEWAY),
        "kind": "HTTPRoute",
        "metadata": metadata(router.name, router.namespace, name=name),
        "spec": {
            "parentRefs": [
                {
                    "group": apis.GATEWAY.group,
                    "kind": "Gateway",
                    "namespace": gateway["existingRef"]["namespace"],
                    "name": gateway["existingRef"]["name"],
                    **section,
                },
            ],
            **hostnames,
            "rules": rules,
        },
    }


def api_rules(router: Router, *, is_health: bool = False) -> list[Rule]:
    """Those of the router's own API; or of the part of it that says how the router is."""
    apart = HEALTH_PATHS if is_wanted(router.spec) and not is_health else ()
    paths = HEALTH_PATHS if is_health else (*ALLOWED_API_PATHS, MODELS_PATH)
    subtrees = () if is_health else ALLOWED_API_SUBTREES
    matches = [
        {"path": {"type": "Exact", "value": path}} for path in paths if path not in apart
    ] + [{"path": {"type": "PathPrefix", "value": path}} for path in subtrees]
    port = router.spec["service"]["api"]["port"]
    rules = [
        _rule(some, [_backend_ref(router.name, router.namespace, port, 1)])
        for some in _slices(matches, MATCHES_LIMIT)
    ]
    if shows_replays(router) and not is_health:
        # Its path is longer than a model's, and nobody is behind it.
        rules.append(_rule([{"path": {"type": "PathPrefix", "value": REPLAYS_PATH}}], []))
    return rules


def shows_replays(router: Router) -> bool:
    """The router would answer a Gateway that asks it with what everybody has asked."""
    return wants_ext_proc(router.spec) and CONTRACTS[contract(router.spec)].shows_replays


def _rule(
    matches: list[dict[str, Any]], backend_refs: list[dict[str, Any]], limit: str = ""
) -> Rule:
    # Not the gateway's limit, 15 s in Envoy: a model may think for minutes.
    return {
        "matches": matches,
        "backendRefs": backend_refs,
        "timeouts": {"request": limit or "0s"},
    }


def _model_rule(
    matches: list[dict[str, Any]], endpoints: list[Endpoint], policy: TrafficPolicy
) -> Rule:
    limit = as_gateways_write(policy.get("timeout") or {}, "request")
    rule = _rule(matches, _backend_refs(endpoints), limit)
    # All endpoints of a model have one: facts/endpoints.py sees to it.
    path = next((endpoint.path for endpoint in endpoints if endpoint.service), "")
    if not path:
        return rule
    replaced = f"{path}{_OPENAI_PATH['value']}"
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": replaced}}
    return {**rule, "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}]}


def _model_match(name: str) -> dict[str, Any]:
    header = {"type": "Exact", "name": HEADER_SELECTED_MODEL, "value": name}
    return {"path": dict(_OPENAI_PATH), "headers": [header]}


def _backend_refs(endpoints: list[Endpoint]) -> list[dict[str, Any]]:
    """[] makes the gateway answer 500 for this model; the others go on."""
    return [
        _pool_ref(endpoint)
        if endpoint.pool
        else _backend_ref(endpoint.service, endpoint.namespace, endpoint.port, endpoint.weight)
        for endpoint in endpoints
        if endpoint.service
    ]


def _pool_ref(endpoint: Endpoint) -> dict[str, Any]:
    """An InferencePool, whose picker the Gateway asks once the route is chosen."""
    its = backend_kinds.BY_TYPE[backend_kinds.TYPE_POOL].object
    return {
        "group": its.group if its else "",
        "kind": its.kind if its else "",
        "namespace": endpoint.namespace,
        "name": endpoint.pool,
        "weight": endpoint.weight,
    }


def _backend_ref(name: str, namespace: str, port: int, weight: int) -> dict[str, Any]:
    return {
        "group": "",
        "kind": "Service",
        "namespace": namespace,
        "name": name,
        "port": port,
        "weight": weight,
    }


def _slices(items: list[Any], limit: int) -> list[list[Any]]:
    return [items[start : start + limit] for start in range(0, len(items), limit)]


def target_refs(names: list[str]) -> list[dict[str, Any]]:
    """The HTTPRoutes that a policy is about."""
    return [{"group": apis.GATEWAY.group, "kind": "HTTPRoute", "name": name} for name in names]
