# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way out through a proxy, which Envoy does not take from its environment.

A connection to a host outside goes to a listener in Envoy's own process, which asks the proxy by
CONNECT for that host. So the host's TLS, its Host and its health stay the model's cluster's, and
the proxy may have a name: Envoy's own transport socket for this takes addresses only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import by_model
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.egress import (
    WayOut,
    way_out,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    CONNECTION_BUFFER_BYTES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

PROXY = "egress-proxy"

_TCP_PROXY = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"


def is_relayed(way: WayOut, endpoints: list[Endpoint]) -> bool:
    """Connections of a model's cluster go through listeners of our own. If one does, all do: a
    cluster's addresses are of one sort."""
    return any(_is_proxied(way, endpoint) for endpoint in endpoints)


def address(endpoint: Endpoint, position: int) -> dict[str, Any]:
    """Where a connection to an endpoint begins. position: tells two of one host apart."""
    relay = {"server_listener_name": _relay(endpoint), "endpoint_id": str(position)}
    return {"envoy_internal_address": relay}


def relays(router: Router, facts: Facts) -> list[dict[str, Any]]:
    """A listener for each host."""
    way = way_out(router.spec, facts.inherited)
    return [_listener(way, endpoint) for endpoint in _relayed(way, facts)]


def direct_cluster_name(endpoint: Endpoint) -> str:
    """That of a host which shares a model with one behind the proxy."""
    return f"direct-{endpoint.address}"


def direct_endpoints(router: Router, facts: Facts) -> list[Endpoint]:
    """Those of relayed models that the proxy does not lead to."""
    way = way_out(router.spec, facts.inherited)
    return [each for each in _relayed(way, facts) if not _is_proxied(way, each)]


def _relayed(way: WayOut, facts: Facts) -> Iterator[Endpoint]:
    known = set()
    for endpoints in by_model(facts.endpoints).values():
        if not is_relayed(way, endpoints):
            continue
        for endpoint in endpoints:
            if endpoint.address and endpoint.address not in known:
                known.add(endpoint.address)
                yield endpoint


def _is_proxied(way: WayOut, endpoint: Endpoint) -> bool:
    return endpoint.is_outside and way.is_proxied(endpoint.host, endpoint.port)


def _relay(endpoint: Endpoint) -> str:
    return f"egress {endpoint.address}"


def _listener(way: WayOut, endpoint: Endpoint) -> dict[str, Any]:
    is_proxied = _is_proxied(way, endpoint)
    tunnel = {"tunneling_config": {"hostname": endpoint.address}} if is_proxied else {}
    return {
        "name": _relay(endpoint),
        "internal_listener": {},
        "per_connection_buffer_limit_bytes": CONNECTION_BUFFER_BYTES,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.tcp_proxy",
                        "typed_config": {
                            "@type": _TCP_PROXY,
                            "stat_prefix": "egress",
                            "cluster": PROXY if is_proxied else direct_cluster_name(endpoint),
                            **tunnel,
                        },
                    },
                ],
            },
        ],
    }
