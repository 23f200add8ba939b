# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""spec.egressProxy: by which way the pods get to what is outside of the cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_host_name
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import Url, parsed

# What no proxy leads to: the pod itself, and Services by the names that are in use here.
_INSIDE = ("localhost", "127.0.0.1", "::1", ".svc", ".svc.cluster.local")
_EVERYTHING = "*"


def proxy(spec: Mapping[str, Any]) -> Url | None:
    """Where the proxy is; None without one."""
    return parsed((spec.get("egressProxy") or {}).get("url"))


def without_proxy(spec: Mapping[str, Any]) -> list[str]:
    """Hosts that are reached without it, as NO_PROXY has them."""
    return [*_INSIDE, *((spec.get("egressProxy") or {}).get("noProxy") or [])]


def is_proxied(spec: Mapping[str, Any], host: str) -> bool:
    """Whether a host outside of the cluster is reached through the proxy."""
    return proxy(spec) is not None and not any(_is(host, it) for it in without_proxy(spec))


def is_exception(text: str) -> bool:
    """Something that spec.egressProxy.noProxy can hold."""
    return text == _EVERYTHING or _network(text) is not None or is_host_name(text.removeprefix("."))


def environment(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What tells a program of it."""
    url = (spec.get("egressProxy") or {}).get("url")
    if not url:
        return []
    return [
        {"name": "HTTPS_PROXY", "value": url},
        {"name": "HTTP_PROXY", "value": url},
        {"name": "NO_PROXY", "value": ",".join(without_proxy(spec))},
    ]


def _is(host: str, exception: str) -> bool:
    """As Go's programs read NO_PROXY, the router among them: a name stands for what is below it as
    well, and with a dot in front for that alone."""
    if exception == _EVERYTHING:
        return True
    address, network = _network(host), _network(exception)
    if address is not None or network is not None:
        return (
            address is not None
            and network is not None
            and address.version == network.version
            and address.network_address in network
        )
    name = exception.removeprefix(".")
    return host.endswith(f".{name}") or host == exception


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
