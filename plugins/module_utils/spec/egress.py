# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""By which way the pods get to what is outside of the cluster: spec.egressProxy, or without it the
proxy that the operator's own pod was told of."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    inherited,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import (
    is_host_name,
    service_at,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.inherited import (
    HTTP_PROXY,
    HTTPS_PROXY,
    NO_PROXY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import Url, parsed

# What no proxy leads to: the pod itself, and Services by the names that are in use here.
_INSIDE = ("localhost", "127.0.0.1", "::1", ".svc", ".svc.cluster.local")
_EVERYTHING = "*"


@dataclass(frozen=True)
class WayOut:
    """https, http: URL of the proxy for such hosts, "" for none. exceptions: hosts that are reached
    without it, as NO_PROXY has them."""

    https: str = ""
    http: str = ""
    exceptions: tuple[str, ...] = ()

    @property
    def proxy(self) -> Url | None:
        """Where Envoy finds it, which asks by CONNECT and without TLS; None without one."""
        found = parsed(self.https if "://" in self.https else f"http://{self.https}")
        return found if found and found.scheme == "http" else None

    def is_proxied(self, host: str, port: int) -> bool:
        """Whether a host outside of the cluster is reached through Envoy's."""
        if self.proxy is None:
            return False
        return not any(_is(host, port, exception) for exception in self.exceptions)

    @property
    def environment(self) -> list[dict[str, Any]]:
        """What tells a program of it."""
        told = {HTTPS_PROXY: self.https, HTTP_PROXY: self.http}
        variables = [{"name": name, "value": url} for name, url in told.items() if url]
        if not variables:
            return []
        return [*variables, {"name": NO_PROXY, "value": ",".join(self.exceptions)}]


def way_out(spec: Mapping[str, Any], told: Mapping[str, str]) -> WayOut:
    """told: the operator's environment. The spec's proxy stands for all of it."""
    wanted = spec.get("egressProxy") or {}
    url = str(wanted.get("url") or "")
    if url:
        return WayOut(url, url, (*_INSIDE, *(wanted.get("noProxy") or [])))
    https, http = (
        "" if inherited.is_withheld(told.get(name, "")) else told.get(name, "")
        for name in (HTTPS_PROXY, HTTP_PROXY)
    )
    if not https and not http:
        return WayOut()
    exceptions = (text.strip() for text in told.get(NO_PROXY, "").split(","))
    inside = (*_INSIDE, *sorted(set(_inside(spec.get("config")))))
    return WayOut(https, http, tuple(dict.fromkeys([*inside, *filter(None, exceptions)])))


def is_exception(text: str) -> bool:
    """Something that spec.egressProxy.noProxy can hold."""
    return text == _EVERYTHING or _network(text) is not None or is_host_name(text.removeprefix("."))


def _inside(config: Any) -> Iterator[str]:
    """Hosts of the cluster that spec.config has the router ask, and .svc does not cover."""
    if isinstance(config, Mapping):
        config = list(config.values())
    if isinstance(config, list):
        for item in config:
            yield from _inside(item)
    elif isinstance(config, str) and config.startswith(("http://", "https://")):
        url = parsed(config)
        is_inside = url is not None and ("." not in url.host or service_at(url.host) is not None)
        if url and is_inside and not any(_is(url.host, url.port, it) for it in _INSIDE):
            yield url.host


def _is(host: str, port: int, exception: str) -> bool:
    """As Go's programs read NO_PROXY, the router among them: a name stands for what is below it as
    well, and with a dot or an asterisk in front for that alone; a port narrows it."""
    if exception == _EVERYTHING:
        return True
    name, colon, number = exception.rpartition(":")
    if colon and number.isdigit() and ":" not in name:
        if int(number) != port:
            return False
        exception = name
    address, network = _network(host), _network(exception)
    if address is not None or network is not None:
        return (
            address is not None
            and network is not None
            and address.version == network.version
            and address.network_address in network
        )
    exception = exception.removeprefix("*")
    name = exception.removeprefix(".")
    return host.endswith(f".{name}") or host == exception


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
