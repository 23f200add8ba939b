# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may reach the router's pods, and on request what they may reach.

Policies add up: whoever needs another port (an extra container's, ExtProc for an Envoy of their
own) writes a second NetworkPolicy beside this one. Probes need no rule: a kubelet always reaches
the pods of its node. Nor does Envoy in the pod, which talks to the router on 127.0.0.1.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    ATTACHMENTS,
    CONTROLLER_ENVOY_GATEWAY,
    LABEL_GATEWAY_NAME,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import auth, egress
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import compact
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import service_at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
    serves_alone,
    wants_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_NAMESPACE,
    OPERATOR_POD_LABELS,
    Manifest,
    metadata,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# A policy sees the pod's port, not the Service's: OpenShift's DNS listens on 5353.
_DNS_PORTS = (53, 5353)

Peer = dict[str, Any]
Rule = dict[str, Any]


def network_policy(router: Router, facts: Facts) -> list[Manifest]:
    """The NetworkPolicy of the router's pods."""
    wanted = router.spec["networkPolicy"]
    if not wanted["enabled"]:
        return []
    is_egress_limited = wanted.get("egress") is not None
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata(router.name, router.namespace),
            "spec": {
                "podSelector": {"matchLabels": selector(router.name)},
                "policyTypes": ["Ingress", *(["Egress"] if is_egress_limited else [])],
                "ingress": _ingress(router, facts),
                **({"egress": _egress(router, facts)} if is_egress_limited else {}),
            },
        }
    ]


def _ingress(router: Router, facts: Facts) -> list[Rule]:
    wanted, ports = router.spec["networkPolicy"], pod_ports(router.spec)
    clients = compact(wanted.get("ingress") or [])
    if is_gateway_mode(router.spec):
        # The API port is the router's own there, and manages the router: nobody's unless named.
        clients = [_gateway(router, facts), *clients]
    rules = [_from(clients, ports.listener)]
    if wants_ext_proc(router.spec):
        rules.append(_from([_gateway(router, facts)], ports.grpc))
    if router.spec["service"]["metrics"]["enabled"]:
        rules.append(_from(compact(wanted.get("metricsFrom") or []), ports.metrics))
    if facts.operator_namespace and not serves_alone(router.spec):
        operator = {
            **_namespace(facts.operator_namespace),
            "podSelector": {"matchLabels": OPERATOR_POD_LABELS},
        }
        rules.append(_from([operator], ports.told))
    return rules


def _from(peers: list[Peer], port: int) -> Rule:
    # No list is everyone, addresses outside the cluster included; an empty one would be as well.
    return {**({"from": peers} if peers else {}), "ports": [_port("TCP", port)]}


def _gateway(router: Router, facts: Facts) -> Peer:
    """The proxies of the Gateway; of an unknown controller's, all pods of its namespace."""
    reference = router.spec["gateway"]["existingRef"]
    controller = facts.gateway.get("controller")
    if controller == CONTROLLER_ENVOY_GATEWAY:
        # It keeps them in a namespace of its own choice.
        proxies = {
            "app.kubernetes.io/managed-by": "envoy-gateway",
            "app.kubernetes.io/component": "proxy",
        }
        return {"namespaceSelector": {}, "podSelector": {"matchLabels": proxies}}
    namespace = _namespace(reference["namespace"])
    if controller in ATTACHMENTS:
        proxies = {LABEL_GATEWAY_NAME: reference["name"]}
        return {**namespace, "podSelector": {"matchLabels": proxies}}
    return namespace


def _egress(router: Router, facts: Facts) -> list[Rule]:
    namespaces = sorted(
        _backend_namespaces(facts) | _issuer_namespaces(router) | _proxy_namespaces(router, facts)
    )
    return [
        # To any address: a node's own DNS cache is no pod.
        {"ports": [_port(protocol, port) for port in _DNS_PORTS for protocol in ("UDP", "TCP")]},
        *([{"to": [_namespace(name) for name in namespaces]}] if namespaces else []),
        *compact(router.spec["networkPolicy"]["egress"]),
    ]


def _backend_namespaces(facts: Facts) -> set[str]:
    return {item.namespace for item in facts.endpoints if item.namespace}


def _issuer_namespaces(router: Router) -> set[str]:
    """Of issuers that are Services. In gateway mode the Gateway asks them."""
    issuers = [] if is_gateway_mode(router.spec) else auth.issuers(router.spec)
    services = [service_at(issuer.host) for issuer in issuers]
    return {namespace for _, namespace in filter(None, services)}


def _proxy_namespaces(router: Router, facts: Facts) -> set[str]:
    proxy = egress.way_out(router.spec, facts.inherited).proxy
    service = service_at(proxy.host) if proxy else None
    return {service[1]} if service else set()


def _namespace(name: str) -> Peer:
    return {"namespaceSelector": {"matchLabels": {LABEL_NAMESPACE: name}}}


def _port(protocol: str, port: int) -> dict[str, Any]:
    return {"protocol": protocol, "port": port}
