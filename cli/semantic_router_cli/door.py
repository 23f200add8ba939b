"""Where a router takes requests: its own pod, or the Gateway that it is attached to.

A Gateway's Service is found by the label that the Gateway API gives it, and reached through kubectl
like a pod. Only a Gateway without one is gone to by its address: what is asked is for it alone, and
the same private address may be somebody else's where one sits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import segment
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis, listener
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

from semantic_router_cli.cluster import Cluster

# Of the Gateway API (GEP-1762): on what an implementation makes for a Gateway, in its namespace.
GATEWAY_NAME = "gateway.networking.k8s.io/gateway-name"
# Envoy Gateway has its own, and makes it in a namespace of its own.
_OWNING = "gateway.envoyproxy.io/owning-gateway"
_SCHEMES = {"HTTP": "http", "HTTPS": "https"}


@dataclass(frozen=True)
class Door:
    """target: for kubectl, as in pod/NAME; "" to go to the address.

    host: the name to ask by, "" for none. gateway: NAMESPACE/NAME, "" for the router's own Envoy.
    envoys: namespace and labels of the pods whose access log may tell of the request.
    """

    namespace: str
    target: str
    port: int
    scheme: str = "http"
    address: str = ""
    host: str = ""
    gateway: str = ""
    envoys: tuple[str, str] = ("", "")

    @property
    def said(self) -> str:
        """For people: who was asked."""
        name = self.target.rpartition("/")[2] or self.address
        return f"{name} of Gateway {self.gateway}" if self.gateway else name


def of_pod(router: Router, pod: str) -> Door:
    scheme = "https" if listener.speaks_tls(router.spec) else "http"
    return Door(router.namespace, f"pod/{pod}", pod_ports(router.spec).listener, scheme)


def of_gateway(cluster: Cluster, router: Router) -> Door:
    """RouterError: there is no way in that one could see, and why."""
    wanted = router.spec["gateway"]
    namespace, name = wanted["existingRef"]["namespace"], wanted["existingRef"]["name"]
    path = f"/apis/{apis.GATEWAY}/namespaces/{segment(namespace)}/gateways/{segment(name)}"
    answer = cluster.find(path)
    if answer.first is None:
        why = answer.denied or f"Gateway {namespace}/{name} does not exist"
        raise _closed(why, "`kubectl sr status` says what the operator sees of it")
    chosen = _listener(answer.first, wanted.get("sectionName"))
    if chosen is None:
        raise _closed(
            f"Gateway {namespace}/{name} has no HTTP listener", "Give spec.gateway.sectionName one"
        )
    port, scheme = int(chosen["port"]), _SCHEMES[chosen["protocol"]]
    host = _host([*(wanted.get("hostnames") or []), str(chosen.get("hostname") or "")])
    service = next(_services(cluster, namespace, name, port), None)
    if service is not None:
        own = service["metadata"]
        labels = as_selector((service.get("spec") or {}).get("selector") or {})
        target, envoys = f"service/{own['name']}", (own["namespace"], labels)
        return Door(own["namespace"], target, port, scheme, "", host, f"{namespace}/{name}", envoys)
    address = _address(answer.first)
    if not address:
        raise _closed(
            f"Gateway {namespace}/{name} has no address yet, and no Service that you may see has "
            f"the label {GATEWAY_NAME}={name}",
            "Wait for the Gateway to be programmed, or send the request where you know it to be",
        )
    return Door(namespace, "", port, scheme, address, host, f"{namespace}/{name}")


def _closed(found: str, remedy: str) -> RouterError:
    return RouterError(Problem("GatewayUnreachable", "", found.rstrip("."), remedy, retry=True))


def _listener(gateway: Manifest, section: str | None) -> Mapping[str, Any] | None:
    listeners = (gateway.get("spec") or {}).get("listeners") or []
    named = [item for item in listeners if section in (None, item.get("name"))]
    # What needs no name in a certificate comes first.
    in_order = sorted(named, key=lambda item: item.get("protocol") != "HTTP")
    return next((item for item in in_order if item.get("protocol") in _SCHEMES), None)


def _host(names: Sequence[str]) -> str:
    """Any name that the route takes; "" where it takes all."""
    name = next(filter(None, names), "")
    return f"router{name.removeprefix('*')}" if name.startswith("*.") else name


def _services(cluster: Cluster, namespace: str, name: str, port: int) -> Iterator[Manifest]:
    """Those of the Gateway that have the listener's port."""
    of_envoy_gateway = {f"{_OWNING}-name": name, f"{_OWNING}-namespace": namespace}
    for path, labels in (
        (f"/api/v1/namespaces/{namespace}/services", {GATEWAY_NAME: name}),
        ("/api/v1/services", of_envoy_gateway),
    ):
        for service in cluster.look(path, as_selector(labels)).items:
            ports = (service.get("spec") or {}).get("ports") or []
            if any(item.get("port") == port for item in ports):
                yield service


def _address(gateway: Manifest) -> str:
    found = (gateway.get("status") or {}).get("addresses") or []
    return next((str(item["value"]) for item in found if item.get("value")), "")
