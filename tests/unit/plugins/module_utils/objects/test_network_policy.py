from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.network_policy import (
    network_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from examples import router

PROMETHEUS = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
CLIENTS = {"podSelector": {"matchLabels": {"app": "chat"}}}
GATEWAY = {"existingRef": {"name": "public", "namespace": "edge"}}
ENVOY_GATEWAY = Facts(gateway={"controller": "gateway.envoyproxy.io/gatewayclass-controller"})
ISTIO = Facts(gateway={"controller": "istio.io/gateway-controller"})


def built(facts: Facts | None = None, **spec: Any) -> dict[str, Any]:
    policy = {"enabled": True, **spec.pop("networkPolicy", {})}
    (found,) = network_policy(router(networkPolicy=policy, **spec), facts or Facts())
    wanted: dict[str, Any] = found["spec"]
    return wanted


def open_ports(wanted: dict[str, Any]) -> dict[int, Any]:
    """Who may reach which port; None is everyone."""
    return {port["port"]: rule.get("from") for rule in wanted["ingress"] for port in rule["ports"]}


def test_nothing_is_closed_unless_asked_for():
    assert network_policy(router(), Facts()) == []


def test_clients_and_prometheus_reach_the_pods_and_nobody_reaches_the_routers_own_ports():
    wanted = router(networkPolicy={"enabled": True})
    ports = pod_ports(wanted.spec)
    (found,) = network_policy(wanted, Facts())

    assert open_ports(found["spec"]) == {ports.listener: None, ports.metrics: None}
    assert not {ports.api, ports.grpc} & set(open_ports(found["spec"]))


def test_it_covers_the_pods_of_the_deployment():
    (pods,) = deployment(router(), Facts())

    assert (
        built()["podSelector"]["matchLabels"].items()
        <= pods["spec"]["template"]["metadata"]["labels"].items()
    )


def test_ports_of_the_users_choice_are_the_ones_that_are_open():
    service = {"api": {"targetPort": 9000}, "metrics": {"targetPort": 9100}}

    assert set(open_ports(built(service=service))) == {9000, 9100}


def test_only_those_who_are_named_get_in():
    policy = {"ingress": [CLIENTS], "metricsFrom": [PROMETHEUS]}

    assert open_ports(built(networkPolicy=policy)) == {8080: [CLIENTS], 9190: [PROMETHEUS]}


def test_an_empty_list_is_everyone():
    policy: dict[str, Any] = {"ingress": [], "metricsFrom": []}

    assert open_ports(built(networkPolicy=policy)) == {8080: None, 9190: None}


def test_metrics_that_are_switched_off_are_closed():
    assert set(open_ports(built(service={"metrics": {"enabled": False}}))) == {8080}


@pytest.mark.parametrize("listed", [[], [CLIENTS]])
def test_in_gateway_mode_the_gateway_reaches_the_api_and_others_only_by_name(
    listed: list[dict[str, Any]],
):
    wanted = built(ENVOY_GATEWAY, gateway=GATEWAY, networkPolicy={"ingress": listed})
    gateway, *others = open_ports(wanted)[8080]

    assert gateway["podSelector"]["matchLabels"]["app.kubernetes.io/managed-by"] == "envoy-gateway"
    assert others == listed
    assert 50051 not in open_ports(wanted)


@pytest.mark.parametrize("facts", [ENVOY_GATEWAY, ISTIO, Facts()])
def test_with_ext_proc_the_gateway_and_nobody_else_reaches_grpc(facts: Facts):
    wanted = built(facts, gateway={**GATEWAY, "extProc": True})

    assert open_ports(wanted)[50051] == open_ports(wanted)[8080]
    assert len(open_ports(wanted)[50051]) == 1


def test_the_proxies_of_istio_are_known_by_their_gateway():
    (peer,) = open_ports(built(ISTIO, gateway=GATEWAY))[8080]

    assert peer == {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
        "podSelector": {"matchLabels": {"gateway.networking.k8s.io/gateway-name": "public"}},
    }


def test_the_gateway_of_an_unknown_controller_is_its_whole_namespace():
    (peer,) = open_ports(built(Facts(), gateway=GATEWAY))[8080]

    assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}


def test_what_the_pods_may_reach_is_left_alone_unless_asked_for():
    assert built()["policyTypes"] == ["Ingress"]
    assert "egress" not in built()


def test_limited_egress_keeps_dns_and_the_namespaces_of_the_backends():
    known = Endpoint("a", "m", 1, "vllm", "serving", 8000, "http", ready=True)
    unknown = replace(known, name="b", service="", namespace="", port=0)
    redis = {"to": [CLIENTS], "ports": [{"protocol": "TCP", "port": 6379}]}

    wanted = built(Facts(endpoints=[known, unknown]), networkPolicy={"egress": [redis]})

    dns, backends, asked = wanted["egress"]
    assert {(port["protocol"], port["port"]) for port in dns["ports"]} >= {("UDP", 53), ("TCP", 53)}
    assert "to" not in dns
    assert backends == {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "serving"}}}]
    }
    assert asked == redis
    assert wanted["policyTypes"] == ["Ingress", "Egress"]


def test_limited_egress_keeps_issuers_that_are_services():
    def issuer(host: str) -> dict[str, Any]:
        return {"issuer": host, "audiences": ["a"], "jwksUri": f"https://{host}/keys"}

    jwt = [issuer("keycloak.auth.svc"), issuer("login.example.com")]
    _, issuers = built(networkPolicy={"egress": []}, auth={"jwt": jwt})["egress"]

    assert issuers == {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "auth"}}}]
    }


def test_limited_egress_keeps_a_proxy_that_is_a_service():
    proxy = {"url": "http://squid.gates.svc:3128"}
    _, gates = built(networkPolicy={"egress": []}, egressProxy=proxy)["egress"]

    assert gates == {
        "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gates"}}}]
    }
    outside = {"url": "http://proxy.example.com:3128"}
    assert len(built(networkPolicy={"egress": []}, egressProxy=outside)["egress"]) == 1


def test_an_empty_egress_leaves_dns_alone():
    wanted = built(networkPolicy={"egress": []})

    assert [rule.get("to") for rule in wanted["egress"]] == [None]
    assert wanted["egress"][0]["ports"]


OPERATOR = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "operators"}},
    "podSelector": {"matchLabels": {"control-plane": "controller-manager"}},
}


def test_the_operators_pods_and_no_others_reach_the_port_that_tells_the_active_configuration():
    facts = Facts(operator_namespace="operators")

    assert open_ports(built(facts))[pod_ports(router().spec).told] == [OPERATOR]


def test_behind_a_gateway_the_operator_is_let_in_where_the_router_itself_listens():
    facts = replace(ENVOY_GATEWAY, operator_namespace="operators")
    rules = built(facts, gateway=GATEWAY)["ingress"]

    ports = pod_ports(router(gateway=GATEWAY).spec)
    assert {"from": [OPERATOR], "ports": [{"protocol": "TCP", "port": ports.api}]} in rules


def test_the_operators_pods_are_known_by_the_labels_that_their_manifest_gives_them():
    manifest = Path(__file__).parents[5] / "config" / "manager" / "manager.yaml"
    (manager,) = (
        item
        for item in yaml.safe_load_all(manifest.read_text(encoding="utf-8"))
        if item["kind"] == "Deployment"
    )

    labels = manager["spec"]["template"]["metadata"]["labels"]
    assert OPERATOR["podSelector"]["matchLabels"].items() <= labels.items()
