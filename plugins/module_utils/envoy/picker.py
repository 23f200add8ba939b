# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The endpoint picker of an InferencePool: asked after the router, it says which server answers.

By the Gateway API Inference Extension's endpoint picker protocol: it gets the request in pieces as
they come, and puts an address into metadata, which the model's cluster goes by. When it is not
there, or says none, nobody else picks: the request fails.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts

FILTER = "envoy.filters.http.ext_proc.picker"
# Where the protocol has the address.
DESTINATION = {"key": "envoy.lb", "path": [{"key": "x-gateway-destination-endpoint"}]}

_PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute"
# Of a message, not of the whole request, which may wait in the picker for its turn.
_TIMEOUT = "30s"


def pools(facts: Facts) -> list[Endpoint]:
    """The endpoints that are pickers, each address once."""
    found = [each for each in facts.endpoints if each.pool and each.address and each.weight > 0]
    return list({each.address: each for each in found}.values())


def cluster_name(endpoint: Endpoint) -> str:
    return f"picker-{endpoint.namespace}-{endpoint.service}-{endpoint.port}"


def filters(facts: Facts) -> list[dict[str, Any]]:
    """Behind the router's, so that the route is that of the model which it has chosen."""
    return [_filter(pool) for pool in pools(facts)[:1]]


def unasked(facts: Facts) -> dict[str, Any]:
    """For the routes that say nothing else of it."""
    return {FILTER: {"@type": _PER_ROUTE, "disabled": True}} if pools(facts) else {}


def asked(endpoints: list[Endpoint]) -> dict[str, Any]:
    """For the routes to a model with these endpoints."""
    if not endpoints or not endpoints[0].pool:
        return {}
    service = {"envoy_grpc": {"cluster_name": cluster_name(endpoints[0])}}
    return {FILTER: {"@type": _PER_ROUTE, "overrides": {"grpc_service": service}}}


def _filter(pool: Endpoint) -> dict[str, Any]:
    both = {"request_header_mode": "SEND", "response_header_mode": "SEND"}
    bodies = {
        f"{side}_{what}": how
        for side in ("request", "response")
        for what, how in (("body_mode", "FULL_DUPLEX_STREAMED"), ("trailer_mode", "SEND"))
    }
    return {
        "name": FILTER,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3"
            ".ExternalProcessor",
            # Each route names its own.
            "grpc_service": {"envoy_grpc": {"cluster_name": cluster_name(pool)}},
            "processing_mode": {**both, **bodies},
            "message_timeout": _TIMEOUT,
            "status_on_error": {"code": "ServiceUnavailable"},
            "metadata_options": {"receiving_namespaces": {"untyped": [DESTINATION["key"]]}},
        },
    }
