# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From kubernetes.core's connection options to a pool of connections to one API server.

Where they lead is access.py's or, for what is not everyday, the kubernetes client's to say; what
is done with the connections is client.py's.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import urllib3
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.access import Access
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# Requests at a time: each connection costs a TLS handshake, each turn a round trip.
CONNECTIONS = 4

_HEADERS_OF_OPTIONS = {
    "impersonate_user": "Impersonate-User",
    "impersonate_groups": "Impersonate-Group",
}
_FIELDS_OF_OPTIONS = {
    "host": "host",
    "validate_certs": "verify",
    "ca_cert": "ca_file",
    "client_cert": "cert_file",
    "client_key": "key_file",
}


# Of a kubeconfig (content or paths), its context, the options and where key material may be.
Otherwise = Callable[[Any, str | None, Mapping[str, Any], str], Access]


@dataclass(frozen=True)
class Connection:
    """A pool, the address it leads to, and the credentials of the next request."""

    url: str
    pool: urllib3.PoolManager
    headers: Callable[[], Mapping[str, str]]


def connect(options: Mapping[str, Any]) -> Connection:
    """Resolve ``options`` (kubernetes.core's names) without sending anything yet."""
    return connect_as_told(_with_environment(options), _by_kubernetes_client)


def connect_as_told(given: Mapping[str, Any], otherwise: Otherwise) -> Connection:
    """By these options alone. otherwise: knows the kubeconfigs that are not everyday."""
    # Key material that has to be unpacked is needed until the TLS context has read it. A hook at
    # the end would not remove it: an Ansible worker process never gets there.
    with tempfile.TemporaryDirectory(prefix="semantic-router-") as directory:
        try:
            found = _with_options(_access(given, directory, otherwise), given)
            pool = _pool(found, given)
            # What cannot be read is a matter of the options, not of the first request.
            found.authorization()
        except (OSError, TypeError, ValueError, yaml.YAMLError) as error:
            raise unusable(_why(error)) from error
    impersonation = _impersonation(given)
    return Connection(
        url=found.host.rstrip("/"),
        pool=pool,
        headers=lambda: {**impersonation, **_authorization(found)},
    )


def _why(error: Exception) -> str:
    """Says which kind of error only: a parser's message may quote the key it stumbled over."""
    return str(error) if isinstance(error, FileNotFoundError) else type(error).__name__


def unusable(why: str) -> RouterError:
    """The options lead nowhere."""
    return RouterError(
        Problem(
            reason="ApiUnavailable",
            field="",
            found=f"the connection options lead to no API server ({why})",
            remedy="Give kubeconfig or host, set KUBECONFIG, or run in a pod with a service "
            "account",
            retry=True,
        )
    )


def _with_environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by their Ansible names; the unset ones from K8S_AUTH_*, as kubernetes.core does."""
    # Only here: who connects without Ansible has no kubernetes.core.
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import (
        AUTH_ARG_MAP,
        AUTH_ARG_SPEC,
        AUTH_PROXY_HEADERS_SPEC,
    )

    client_names = {ansible: client for client, ansible in AUTH_ARG_MAP.items()}
    given: dict[str, Any] = {}
    for name, spec in AUTH_ARG_SPEC.items():
        value = options.get(name)
        for variable in (name, client_names.get(name, name)):
            if value is None and (text := os.environ.get(f"K8S_AUTH_{variable.upper()}")):
                value = _typed(text, spec.get("type", "str"))
        if value is not None:
            given[name] = value
    headers = given.get("proxy_headers") or {}
    given["proxy_headers"] = _proxy_headers(headers, AUTH_PROXY_HEADERS_SPEC)
    return given


def _typed(text: str, kind: str) -> Any:
    if kind == "bool":
        return text.lower() not in ("0", "false", "no")
    if kind == "list":
        return [item for item in text.split(",") if item]
    return text


def _proxy_headers(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    named = {
        name: options.get(name) or os.environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}")
        for name in names
    }
    return {name: value for name, value in named.items() if value}


def _is_complete(given: Mapping[str, Any]) -> bool:
    """The options alone name a server and a way in."""
    credentials = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    return bool(given.get("host")) and any(
        all(given.get(name) for name in names) for names in credentials
    )


def _access(given: Mapping[str, Any], directory: str, otherwise: Otherwise) -> Access:
    if _is_complete(given):
        return Access()
    # Read here: the kubernetes client looks at KUBECONFIG once, on import, which may have happened
    # in a parent process with another environment.
    source = given.get("kubeconfig") or os.environ.get("KUBECONFIG")
    context = given.get("context")
    default = Path("~/.kube/config").expanduser()
    if not source and (default.is_file() or context):
        source = str(default)
    if source:
        _require_file(source)
        found = access.of_kubeconfig(source, context, directory)
    else:
        found = access.in_cluster()
    return found or otherwise(source, context, given, directory)


def _require_file(source: Any) -> None:
    # As in KUBECONFIG, several files may be given, and some of them may be missing.
    if isinstance(source, Mapping):
        return
    if not any(Path(file).expanduser().is_file() for file in str(source).split(os.pathsep)):
        raise unusable(f"there is no file {source}")


def _by_kubernetes_client(
    source: Any, context: str | None, given: Mapping[str, Any], directory: str
) -> Access:
    # Only here: for most it is never needed, and access.py says what it costs.
    from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
        kubernetes_client,
    )

    try:
        return kubernetes_client.access(
            source, context, bool(given.get("persist_config")), directory
        )
    except kubernetes_client.ConfigException as error:
        raise unusable(str(error)) from error


def _with_options(found: Access, given: Mapping[str, Any]) -> Access:
    fields = {field: given[name] for name, field in _FIELDS_OF_OPTIONS.items() if name in given}
    found = replace(found, **fields)
    if "api_key" in given:
        return replace(found, authorization=lambda: f"Bearer {given['api_key']}")
    if given.get("username") and not found.authorization():
        value = access.basic(given["username"], given.get("password") or "")
        return replace(found, authorization=lambda: value)
    return found


def _pool(found: Access, given: Mapping[str, Any]) -> urllib3.PoolManager:
    arguments: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    }
    if found.host.startswith("https"):
        arguments["ssl_context"] = _tls(found)
        if found.server_name:
            arguments["server_hostname"] = found.server_name
            arguments["assert_hostname"] = found.server_name
    proxy = given.get("proxy")
    if proxy and not _needs_no_proxy(found.host, given.get("no_proxy") or ""):
        headers = given["proxy_headers"]
        return urllib3.ProxyManager(
            proxy,
            proxy_headers=urllib3.util.make_headers(**headers) if headers else None,
            **arguments,
        )
    return urllib3.PoolManager(**arguments)


def _needs_no_proxy(host: str, no_proxy: str) -> bool:
    # Only here: few have a proxy, and this is a whole HTTP client more.
    from requests.utils import should_bypass_proxies

    return bool(should_bypass_proxies(host, no_proxy))


def _tls(found: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=found.ca_file or None)
    # Python 3.13 refuses certificates that many clusters' own authorities still issue (no
    # Authority Key Identifier); kubectl accepts them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not found.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if found.cert_file:
        context.load_cert_chain(found.cert_file, found.key_file or None)
    return context


def _authorization(found: Access) -> dict[str, str]:
    value = found.authorization()
    return {"Authorization": value} if value else {}


def _impersonation(given: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for name, header in _HEADERS_OF_OPTIONS.items():
        if value := given.get(name):
            headers[header] = ",".join(value) if isinstance(value, list) else str(value)
    return headers
