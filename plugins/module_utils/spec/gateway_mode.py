# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who takes the requests: the Envoy in the pod, the router alone, or an existing Gateway?

What the Gateway itself is like is ``facts/gateways.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at

STANDALONE = "standalone"
ROUTER_ALONE = "router"
GATEWAY_INTEGRATION = "gateway-integration"

_API_AUTH_MODE = ("config", "global", "services", "management_api", "auth", "mode")


def mode(spec: Mapping[str, Any]) -> str:
    """status.gatewayMode"""
    if serves_alone(spec):
        return ROUTER_ALONE
    return GATEWAY_INTEGRATION if is_gateway_mode(spec) else STANDALONE


def is_gateway_mode(spec: Mapping[str, Any]) -> bool:
    """spec.gateway.existingRef is what decides; an empty spec.gateway means standalone."""
    return bool((spec.get("gateway") or {}).get("existingRef"))


def serves_alone(spec: Mapping[str, Any]) -> bool:
    """The router itself answers clients: neither an Envoy nor a Gateway stands in front of it."""
    return (spec.get("gateway") or {}).get("mode") == ROUTER_ALONE and not is_gateway_mode(spec)


def has_envoy(spec: Mapping[str, Any]) -> bool:
    """An Envoy in the pod takes the requests, which is so unless something else is asked for."""
    return not is_gateway_mode(spec) and not serves_alone(spec)


def serves_ext_proc(spec: Mapping[str, Any]) -> bool:
    """An Envoy or a Gateway may ask the router. One that serves alone is asked by nobody."""
    return not serves_alone(spec)


def wants_ext_proc(spec: Mapping[str, Any]) -> bool:
    """The Gateway shall ask the router about each model request, as the Envoy in the pod does."""
    return is_gateway_mode(spec) and bool(spec["gateway"].get("extProc"))


def has_routes_of_ours(spec: Mapping[str, Any]) -> bool:
    """The routes to the models are the operator's: in Envoy, or of the Gateway that asks."""
    return has_envoy(spec) or wants_ext_proc(spec)


def is_api_open(spec: Mapping[str, Any]) -> bool:
    """Whoever reaches the Service's API port is the router's administrator.

    There is no Envoy in front of it, and the router asks for a token only when its own
    configuration says so. The HTTPRoute lets the harmless paths through and no others.
    """
    return is_gateway_mode(spec) and at(spec, _API_AUTH_MODE) != "bearer"
