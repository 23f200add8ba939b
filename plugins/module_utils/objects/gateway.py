# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What leads from an existing Gateway to the router: gateway mode.

``<name>`` carries the harmless part of the router's own HTTP API. With gateway.extProc there is
also ``<name>-models`` (several for many models), the data path, and what makes the Gateway ask the
router about each of its requests. It is never there without: a request that is not asked about
skips the guards. With spec.auth health has a route of its own, ``<name>-health``: the others are
not everybody's (gateway_door.py).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.listener import (
    HTTP_CONNECTION_MANAGER,
    early_header_mutations,
    ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.local_replies import (
    HEADER_SELECTED_MODEL,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    ALLOWED_API_PATHS,
    ALLOWED_API_SUBTREES,
    EXT_PROC,
    HEALTH_PATHS,
    without_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    LABEL_GATEWAY_NAME,
    MATCHES_LIMIT,
    RULES_LIMIT,
    health_route_names,
    is_attachable,
    model_route_names,
    route_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.auth import is_wanted
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_host
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    CONNECT_TIMEOUT,
    ROUTER_TIMEOUT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    headless_service_name,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import (
    default_model,
    names_by_model,
    served_by,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# OpenAI's list of models: in standalone mode the router answers it through ext_proc.
_MODELS_PATH = "/v1/models"
# The client's path, not any: the longest path wins before a header counts, so a model's rule must
# not have a shorter one than the default model's.
_OPENAI_PATH = {"type": "PathPrefix", "value": "/v1"}

_BUFFER_LIMIT = "per_connection_buffer_limit_bytes"
_HTTP_FILTERS = "envoy.filters.network.http_connection_manager"

Rule = dict[str, Any]


def http_routes(router: Router, facts: Facts) -> list[Manifest]:
    """The HTTPRoutes; none where the cluster does not know them, which discovery says."""
    rules = model_rules(router, facts)
    by_route = {
        router.name: _api_rules(router),
        **{name: _api_rules(router, is_health=True) for name in health_route_names(router)},
        **dict(zip(model_route_names(router, facts), _slices(rules, RULES_LIMIT), strict=False)),
    }
    return [_http_route(router, name, by_route[name]) for name in route_names(router, facts)]


def ext_proc_attachment(router: Router, facts: Facts) -> list[Manifest]:
    """What makes the Gateway ask the router, in the words of the Gateway's controller."""
    if not is_attachable(router, facts):
        return []
    return [build(router, facts) for build in _ATTACHMENTS[facts.gateway["controller"]]]


def model_rules(router: Router, facts: Facts) -> list[Rule]:
    """One rule per model (more for one with many LoRA adapters), then the default model's."""
    grouped = by_model(facts.endpoints)
    rules = [
        _model_rule([_model_match(name) for name in some], grouped.get(model, []))
        for model, names in names_by_model(router.spec).items()
        for some in _slices(names, MATCHES_LIMIT)
    ]
    default = served_by(router.spec).get(default_model(router.spec), "")
    return [*rules, _model_rule([{"path": dict(_OPENAI_PATH)}], grouped.get(default, []))]


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


def _api_rules(router: Router, *, is_health: bool = False) -> list[Rule]:
    apart = HEALTH_PATHS if is_wanted(router.spec) and not is_health else ()
    paths = HEALTH_PATHS if is_health else (*ALLOWED_API_PATHS, _MODELS_PATH)
    subtrees = () if is_health else ALLOWED_API_SUBTREES
    matches = [
        {"path": {"type": "Exact", "value": path}} for path in paths if path not in apart
    ] + [{"path": {"type": "PathPrefix", "value": path}} for path in subtrees]
    port = router.spec["service"]["api"]["port"]
    return [
        _rule(some, [_backend_ref(router.name, router.namespace, port, 1)])
        for some in _slices(matches, MATCHES_LIMIT)
    ]


def _rule(matches: list[dict[str, Any]], backend_refs: list[dict[str, Any]]) -> Rule:
    # Not the gateway's limit, 15 s in Envoy: a model may think for minutes.
    return {"matches": matches, "backendRefs": backend_refs, "timeouts": {"request": "0s"}}


def _model_rule(matches: list[dict[str, Any]], endpoints: list[Endpoint]) -> Rule:
    rule = _rule(matches, _backend_refs(endpoints))
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
        _backend_ref(endpoint.service, endpoint.namespace, endpoint.port, endpoint.weight)
        for endpoint in endpoints
        if endpoint.service
    ]


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


def _envoy_extension_policy(router: Router, facts: Facts) -> Manifest:
    return {
        "apiVersion": str(apis.ENVOY_GATEWAY),
        "kind": "EnvoyExtensionPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": target_refs(model_route_names(router, facts)),
            "extProc": [
                {
                    "backendRefs": [
                        {
                            "group": "",
                            "kind": "Service",
                            "name": headless_service_name(router.name),
                            "port": router.spec["service"]["grpc"]["targetPort"],
                        },
                    ],
                    "messageTimeout": ROUTER_TIMEOUT,
                    "failOpen": router.spec["envoy"]["failureModeAllow"],
                    "processingMode": {
                        "allowModeOverride": True,
                        "request": {"body": "Buffered"},
                        "response": {"body": "Buffered"},
                    },
                },
            ],
        },
    }


def _backend_traffic_policy(router: Router, facts: Facts) -> Manifest:
    """Room for whole prompts and answers: ext_proc buffers both, and 32 KiB is the default.

    Beyond it a prompt gets 413 and an answer 500. The limit of the buffer filter, which this puts
    before ext_proc, becomes that of the request and of its answer.
    """
    return {
        "apiVersion": str(apis.ENVOY_GATEWAY),
        "kind": "BackendTrafficPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": target_refs(model_route_names(router, facts)),
            # Into the policy that the Gateway's owner may have for all routes, not in its place.
            "mergeType": "StrategicMerge",
            "requestBuffer": {"limit": f"{BODY_LIMIT_BYTES // 2**20}Mi"},
        },
    }


def target_refs(names: list[str]) -> list[dict[str, Any]]:
    """The HTTPRoutes that a policy is about."""
    return [{"group": apis.GATEWAY.group, "kind": "HTTPRoute", "name": name} for name in names]


def _envoy_filter(router: Router, _facts: Facts) -> Manifest:
    """For the whole Gateway: Istio has nothing narrower that leaves a failing router closed."""
    cluster = f"ext-proc-{router.namespace}-{router.name}"
    return {
        "apiVersion": str(apis.ISTIO),
        "kind": "EnvoyFilter",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "workloadSelector": {
                "labels": {
                    LABEL_GATEWAY_NAME: router.spec["gateway"]["existingRef"]["name"],
                },
            },
            "configPatches": [
                _patch("CLUSTER", {}, "ADD", _ext_proc_cluster(router, cluster)),
                # ext_proc buffers whole prompts and answers, and Envoy's default is 1 MiB.
                _patch("LISTENER", {}, "MERGE", {_BUFFER_LIMIT: BODY_LIMIT_BYTES}),
                _patch(
                    "NETWORK_FILTER", _filter_chain({}), "MERGE", _without_internal_headers(router)
                ),
                _patch(
                    "HTTP_FILTER",
                    _filter_chain({"subFilter": {"name": "envoy.filters.http.router"}}),
                    "INSERT_BEFORE",
                    {"name": EXT_PROC, "typed_config": ext_proc(router, cluster)},
                ),
                *(
                    _api_without_ext_proc(router, name, index)
                    for name in (router.name, *health_route_names(router))
                    for index in range(len(_api_rules(router, is_health=name != router.name)))
                ),
            ],
        },
    }


def _patch(
    applies_to: str, match: dict[str, Any], operation: str, value: dict[str, Any]
) -> dict[str, Any]:
    return {
        "applyTo": applies_to,
        "match": {"context": "GATEWAY", **match},
        "patch": {"operation": operation, "value": value},
    }


def _filter_chain(below: dict[str, Any]) -> dict[str, Any]:
    return {"listener": {"filterChain": {"filter": {"name": _HTTP_FILTERS, **below}}}}


def _without_internal_headers(router: Router) -> dict[str, Any]:
    mutations = early_header_mutations(router)
    return {"typed_config": {"@type": HTTP_CONNECTION_MANAGER, **mutations}}


def _api_without_ext_proc(router: Router, route: str, index: int) -> dict[str, Any]:
    # Istio calls the routes of an HTTPRoute's rule <namespace>.<name>.<index>.
    name = f"{router.namespace}.{route}.{index}"
    match = {"routeConfiguration": {"vhost": {"route": {"name": name}}}}
    return _patch("HTTP_ROUTE", match, "MERGE", {"typed_per_filter_config": without_ext_proc()})


def _ext_proc_cluster(router: Router, name: str) -> dict[str, Any]:
    """A cluster of our own: Istio's has the cluster's domain in its name, which nobody told us."""
    address = service_host(headless_service_name(router.name), router.namespace)
    port = router.spec["service"]["grpc"]["targetPort"]
    endpoint = {"address": {"socket_address": {"address": address, "port_value": port}}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3"
                ".HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


_ATTACHMENTS = {
    CONTROLLER_ENVOY_GATEWAY: (_envoy_extension_policy, _backend_traffic_policy),
    CONTROLLER_ISTIO: (_envoy_filter,),
}
