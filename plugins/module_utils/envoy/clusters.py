# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where Envoy can send a request: one cluster per model, and the router in the same pod."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import egress, picker
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.overload import COUNTED
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.traffic_policy import (
    health_checks,
    load_balancing,
    outlier_detection,
    retry_budget,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    Verifications,
    transport,
    transport_socket,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    by_model,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import traffic_policy
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.egress import (
    WayOut,
    way_out,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BACKEND_IDLE_TIMEOUT,
    CONNECT_TIMEOUT,
    CONNECTION_BUFFER_BYTES,
    MAX_CONNECTIONS,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import PodPorts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.traffic_policy import (
    TrafficPolicy,
    duration,
)

ROUTER_EXT_PROC = "router-ext-proc"
ROUTER_API = "router-api"
# No endpoints, on purpose: Envoy's "no healthy upstream" becomes the answer that names the model.
NO_ENDPOINT = "no-endpoint"

TRANSPORT_SOCKET_MATCH = "envoy.transport_socket_match"

Cluster = dict[str, Any]


def clusters(router: Router, facts: Facts, ports: PodPorts) -> list[Cluster]:
    """Every cluster of the bootstrap."""
    how = verification.by_endpoint(router, facts)
    policies = traffic_policy.by_model(router.spec)
    way = way_out(router.spec, facts.inherited)
    return [
        _picked_cluster(model)
        if usable[0].pool
        else _model_cluster(way, model, usable, how, policies.get(model, {}))
        for model, endpoints in by_model(facts.endpoints).items()
        if (usable := usable_endpoints(endpoints))
    ] + [
        _loopback_cluster(ROUTER_EXT_PROC, ports.grpc, protocol("http2_protocol_options")),
        *(
            {
                **_loopback_cluster(each.cluster, ports.grpc, protocol("http2_protocol_options")),
                "circuit_breakers": circuit_breakers(max_requests=each.at_once(router.spec)),
            }
            for each in COUNTED
        ),
        _loopback_cluster(ROUTER_API, ports.api, _backend_protocol()),
        {"name": NO_ENDPOINT, "type": "STATIC"},
        *_egress_clusters(router, facts),
        *(_picker_cluster(each, how) for each in picker.pools(facts)),
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


def _egress_clusters(router: Router, facts: Facts) -> list[Cluster]:
    """Of the proxy, and of the hosts that its listeners reach without it."""
    if not egress.relays(router, facts):
        return []
    proxy = way_out(router.spec, facts.inherited).proxy
    hosts = {
        egress.direct_cluster_name(each): (each.host, each.port)
        for each in egress.direct_endpoints(router, facts)
    }
    if proxy:
        hosts[egress.PROXY] = (proxy.host, proxy.port)
    http = protocol("http_protocol_options")
    return [
        _cluster_of_one(name, dns(), one_address(name, host, port), http)
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
        "circuit_breakers": circuit_breakers(),
        **_backend_protocol(),
        "original_dst_lb_config": {"metadata_key": picker.DESTINATION},
    }


def _picker_cluster(endpoint: Endpoint, how: Verifications) -> Cluster:
    name = picker.cluster_name(endpoint)
    host = endpoint.host
    wanted = how.get(endpoint.name)
    tls = {"transport_socket": transport_socket(wanted)} if wanted else {}
    where = one_address(name, host, endpoint.port, hostname=host)
    return {**_cluster_of_one(name, dns(), where, protocol("http2_protocol_options")), **tls}


def _model_cluster(
    way: WayOut,
    model: str,
    endpoints: list[Endpoint],
    how: Verifications,
    policy: TrafficPolicy,
) -> Cluster:
    name = model_cluster_name(model)
    connect = duration(policy.get("timeout") or {}, "connect", CONNECT_TIMEOUT)
    checks = health_checks(policy)
    is_relayed = egress.is_relayed(way, endpoints)
    return {
        "name": name,
        **({"type": "STATIC"} if is_relayed else dns()),
        "connect_timeout": connect,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": circuit_breakers(**retry_budget(policy)),
        **_backend_protocol(),
        **load_balancing(policy),
        "common_lb_config": {
            "locality_weighted_lb_config": {},
            # Envoy's default, 50 %, would give traffic back to ejected endpoints.
            "healthy_panic_threshold": {"value": 0},
            # What is ejected has no traffic at once. Envoy would collect such news for a second.
            "update_merge_window": "0s",
        },
        "outlier_detection": outlier_detection(policy),
        **checks,
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [
                _locality(
                    position, endpoint, is_relayed, transport(how.get(endpoint.name)), bool(checks)
                )
                for position, endpoint in enumerate(endpoints)
            ],
        },
        **_transport_sockets(endpoints, how),
    }


def _locality(
    position: int, endpoint: Endpoint, is_relayed: bool, socket: str, is_checked: bool
) -> dict[str, Any]:
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
                    **(_health_check_config(endpoint) if is_checked else {}),
                },
                "metadata": {
                    "filter_metadata": {TRANSPORT_SOCKET_MATCH: {"scheme": socket}},
                },
            },
        ],
    }


def _health_check_config(endpoint: Endpoint) -> dict[str, Any]:
    """Who serves a hosted model answers nobody without a key."""
    told = {"disable_active_health_check": True} if endpoint.is_outside else {}
    return {"health_check_config": {"hostname": endpoint.host, **told}}


def _transport_sockets(endpoints: list[Endpoint], how: Verifications) -> dict[str, Any]:
    """TLS for the https endpoints; what matches nothing, http, stays plain."""
    wanted = {
        transport(verification): verification
        for endpoint in endpoints
        if (verification := how.get(endpoint.name))
    }
    sockets = [
        {"name": name, "match": {"scheme": name}, "transport_socket": transport_socket(each)}
        for name, each in sorted(wanted.items())
    ]
    return {"transport_socket_matches": sockets} if sockets else {}


def _loopback_cluster(name: str, port: int, spoken: dict[str, Any]) -> Cluster:
    return _cluster_of_one(name, {"type": "STATIC"}, one_address(name, "127.0.0.1", port), spoken)


def inside_cluster(name: str, listener: str) -> Cluster:
    """The way to a listener in Envoy's own process."""
    address = {"envoy_internal_address": {"server_listener_name": listener}}
    endpoints = [{"endpoint": {"address": address}}]
    where = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return _cluster_of_one(name, {"type": "STATIC"}, where, _backend_protocol())


def _cluster_of_one(
    name: str, found: dict[str, Any], where: dict[str, Any], spoken: dict[str, Any]
) -> Cluster:
    """found: how the address is. spoken: the protocol."""
    return {
        "name": name,
        **found,
        "connect_timeout": CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "circuit_breakers": circuit_breakers(),
        **spoken,
        "load_assignment": where,
    }


def one_address(cluster: str, host: str, port: int, **endpoint: str) -> dict[str, Any]:
    """A ``load_assignment``. endpoint: what else there is to say of it."""
    address = {"socket_address": {"address": host, "port_value": port}}
    endpoints = [{"endpoint": {**endpoint, "address": address}}]
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": endpoints}]}


def _backend_protocol() -> dict[str, Any]:
    idle = {"common_http_protocol_options": {"idle_timeout": BACKEND_IDLE_TIMEOUT}}
    return protocol("http_protocol_options", **idle)


def protocol(name: str, **more: Any) -> dict[str, Any]:
    """What makes a cluster speak this one."""
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


def circuit_breakers(max_requests: int = MAX_CONNECTIONS, **budget: Any) -> dict[str, Any]:
    return {
        "thresholds": [
            {
                "max_connections": MAX_CONNECTIONS,
                "max_pending_requests": MAX_CONNECTIONS,
                "max_requests": max_requests,
                # While an endpoint is dead, as many as it has share of the requests; Envoy's own
                # limit is three at a time.
                "max_retries": MAX_CONNECTIONS,
                **budget,
            },
        ],
    }
