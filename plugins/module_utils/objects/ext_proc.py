# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes a Gateway ask the router about each model request, in the words of its controller.

All are told the same (see _Asking). Envoy Gateway and kgateway are told for the models' HTTPRoutes.
Istio and agentgateway are told for all of the Gateway: Istio has nothing narrower that leaves a
failing router closed, and to agentgateway only what comes before routes can choose one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.clusters import (
    one_address,
    protocol,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.listener import (
    HTTP_CONNECTION_MANAGER,
    early_header_mutations,
    ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.routes import (
    EXT_PROC,
    REPLAYS_PATH,
    without_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_AGENTGATEWAY,
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    CONTROLLER_KGATEWAY,
    LABEL_GATEWAY_NAME,
    health_route_names,
    is_attachable,
    model_route_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    MODELS_PATH,
    MODELS_PREFIX,
    api_rules,
    shows_replays,
    target_refs,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_host
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    CONNECT_TIMEOUT,
    MIB,
    ROUTER_TIMEOUT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    headless_service_name,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_BUFFER_LIMIT = "per_connection_buffer_limit_bytes"
_HTTP_FILTERS = "envoy.filters.network.http_connection_manager"
# ext_proc buffers whole prompts and answers.
BODY_LIMIT = f"{BODY_LIMIT_BYTES // MIB}Mi"


@dataclass(frozen=True)
class _Asking:
    """Whom to ask, about which routes, and whether a request goes on when nobody answers.

    service, port: the router's pods, each by its own address. Heads and bodies of requests and
    answers are sent, bodies in one piece, and the router may ask for less as it goes along.
    """

    routes: list[str]
    service: str
    port: int
    fails_open: bool

    @property
    def backend(self) -> dict[str, Any]:
        """The same, as a reference of the Gateway API's."""
        return {"group": "", "kind": "Service", "name": self.service, "port": self.port}


def ext_proc_attachment(router: Router, facts: Facts) -> list[Manifest]:
    """What makes the Gateway ask; none where it cannot be told."""
    if not is_attachable(router, facts):
        return []
    asking = _Asking(
        routes=model_route_names(router, facts),
        service=headless_service_name(router.name),
        port=router.spec["service"]["grpc"]["targetPort"],
        fails_open=router.spec["envoy"]["failureModeAllow"],
    )
    return [build(router, asking) for build in _ATTACHMENTS[facts.gateway["controller"]]]


def _envoy_extension_policy(router: Router, asking: _Asking) -> Manifest:
    return {
        "apiVersion": str(apis.ENVOY_GATEWAY),
        "kind": "EnvoyExtensionPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": target_refs(asking.routes),
            "extProc": [
                {
                    "backendRefs": [asking.backend],
                    "messageTimeout": ROUTER_TIMEOUT,
                    "failOpen": asking.fails_open,
                    "processingMode": {
                        "allowModeOverride": True,
                        "request": {"body": "Buffered"},
                        "response": {"body": "Buffered"},
                    },
                },
            ],
        },
    }


def _gateway_extension(router: Router, asking: _Asking) -> Manifest:
    return {
        "apiVersion": str(apis.KGATEWAY),
        "kind": "GatewayExtension",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            # Has no effect in newer releases, and is required in older ones.
            "type": "ExtProc",
            "extProc": {
                "grpcService": {"backendRef": asking.backend},
                "messageTimeout": ROUTER_TIMEOUT,
                "failOpen": asking.fails_open,
                "allowProcessingModeOverride": True,
                "processingMode": {
                    "requestHeaderMode": "SEND",
                    "requestBodyMode": "BUFFERED",
                    "responseHeaderMode": "SEND",
                    "responseBodyMode": "BUFFERED",
                },
            },
        },
    }


def _traffic_policy(router: Router, asking: _Asking) -> Manifest:
    return {
        "apiVersion": str(apis.KGATEWAY),
        "kind": "TrafficPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": target_refs(asking.routes),
            "extProc": {"extensionRef": {"name": router.name}},
            "buffer": {"maxRequestSize": BODY_LIMIT},
        },
    }


def _agentgateway_policy(router: Router, asking: _Asking) -> Manifest:
    gateway = router.spec["gateway"]
    listener = {"sectionName": gateway["sectionName"]} if gateway.get("sectionName") else {}
    return {
        "apiVersion": str(apis.AGENTGATEWAY),
        "kind": "AgentgatewayPolicy",
        "metadata": metadata(router.name, router.namespace),
        "spec": {
            "targetRefs": [
                {
                    "group": apis.GATEWAY.group,
                    "kind": "Gateway",
                    "name": gateway["existingRef"]["name"],
                    **listener,
                },
            ],
            "traffic": {
                # After routing, the model that the router selects would choose no route any more.
                "phase": "PreRouting",
                "extProc": {
                    "conditional": [
                        {
                            "condition": _model_request(router),
                            "policy": {
                                "backendRef": asking.backend,
                                "failureMode": "FailOpen" if asking.fails_open else "FailClosed",
                                "processingOptions": {
                                    "allowModeOverride": True,
                                    "requestHeaderMode": "Send",
                                    "requestBodyMode": "Buffered",
                                    "responseHeaderMode": "Send",
                                    "responseBodyMode": "Buffered",
                                    "requestTrailerMode": "Skip",
                                    "responseTrailerMode": "Skip",
                                },
                            },
                        },
                    ],
                },
            },
        },
    }


def _model_request(router: Router) -> str:
    """Every path that a rule of a model takes, and none of the router's own API. CEL."""
    asked = f'({_below(MODELS_PREFIX)}) && request.path != "{MODELS_PATH}"'
    return f"{asked} && !({_below(REPLAYS_PATH)})" if shows_replays(router) else asked


def _below(path: str) -> str:
    return f'request.path == "{path}" || request.path.startsWith("{path}/")'


def _envoy_filter(router: Router, asking: _Asking) -> Manifest:
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
                _patch("CLUSTER", {}, "ADD", _ext_proc_cluster(router, cluster, asking)),
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
                    for index in range(len(api_rules(router, is_health=name != router.name)))
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


def _ext_proc_cluster(router: Router, name: str, asking: _Asking) -> dict[str, Any]:
    """A cluster of our own: Istio's has the cluster's domain in its name, which nobody told us."""
    address = service_host(asking.service, router.namespace)
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": CONNECT_TIMEOUT,
        **protocol("http2_protocol_options"),
        "load_assignment": one_address(name, address, asking.port),
    }


_ATTACHMENTS = {
    CONTROLLER_ENVOY_GATEWAY: (_envoy_extension_policy,),
    CONTROLLER_ISTIO: (_envoy_filter,),
    CONTROLLER_KGATEWAY: (_gateway_extension, _traffic_policy),
    CONTROLLER_AGENTGATEWAY: (_agentgateway_policy,),
}
