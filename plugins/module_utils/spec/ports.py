# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which port of the pod is whose. Whether they make sense is for ``checks/networking.py``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)

FIRST_API_PORT = 8081
FIRST_ADMIN_PORT = 19000
FIRST_TOLD_PORT = 8181
# Where the router looks for an Envoy when nobody tells it.
FIRST_LOOPER_PORT = 8899


@dataclass(frozen=True)
class PodPorts:
    """Every port that something in the pod listens on.

    listener: service.api.targetPort, the way in for clients: Envoy's, or that of a router that
        serves alone; in gateway mode the router's HTTP API.
    api: the router's own HTTP API. Where Envoy has service.api.targetPort it needs another one.
    grpc: the router's ExtProc service.
    metrics: the router's Prometheus endpoint.
    admin: Envoy's admin interface, on 127.0.0.1 only.
    looper: Envoy's second way in, on 127.0.0.1 only: for the router, when one of its algorithms
        asks several models.
    told: where the operator asks which configuration is active: Envoy's, for that one path; the
        router's API in gateway mode.
    """

    listener: int
    api: int
    grpc: int
    metrics: int
    admin: int
    looper: int
    told: int


def pod_ports(spec: Mapping[str, Any]) -> PodPorts:
    """The ports for a defaulted spec.

    Three are the user's. The others keep out of their way, and out of that of the user's own
    containers, which share the pod's addresses.
    """
    service = spec["service"]
    listener = int(service["api"]["targetPort"])
    grpc = int(service["grpc"]["targetPort"])
    metrics = int(service["metrics"]["targetPort"])
    taken = {listener, grpc, metrics, *(port for _, _, port in extra_ports(spec))}
    api = listener if is_gateway_mode(spec) else _first_free(FIRST_API_PORT, taken)
    admin = _first_free(FIRST_ADMIN_PORT, {*taken, api})
    looper = _first_free(FIRST_LOOPER_PORT, {*taken, api, admin})
    taken |= {api, admin, looper}
    return PodPorts(
        listener=listener,
        api=api,
        grpc=grpc,
        metrics=metrics,
        admin=admin,
        looper=looper,
        told=api if is_gateway_mode(spec) else _first_free(FIRST_TOLD_PORT, taken),
    )


def extra_ports(spec: Mapping[str, Any]) -> Iterator[tuple[int, int, int]]:
    """Ports that spec.extraContainers declare: index of the container, of its port, the port."""
    for index, container in enumerate(spec.get("extraContainers") or []):
        for place, port in enumerate(container.get("ports") or []):
            if (port.get("protocol") or "TCP") == "TCP":
                yield index, place, int(port["containerPort"])


def _first_free(start: int, taken: Collection[int]) -> int:
    return next(port for port in count(start) if port not in taken)
