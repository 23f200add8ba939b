# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do spec.service, spec.ingress and spec.networkPolicy make sense?"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
    annotation_problems,
    host_problems,
    label_problems,
    object_name_problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    shown_ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import egress
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_subdomain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import (
    is_label_key,
    is_label_value,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    invalid,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_PATH_TYPES = ("Prefix", "Exact", "ImplementationSpecific")


def _ports(spec: Spec) -> Problems:
    service = spec["service"]
    port = (service.get("inference") or {}).get("port")
    for other in shown_ports(spec) if port else []:
        if other != "inference" and service[other]["port"] == port:
            found = f"{port} is spec.service.{other}.port too"
            yield invalid("spec.service.inference.port", found, "Give each its own port")


def _ingress(spec: Spec) -> Problems:
    ingress = spec["ingress"]
    if not ingress["enabled"]:
        return
    yield from annotation_problems(ingress.get("annotations"), "spec.ingress.annotations")
    yield from object_name_problems(
        ingress.get("className"), "spec.ingress.className", "an IngressClass", is_subdomain
    )
    for index, rule in enumerate(ingress.get("hosts") or []):
        path = f"spec.ingress.hosts[{index}]"
        yield from host_problems(rule.get("host"), f"{path}.host")
        for place, entry in enumerate(rule.get("paths") or []):
            yield from _path(entry, spec, f"{path}.paths[{place}]")
    for index, tls in enumerate(ingress.get("tls") or []):
        path = f"spec.ingress.tls[{index}]"
        yield from object_name_problems(
            tls.get("secretName"), f"{path}.secretName", "a Secret", is_subdomain
        )
        for place, name in enumerate(tls.get("hosts") or []):
            yield from host_problems(name, f"{path}.hosts[{place}]")


def _path(entry: Spec, spec: Spec, path: str) -> Problems:
    if entry["pathType"] not in _PATH_TYPES:
        remedy = f"Give one of {', '.join(_PATH_TYPES)}"
        yield invalid(f"{path}.pathType", f'there is no "{entry["pathType"]}"', remedy)
    if not entry["path"].startswith("/"):
        found = f'"{entry["path"]}" does not start with a slash'
        yield invalid(f"{path}.path", found, "Give a path such as / or /v1")
    ports = {name: spec["service"][name]["port"] for name in shown_ports(spec)}
    wanted = entry.get("servicePort")
    if wanted and wanted not in ports.values():
        listed = ", ".join(f"{port} ({name})" for name, port in ports.items())
        found = f"the Service has no port {wanted}"
        yield invalid(f"{path}.servicePort", found, f"Give one of {listed}, or leave it out")


def _network_policy(spec: Spec) -> Problems:
    policy = spec["networkPolicy"]
    for path, peer in _peers(policy):
        yield from _peer(peer, path)


def _peers(policy: Spec) -> Iterator[tuple[str, Spec]]:
    for name in ("ingress", "metricsFrom"):
        for index, peer in enumerate(policy.get(name) or []):
            yield f"spec.networkPolicy.{name}[{index}]", peer
    for index, rule in enumerate(policy.get("egress") or []):
        for place, peer in enumerate(rule.get("to") or []):
            yield f"spec.networkPolicy.egress[{index}].to[{place}]", peer


def _peer(peer: Spec, path: str) -> Problems:
    for name in ("podSelector", "namespaceSelector"):
        yield from _selector(peer.get(name) or {}, f"{path}.{name}")
    if block := peer.get("ipBlock"):
        yield from _block(block, f"{path}.ipBlock")


def _selector(selector: Spec, path: str) -> Problems:
    yield from label_problems(selector.get("matchLabels") or {}, f"{path}.matchLabels")
    for index, one in enumerate(selector.get("matchExpressions") or []):
        where = f"{path}.matchExpressions[{index}]"
        values = one.get("values") or []
        if not is_label_key(one["key"]):
            found = f'"{one["key"]}" is no key of a label'
            yield invalid(f"{where}.key", found, "Copy it from the object's labels")
        if (one["operator"] in ("In", "NotIn")) != bool(values):
            found = f"{one['operator']} goes with {'no values' if values else 'values'}"
            yield invalid(f"{where}.values", found, "Remove them" if values else "Give some")
        for value in values:
            if not is_label_value(value):
                found = f'"{value}" is no value of a label'
                yield invalid(f"{where}.values", found, "Copy it from the object's labels")


def _block(block: Spec, path: str) -> Problems:
    whole = _network(block["cidr"])
    if whole is None:
        yield _no_network(f"{path}.cidr", block["cidr"])
        return
    for index, text in enumerate(block.get("except") or []):
        part = _network(text)
        where = f"{path}.except[{index}]"
        if part is None:
            yield _no_network(where, text)
        elif part == whole or not _is_inside(part, whole):
            found = f"{text} is no part of cidr, {block['cidr']}"
            yield invalid(where, found, "Give a range within it, or remove this one")


def _no_network(path: str, text: str) -> Problem:
    return invalid(path, f'"{text}" is no range of addresses', "Give one such as 10.0.0.0/8")


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text) if "/" in text else None
    except ValueError:
        return None


def _is_inside(part: _Network, whole: _Network) -> bool:
    if isinstance(part, ipaddress.IPv4Network):
        return isinstance(whole, ipaddress.IPv4Network) and part.subnet_of(whole)
    return isinstance(whole, ipaddress.IPv6Network) and part.subnet_of(whole)


def _service(spec: Spec) -> Problems:
    """What only some types of a Service have; the API server refuses or ignores it of others."""
    wanted = spec["service"]
    for name in ("loadBalancerClass", "loadBalancerSourceRanges"):
        if wanted.get(name) and wanted["type"] != "LoadBalancer":
            found = f"a Service of type {wanted['type']} has none"
            yield invalid(f"spec.service.{name}", found, "Set spec.service.type to LoadBalancer")
    if wanted.get("externalTrafficPolicy") and wanted["type"] == "ClusterIP":
        found = "a Service of type ClusterIP has none"
        remedy = "Set spec.service.type to LoadBalancer or NodePort, or remove it"
        yield invalid("spec.service.externalTrafficPolicy", found, remedy)
    families = wanted.get("ipFamilies") or []
    if len(set(families)) < len(families):
        yield invalid("spec.service.ipFamilies", "it names a family twice", "Name each once")
    if len(families) > 1 and wanted.get("ipFamilyPolicy") in (None, "SingleStack"):
        found = "two families are too many for SingleStack"
        remedy = "Set spec.service.ipFamilyPolicy to PreferDualStack or RequireDualStack"
        yield invalid("spec.service.ipFamilies", found, remedy)
    for index, text in enumerate(wanted.get("loadBalancerSourceRanges") or []):
        if _network(text) is None:
            yield _no_network(f"spec.service.loadBalancerSourceRanges[{index}]", text)


def _egress_proxy(spec: Spec) -> Problems:
    wanted = spec.get("egressProxy")
    if not wanted:
        return
    proxy = parsed(wanted.get("url"))
    if not proxy or proxy.scheme != "http" or proxy.path.strip("/"):
        found = "it is no http:// URL of a host without a path or a password"
        remedy = "Give one such as http://proxy.example.com:3128"
        yield invalid("spec.egressProxy.url", found, remedy)
    for index, text in enumerate(wanted.get("noProxy") or []):
        if not egress.is_exception(text):
            path = f"spec.egressProxy.noProxy[{index}]"
            remedy = "Give a name, a name with a dot in front, an address, a network or *"
            yield invalid(path, f'"{text}" stands for no host', remedy)


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _ports,
    _service,
    _ingress,
    _network_policy,
    _egress_proxy,
)
