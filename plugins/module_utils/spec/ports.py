# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which port of the pod is whose. Whether they make sense is for ``checks/networking.py``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)

FIRST_API_PORT = 8081
FIRST_ADMIN_PORT = 19000


@dataclass(frozen=True)
class PodPorts:
    """Every port that something in the pod listens on.

    listener: service.api.targetPort, the way in for clients: Envoy's; the router's in gateway mode.
    api: the router's own HTTP API. Where Envoy has service.api.targetPort it needs another one.
    grpc: the router's ExtProc service.
    metrics: the router's Prometheus endpoint.
    admin: Envoy's admin interface, on 127.0.0.1 only.
    """

    listener: int
    api: int
    grpc: int
    metrics: int
    admin: int


def pod_ports(spec: Mapping[str, Any]) -> PodPorts:
    """The ports for a defaulted spec: three are the user's, the other two keep out of their way."""
    service = spec["service"]
    listener = int(service["api"]["targetPort"])
    grpc = int(service["grpc"]["targetPort"])
    metrics = int(service["metrics"]["targetPort"])
    behind_envoy = _first_free(FIRST_API_PORT, {listener, grpc, metrics})
    api = listener if is_gateway_mode(spec) else behind_envoy
    admin = _first_free(FIRST_ADMIN_PORT, {listener, grpc, metrics, api})
    return PodPorts(listener=listener, api=api, grpc=grpc, metrics=metrics, admin=admin)


def _first_free(start: int, taken: Collection[int]) -> int:
    return next(port for port in count(start) if port not in taken)
