# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do spec.service and spec.ingress make sense?"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    DNS_NAME,
    LABEL_KEY,
    Problems,
    Spec,
    invalid,
    no_object_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    shown_ports,
)

_PATH_TYPES = ("Prefix", "Exact", "ImplementationSpecific")
# A name to the rules of DNS, and an address to everybody.
_ADDRESS = re.compile(r"[0-9.]+")


def _ports(spec: Spec) -> Problems:
    service = spec["service"]
    for key, names in (
        ("targetPort", ["api", "grpc", "metrics"]),
        ("port", shown_ports(service)),
    ):
        for first, second in combinations(names, 2):
            if service[first][key] == service[second][key]:
                yield invalid(
                    f"spec.service.{second}.{key}",
                    f"{service[second][key]} is spec.service.{first}.{key} too",
                    "Give each its own port",
                )


def _ingress(spec: Spec) -> Problems:
    ingress = spec["ingress"]
    if not ingress["enabled"]:
        return
    for key in ingress.get("annotations") or {}:
        if not LABEL_KEY.fullmatch(key.lower()):
            found, remedy = f'"{key}" is no annotation key', "Use a key like example.com/name"
            yield invalid("spec.ingress.annotations", found, remedy)
    name = ingress.get("className")
    if name and not DNS_NAME.fullmatch(name):
        yield no_object_name("spec.ingress.className", name, "an IngressClass")
    for index, host in enumerate(ingress.get("hosts") or []):
        path = f"spec.ingress.hosts[{index}]"
        yield from _host(host.get("host"), f"{path}.host")
        for place, entry in enumerate(host.get("paths") or []):
            yield from _path(entry, spec["service"], f"{path}.paths[{place}]")
    for index, tls in enumerate(ingress.get("tls") or []):
        path = f"spec.ingress.tls[{index}]"
        secret = tls.get("secretName")
        if secret and not DNS_NAME.fullmatch(secret):
            yield no_object_name(f"{path}.secretName", secret, "a Secret")
        for place, host in enumerate(tls.get("hosts") or []):
            yield from _host(host, f"{path}.hosts[{place}]")


def _host(host: str | None, path: str) -> Problems:
    if host and (not DNS_NAME.fullmatch(host.removeprefix("*.")) or _ADDRESS.fullmatch(host)):
        found = f'"{host}" is no host name'
        remedy = "Give one without scheme, port and path, e.g. router.example.com or *.example.com"
        yield invalid(path, found, remedy)


def _path(entry: Spec, service: Spec, path: str) -> Problems:
    if entry["pathType"] not in _PATH_TYPES:
        remedy = f"Give one of {', '.join(_PATH_TYPES)}"
        yield invalid(f"{path}.pathType", f'there is no "{entry["pathType"]}"', remedy)
    if not entry["path"].startswith("/"):
        found = f'"{entry["path"]}" does not start with a slash'
        yield invalid(f"{path}.path", found, "Give a path such as / or /v1")
    ports = {name: service[name]["port"] for name in shown_ports(service)}
    wanted = entry.get("servicePort")
    if wanted and wanted not in ports.values():
        listed = ", ".join(f"{port} ({name})" for name, port in ports.items())
        found = f"the Service has no port {wanted}"
        yield invalid(f"{path}.servicePort", found, f"Give one of {listed}, or leave it out")


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _ports,
    _ingress,
)
