"""The way into a Gateway: by its Service, or by its address; and why there is none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from semantic_router_cli import door
from semantic_router_cli.cluster import Answer
from semantic_router_cli.door import Door

GATEWAY = "/apis/gateway.networking.k8s.io/v1/namespaces/infra/gateways/public"
HTTP = {"name": "http", "port": 80, "protocol": "HTTP"}
HTTPS = {"name": "https", "port": 443, "protocol": "HTTPS", "hostname": "*.example.com"}
OF_THE_GATEWAY_API = {"gateway.networking.k8s.io/gateway-name": "public"}
OF_ENVOY_GATEWAY = {
    "gateway.envoyproxy.io/owning-gateway-name": "public",
    "gateway.envoyproxy.io/owning-gateway-namespace": "infra",
}


class Cluster:
    """A Gateway, and Services in one namespace."""

    def __init__(
        self,
        *listeners: dict[str, Any],
        services: tuple[str, ...] = (),
        labels: dict[str, str] | None = None,
        addresses: tuple[str, ...] = (),
    ) -> None:
        self.listeners = listeners
        self.services = services
        self.labels = as_selector(labels or OF_THE_GATEWAY_API)
        self.addresses = [{"type": "IPAddress", "value": value} for value in addresses]

    def find(self, path: str) -> Answer:
        assert path == GATEWAY
        if not self.listeners:
            return Answer()
        spec, status = {"listeners": list(self.listeners)}, {"addresses": self.addresses}
        return Answer(({"spec": spec, "status": status},))

    def look(self, path: str, selector: str) -> Answer:
        if selector != self.labels:
            return Answer()
        namespace = "infra" if "/namespaces/" in path else "envoy-gateway-system"
        return Answer(
            tuple(
                {
                    "metadata": {"name": name, "namespace": namespace},
                    "spec": {"ports": [{"port": 80}, {"port": 443}], "selector": {"app": name}},
                }
                for name in self.services
            )
        )


def into(cluster: Cluster, **gateway: Any) -> Door:
    reference = {"name": "public", "namespace": "infra"}
    spec = {"gateway": {"existingRef": reference, **gateway}}
    router = Router({"metadata": {"name": "r", "namespace": "n"}, "spec": spec})
    found: Any = cluster
    return door.of_gateway(found, router)


def test_a_gateways_service_is_found_by_the_label_of_the_gateway_api() -> None:
    found = into(Cluster(HTTPS, HTTP, services=("public-istio",)), hostnames=["router.example.com"])
    assert (found.namespace, found.target, found.port) == ("infra", "service/public-istio", 80)
    assert (found.scheme, found.host) == ("http", "router.example.com")
    assert found.envoys == ("infra", "app=public-istio")


def test_that_of_envoy_gateway_stands_in_another_namespace_under_its_own_label() -> None:
    found = into(Cluster(HTTP, services=("envoy-1",), labels=OF_ENVOY_GATEWAY))
    assert (found.namespace, found.target) == ("envoy-gateway-system", "service/envoy-1")


def test_the_listener_is_the_one_that_the_router_names_and_a_wildcard_becomes_a_name() -> None:
    found = into(Cluster(HTTP, HTTPS, services=("a",)), sectionName="https")
    assert (found.port, found.scheme, found.host) == (443, "https", "router.example.com")


def test_without_a_service_one_goes_to_the_address() -> None:
    found = into(Cluster(HTTP, addresses=("203.0.113.7",)))
    assert (found.target, found.address, found.port) == ("", "203.0.113.7", 80)
    assert found.said == "203.0.113.7 of Gateway infra/public"


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        (Cluster(), "Gateway infra/public does not exist"),
        (Cluster({"name": "tcp", "port": 1, "protocol": "TCP"}), "has no HTTP listener"),
        (Cluster(HTTP), "has no address yet"),
    ],
)
def test_where_there_is_no_way_in_one_is_told_why(cluster: Cluster, why: str) -> None:
    with pytest.raises(RouterError, match=why):
        into(cluster)
