"""GatewayClasses, Gateways and EndpointSlices, as owners and controllers of a cluster make them."""

from __future__ import annotations

import json
from typing import Any

from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from endpoint_slices import endpoint_slice


def attach(router: SemanticRouter, **more: Any) -> None:
    reference = {"name": "public", "namespace": router.namespace}
    router.spec["gateway"] = {"existingRef": reference, **more}


def create_class(kubectl: Kubectl, name: str, controller: str) -> None:
    manifest = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": name},
        "spec": {"controllerName": controller},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))


def create_gateway(
    router: SemanticRouter,
    class_name: str,
    namespace: str = "",
    *,
    name: str = "public",
    port: int = 80,
    **allowed: Any,
) -> None:
    """In the router's namespace unless another is named."""
    listener = {"name": "http", "protocol": "HTTP", "port": port}
    manifest = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {
            "gatewayClassName": class_name,
            "listeners": [{**listener, **({"allowedRoutes": allowed} if allowed else {})}],
        },
    }
    router.kubectl(
        "apply", "-n", namespace or router.namespace, "-f", "-", stdin=json.dumps(manifest)
    )


def assert_taken_strictly(router: SemanticRouter, manifest: dict[str, Any]) -> None:
    """Every field of it is in the CRD."""
    router.kubectl(
        *("apply", "--dry-run=server", "--validate=strict", "-n", router.namespace, "-f", "-"),
        stdin=json.dumps({**manifest, "metadata": {"name": "by-hand"}}),
    )


def publish(router: SemanticRouter, service: str, port_name: str, host: str, port: int) -> None:
    """An EndpointSlice of the Service, as its controller would make it for pods that answer."""
    # In place of the one that only says that somebody is there.
    made_before = endpoint_slice(service)["metadata"]["name"]
    router.kubectl(
        *("delete", "endpointslice", made_before, "-n", router.namespace, "--ignore-not-found")
    )
    manifest = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": service, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "FQDN",
        "endpoints": [{"addresses": [host]}],
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }
    router.kubectl("apply", "-n", router.namespace, "-f", "-", stdin=json.dumps(manifest))
