# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where Envoy can send a request: one cluster per model, and the router in the same pod."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import egress, picker
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import COUNTED
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    by_model,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    egress as spec_egress,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BACKEND_IDLE_TIMEOUT,
    CONNECT_TIMEOUT,
    CONNECTION_BUFFER_BYTES,
    MAX_CONNECTIONS,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import PodPorts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

ROUTER_EXT_PROC = "router-ext-proc"
ROUTER_API = "router-api"
# No endpoints, on purpose: Envoy's "no healthy upstream" becomes the answer that names the model.
NO_ENDPOINT = "no-endpoint"

# Where the image has the certificates of public authorities.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
TRANSPORT_SOCKET_MATCH = "envoy.transport_socket_match"

_FAILURES_IN_A_ROW = 5

# Against the authorities that the image brings, and for the name that was asked for.
_VERIFIED = "https-verified"

Cluster = dict[str, Any]


def clusters(router: Router, facts: Facts, ports: PodPorts) -> list[Cluster]:
    """Every cluster of the bootstrap."""
    return [
        _picked_cluster(model) if usable[0].pool else _model_cluster(router, model, usable)
        for model, endpoints in by_model(facts.endpoints).items()
        if (usable := usable_endpoints(endpoints))
    ] + [
        _loopback_cluster(ROUTER_EXT_PROC, ports.grpc, _protocol("http2_protocol_options")),
        *(
            {
                **_loopback_cluster(each.cluster, ports.grpc, _protocol("http2_protocol_options")),
                "circuit_breakers": _circuit_breakers(max_requests=each.at_once(router.spec)),
            }
            for each in COUNTED
        ),
        _loopback_cluster(ROUTER_API, ports.api, _backend_protocol()),
        {"name": NO_ENDPOINT, "type": "STATIC"},
        *_egress_clusters(router, facts),
        *(_picker_cluster(each) for each in picker.pools(facts)),
    ]


def usable_endpoints(endpoints: list[Endpoint]) -> list[Endpoint]:
    """Those with an address that are to get traffic; a weight of 0 takes an endpoint out."""
    return [endpoint for endpoint in endpoints if endpoint.host and endpoint.weight > 0]


def model_cluster_name(model: str) -> str:
    """Readable, and different for models that differ in nothing but punctuation."""
    readable = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")[:48]
    return f"model-{readable}-{sha256(model.encode()).hexdigest()[:8]}"


def dns() -> dict[str, Any]:
    """What `type: STRICT_DNS` has become: Envoy has deprecated the fields that belong to it."""
    return {
        "cluster_type": {
            "name": "envoy.clusters.dns",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.clusters.dns.v3.DnsCluster",
                # Not AUTO, which asks for IPv6 first: in most clusters a question for nothing.
                "dns_lookup_family": "V4_PREFERRED",
                # A backend that appears late is found within seconds.
                "dns_failure_refresh_rate": {"base_interval": "1s", "max_interval": "5s"},
            },
        },
    }


def upstream_tls(validation: dict[str, Any] | None = None, **names: Any) -> dict[str, Any]:
    """A ``transport_socket``. validation: what the certificate has to be; None for any. names: how
    the server is asked for."""
    validated = {"validation_context": validation} if validation else {}
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
            ".UpstreamTlsContext",
            **names,
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": "TLSv1_2"},
                **validated,
            },
        },
    }


_TLS = {
    # The certificate is not verified: KServe's and most of a cluster's have no known authority.
    "https": upstream_tls(auto_host_sni=True),
    _VERIFIED: upstream_tls(
        {"trusted_ca": {"filename": AUTHORITIES}},
        auto_host_sni=True,
        auto_sni_san_validation=True,
    ),
}


def _egress_clusters(router: Router, facts: Facts) -> list[Cluster]:
    """Of the proxy, and of the hosts that its listeners reach without it."""
    if not egress.relays(router, facts):
        return []
    proxy = spec_egress.proxy(router.spec)
    hosts = {
        egress.direct_cluster_name(each): (each.host, each.port)
        for each in egress.direct_endpoints(router, facts)
    }
    if proxy:
        hosts[egress.PROXY] = (proxy.host, proxy.port)
    return [
        {
            "name": name,
            **dns(),
            "connect_timeout": CONNECT_TIMEOUT,
            "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
            "circuit_breakers": _circuit_breakers(),
            **_protocol("http_protocol_options"),
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [
                    {
                        "lb_endpoints": [
                            {
                                "endpoint": {
                                    "address": {
                                        "socket_address": {"address": host, "port_value": port},
                                    },
                                },
                            },
                        ],
                    },
                ],
            },
        }
        for name, (host, port) in sorted(hosts.items())
    ]


def _picked_cluster(model: str) -> Cluster:
    """Where the endpoint picker has said. A client cannot: what it says is no metadata."""
    return {
        "name": model_cluster_name(model),
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": _circuit_breakers(),
        **_backend_protocol(),
        "original_dst_lb_config": {"metadata_key": picker.DESTINATION},
    }


def _picker_cluster(endpoint: Endpoint) -> Cluster:
    name = picker.cluster_name(endpoint)
    address = {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}
    its = {"hostname": endpoint.host, "address": address}
    tls = {"transport_socket": _TLS["https"]} if endpoint.scheme == "https" else {}
    return {
        "name": name,
        **dns(),
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": _circuit_breakers(),
        **_protocol("http2_protocol_options"),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": its}]}],
        },
        **tls,
    }


def _model_cluster(router: Router, model: str, endpoints: list[Endpoint]) -> Cluster:
    name = model_cluster_name(model)
    is_relayed = egress.is_relayed(router, endpoints)
    return {
        "name": name,
        **({"type": "STATIC"} if is_relayed else dns()),
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": _circuit_breakers(),
        **_backend_protocol(),
        "lb_policy": "ROUND_ROBIN",
        "common_lb_config": {
            "locality_weighted_lb_config": {},
            # Envoy's default, 50 %, would give traffic back to ejected endpoints.
            "healthy_panic_threshold": {"value": 0},
            # What is ejected has no traffic at once. Envoy would collect such news for a second.
            "update_merge_window": "0s",
        },
        "outlier_detection": _outlier_detection(),
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                _locality(position, endpoint, is_relayed)
                for position, endpoint in enumerate(endpoints)
            ],
        },
        **_transport_sockets(endpoints),
    }


def _locality(position: int, endpoint: Endpoint, is_relayed: bool) -> dict[str, Any]:
    """One endpoint is one locality, because weights of localities are shares of the traffic.

    Weights of the addresses would count once per address: a headless Service with three pods would
    get three times its share. The position tells apart two endpoints with the same name.
    """
    socket_address = {"address": endpoint.host, "port_value": endpoint.port}
    address = {"socket_address": socket_address}
    return {
        "locality": {"zone": endpoint.name, "sub_zone": str(position)},
        "load_balancing_weight": endpoint.weight,
        "lb_endpoints": [
            {
                "endpoint": {
                    # What Host and SNI become; the address is only what DNS is asked for.
                    "hostname": endpoint.server_name or endpoint.host,
                    "address": egress.address(endpoint, position) if is_relayed else address,
                },
                "metadata": {
                    "filter_metadata": {TRANSPORT_SOCKET_MATCH: {"scheme": _transport(endpoint)}},
                },
            },
        ],
    }


def _transport(endpoint: Endpoint) -> str:
    return _VERIFIED if endpoint.is_outside and endpoint.scheme == "https" else endpoint.scheme


def _transport_sockets(endpoints: list[Endpoint]) -> dict[str, Any]:
    """TLS for the https endpoints; what matches nothing, http, stays plain."""
    used = {_transport(endpoint) for endpoint in endpoints}
    sockets = [
        {"name": name, "match": {"scheme": name}, "transport_socket": socket}
        for name, socket in _TLS.items()
        if name in used
    ]
    return {"transport_socket_matches": sockets} if sockets else {}


def _loopback_cluster(name: str, port: int, protocol: dict[str, Any]) -> Cluster:
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": _circuit_breakers(),
        **protocol,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                {
                    "lb_endpoints": [
                        {
                            "endpoint": {
                                "address": {
                                    "socket_address": {"address": "127.0.0.1", "port_value": port},
                                },
                            },
                        },
                    ],
                },
            ],
        },
    }


def _backend_protocol() -> dict[str, Any]:
    idle = {"common_http_protocol_options": {"idle_timeout": BACKEND_IDLE_TIMEOUT}}
    return _protocol("http_protocol_options", **idle)


def _protocol(name: str, **more: Any) -> dict[str, Any]:
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3"
                ".HttpProtocolOptions",
                **more,
                "explicit_http_config": {name: {}},
            },
        },
    }


def _outlier_detection() -> dict[str, Any]:
    """An endpoint that does nothing but fail gets no traffic for a while; the last one always does.

    Only by failures in a row. What one model refuses more often than another (success rates) says
    more of its prompts than of its health.
    """
    return {
        "consecutive_5xx": _FAILURES_IN_A_ROW,
        "consecutive_gateway_failure": _FAILURES_IN_A_ROW,
        "enforcing_consecutive_gateway_failure": 100,
        "enforcing_success_rate": 0,
        "interval": "5s",
        # Times the number of ejections, so that one which comes and goes has less and less to lose.
        "base_ejection_time": "10s",
        "max_ejection_time": "120s",
        # Of the whole cluster: all but one.
        "max_ejection_percent": 99,
    }


def _circuit_breakers(max_requests: int = MAX_CONNECTIONS) -> dict[str, Any]:
    return {
        "thresholds": [
            {
                "max_connections": MAX_CONNECTIONS,
                "max_pending_requests": MAX_CONNECTIONS,
                "max_requests": max_requests,
                # While an endpoint is dead, as many as it has share of the requests; Envoy's own
                # limit is three at a time.
                "max_retries": MAX_CONNECTIONS,
            },
        ],
    }
