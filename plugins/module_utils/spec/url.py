# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""URLs of servers, as a spec and other people's objects give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.dns_name import is_host_name

HTTPS_PORTS = (443, 8443)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Url:
    """Where a server is. scheme: "http" or "https". port: 1..65535. path: "" or from its slash."""

    scheme: str
    host: str
    port: int
    path: str = ""


def usual_scheme(port: int) -> str:
    """What is spoken at a port of which nothing else is said."""
    return "https" if port in HTTPS_PORTS else "http"


def parsed(text: Any) -> Url | None:
    """None for what is no http(s) URL of a host name."""
    try:
        url = urlsplit(str(text))
        port = _DEFAULT_PORTS.get(url.scheme) if url.port is None else url.port
    except ValueError:
        return None
    host = url.hostname or ""
    if not port or url.scheme not in _DEFAULT_PORTS or not is_host_name(host) or url.username:
        return None
    return Url(url.scheme, host, port, url.path)
