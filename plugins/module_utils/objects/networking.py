# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What carries traffic to the router's pods: Services, and an Ingress from outside the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_KGATEWAY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import wants
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    serves_alone,
    serves_ext_proc,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.listener import (
    ip_family_policy,
    speaks_tls,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    headless_service_name,
    metadata,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# What a container that serves clients calls its port, whichever it is.
_CONTAINER_PORT = "api"


def service(router: Router, _facts: Facts) -> list[Manifest]:
    """The Service that clients, Prometheus and `kubectl port-forward` use."""
    wanted = router.spec["service"]
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(
                router.name, router.namespace, annotations=compact(wanted.get("annotations"))
            ),
            "spec": {
                "type": wanted["type"],
                **given(
                    wanted,
                    "loadBalancerClass",
                    "loadBalancerSourceRanges",
                    "externalTrafficPolicy",
                ),
                **_ip_families(wanted),
                "selector": selector(router.name),
                "ports": [_shown(name, router.spec) for name in shown_ports(router.spec)],
            },
        }
    ]


def headless_service(router: Router, facts: Facts) -> list[Manifest]:
    """One DNS address per ready pod, for callers of ExtProc outside the pod.

    An ext_proc stream stays with the pod it was opened to: behind one ClusterIP a caller never
    spreads its streams. gRPC only, so that a ServiceMonitor by instance label scrapes no pod twice.
    """
    if not serves_ext_proc(router.spec):
        return []
    wanted = router.spec["service"]
    grpc = wanted["grpc"]
    # Else it would be spoken to in HTTP/1.1. The others know that ext_proc is gRPC.
    is_kgateways = facts.gateway.get("controller") == CONTROLLER_KGATEWAY
    spoken = {"appProtocol": "kubernetes.io/h2c"} if is_kgateways else {}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(
                router.name, router.namespace, name=headless_service_name(router.name)
            ),
            "spec": {
                "type": "ClusterIP",
                "clusterIP": "None",
                **_ip_families(wanted),
                "selector": selector(router.name),
                # Nothing translates ports here: what a caller dials is the pod's own port.
                "ports": [{**_port("grpc", {**grpc, "port": grpc["targetPort"]}), **spoken}],
            },
        }
    ]


def _ip_families(service: Mapping[str, Any]) -> dict[str, Any]:
    # An API server that is not told takes the policy that the Service has, and not its own default.
    return {"ipFamilyPolicy": ip_family_policy(service), **given(service, "ipFamilies")}


def shown_ports(spec: dict[str, Any]) -> list[str]:
    """Names of the Service's ports, by spec.service."""
    service = spec["service"]
    return [
        "api",
        *(["inference"] if service.get("inference") else []),
        *(["grpc"] if serves_ext_proc(spec) else []),
        *(["metrics"] if service["metrics"]["enabled"] else []),
    ]


def _shown(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    wanted = spec["service"][name]
    if name not in ("api", "inference"):
        return _port(name, wanted)
    port = _port(name, {**spec["service"]["api"], **wanted})
    if not serves_alone(spec):
        return port
    # By its name, so that while pods are replaced each is reached at the port that it listens on.
    port["targetPort"] = _CONTAINER_PORT
    return {**port, **({"appProtocol": "https"} if speaks_tls(spec) else {})}


def ingress(router: Router, _facts: Facts) -> list[Manifest]:
    """The Ingress to the Service; without hosts it answers for every host name."""
    if not wants.ingress(router.spec):
        return []
    wanted = router.spec["ingress"]
    hosts = wanted.get("hosts") or [{}]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata(
                router.name, router.namespace, annotations=wanted.get("annotations")
            ),
            "spec": {
                # Left out, the API server fills in the cluster's default class.
                **({"ingressClassName": wanted["className"]} if wanted.get("className") else {}),
                "rules": [_rule(router, host) for host in hosts],
                **given(wanted, "tls"),
            },
        }
    ]


def _rule(router: Router, host: dict[str, Any]) -> dict[str, Any]:
    paths = host.get("paths") or [{"path": "/", "pathType": "Prefix"}]
    return {
        **given(host, "host"),
        "http": {"paths": [_path(router, path) for path in paths]},
    }


def _path(router: Router, wanted: dict[str, Any]) -> dict[str, Any]:
    port = wanted.get("servicePort") or router.spec["service"]["api"]["port"]
    return {
        "path": wanted["path"],
        "pathType": wanted["pathType"],
        "backend": {"service": {"name": router.name, "port": {"number": port}}},
    }


def _port(name: str, wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "port": wanted["port"],
        "targetPort": wanted["targetPort"],
        "protocol": wanted["protocol"],
    }
