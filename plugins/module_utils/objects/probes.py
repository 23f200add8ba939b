# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Probes of the router's and Envoy's containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import compact
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import speaks_tls
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import PodPorts

_PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# The fields of a Probe, each of which is a way to ask.
_HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")


def router_probes(spec: Mapping[str, Any], ports: PodPorts) -> dict[str, Any]:
    """The probes that are switched on, each under its field's name."""
    return {name: _probe(name, spec, ports) for name in _PROBES if spec[name]["enabled"]}


def envoy_probes(ports: PodPorts) -> dict[str, Any]:
    """Ready when it listens; whether the router behind it is ready is asked of the router alone.

    No liveness probe: an Envoy that breaks exits, and one that hangs would still have its
    connections accepted by the kernel.
    """
    return {
        "readinessProbe": {
            "tcpSocket": {"port": ports.listener},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": 3,
        }
    }


def _probe(name: str, spec: Mapping[str, Any], ports: PodPorts) -> dict[str, Any]:
    probe: dict[str, Any] = compact(spec[name])
    # The switch is the SemanticRouter's; a Probe has no such field.
    del probe["enabled"]
    handler = next((name for name in _HANDLERS if name in probe), None)
    if handler is None and serves_alone(spec):
        return {"httpGet": _asked_of_the_listener(name, spec, ports), **probe}
    if handler is None:
        # The router opens this port after download and warm-up, which is all that "ready" means.
        # It has no gRPC health service, and its HTTP API on 127.0.0.1 is out of a kubelet's reach.
        return {"tcpSocket": {"port": ports.grpc}, **probe}
    if "port" in probe[handler]:
        probe[handler]["port"] = _number(probe[handler]["port"], ports)
    return probe


def _asked_of_the_listener(name: str, spec: Mapping[str, Any], ports: PodPorts) -> dict[str, Any]:
    # Not /ready for the others: a router that is not ready must leave the Service, not be killed.
    asked = {
        "path": "/ready" if name == "readinessProbe" else "/health",
        "port": ports.listener,
    }
    # A kubelet verifies no certificate.
    return {**asked, **({"scheme": "HTTPS"} if speaks_tls(spec) else {})}


def _number(port: int | str, ports: PodPorts) -> int | str:
    # Kubernetes looks for a named port in the probed container only, and `api` is Envoy's.
    numbers: dict[int | str, int] = {
        "api": ports.listener,
        "grpc": ports.grpc,
        "metrics": ports.metrics,
    }
    return numbers.get(port, port)
