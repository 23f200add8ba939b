"""What a cluster's own controller makes of the pods behind a Service, for Services without any."""

from __future__ import annotations

from typing import Any


def endpoint_slice(service: str, port: int = 8000, ready: bool = True) -> dict[str, Any]:
    """One address behind a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-addresses",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["192.0.2.10"], "conditions": {"ready": ready}}],
    }
