# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From kubernetes.core's connection options to a pool of connections to one API server.

Credentials, exec plugins and kubeconfig files are the kubernetes client's work; what is done with
the connections is client.py's.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import (
    AUTH_ARG_MAP,
    AUTH_ARG_SPEC,
    AUTH_PROXY_HEADERS_SPEC,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import (
    Problem,
    RouterError,
)
from kubernetes import config as kubernetes_config
from kubernetes.client import Configuration
from kubernetes.config import kube_config
from requests.utils import should_bypass_proxies

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# Requests at a time: each connection costs a TLS handshake, each turn a round trip.
CONNECTIONS = 4

# The kubernetes client hands a file that it has unpacked to all threads; ours remove theirs.
_LOADING = threading.Lock()

_HEADERS_OF_OPTIONS = {
    "impersonate_user": "Impersonate-User",
    "impersonate_groups": "Impersonate-Group",
}


@dataclass(frozen=True)
class Connection:
    """A pool, the address it leads to, and the credentials of the next request."""

    url: str
    pool: urllib3.PoolManager
    headers: Callable[[], Mapping[str, str]]


def connect(options: Mapping[str, Any]) -> Connection:
    """Resolve ``options`` (kubernetes.core's names) without sending anything yet."""
    given = _with_environment(options)
    # Key material that the kubernetes client unpacks is needed until the TLS context has read it.
    # Its own clean-up is an atexit hook, which an Ansible worker process never reaches.
    with _LOADING, tempfile.TemporaryDirectory(prefix="semantic-router-") as directory:
        try:
            configuration = _configuration(given, directory)
            pool = _pool(configuration)
        except (
            kubernetes_config.ConfigException,
            OSError,
            TypeError,
            ValueError,
            yaml.YAMLError,
        ) as error:
            raise RouterError(_unusable(error)) from error
        finally:
            _forget_files_in(directory)
    impersonation = _impersonation(given)
    return Connection(
        url=configuration.host.rstrip("/"),
        pool=pool,
        headers=lambda: {**impersonation, **_authorization(configuration)},
    )


def _unusable(error: Exception) -> Problem:
    """Says which kind of error only: a parser's message may quote the key it stumbled over."""
    speaks = isinstance(error, kubernetes_config.ConfigException | FileNotFoundError)
    why = str(error) if speaks else type(error).__name__
    return Problem(
        reason="ApiUnavailable",
        field="",
        found=f"the connection options lead to no API server ({why})",
        remedy="Give kubeconfig or host, set KUBECONFIG, or run in a pod with a service account",
        retry=True,
    )


def _with_environment(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options by their Ansible names; the unset ones from K8S_AUTH_*, as kubernetes.core does."""
    client_names = {ansible: client for client, ansible in AUTH_ARG_MAP.items()}
    given: dict[str, Any] = {}
    for name, spec in AUTH_ARG_SPEC.items():
        value = options.get(name)
        for variable in (name, client_names.get(name, name)):
            if value is None and (text := os.environ.get(f"K8S_AUTH_{variable.upper()}")):
                value = _typed(text, spec.get("type", "str"))
        if value is not None:
            given[name] = value
    given["proxy_headers"] = _proxy_headers(given.get("proxy_headers") or {})
    return given


def _typed(text: str, kind: str) -> Any:
    if kind == "bool":
        return text.lower() not in ("0", "false", "no")
    if kind == "list":
        return [item for item in text.split(",") if item]
    return text


def _proxy_headers(options: Mapping[str, Any]) -> dict[str, Any]:
    named = {
        name: options.get(name) or os.environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}")
        for name in AUTH_PROXY_HEADERS_SPEC
    }
    return {name: value for name, value in named.items() if value}


def _configuration(given: Mapping[str, Any], directory: str) -> Configuration:
    configuration = Configuration()
    if not _is_complete(given):
        _load(configuration, given, directory)
    for client_name, name in AUTH_ARG_MAP.items():
        if name not in given or name in ("kubeconfig", "context", "persist_config"):
            continue
        if name == "api_key":
            configuration.api_key = {"authorization": f"Bearer {given[name]}"}
            # A kubeconfig's own token must not come back with the next refresh.
            configuration.refresh_api_key_hook = None
        elif name == "proxy_headers":
            configuration.proxy_headers = urllib3.util.make_headers(**given[name])
        else:
            setattr(configuration, client_name, given[name])
    return configuration


def _is_complete(given: Mapping[str, Any]) -> bool:
    """The options alone name a server and a way in."""
    credentials = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    return bool(given.get("host")) and any(
        all(given.get(name) for name in names) for names in credentials
    )


def _load(configuration: Configuration, given: Mapping[str, Any], directory: str) -> None:
    # KUBECONFIG is read here: the kubernetes client looks at it once, on import, which may have
    # happened in a parent process with another environment.
    source = given.get("kubeconfig") or os.environ.get("KUBECONFIG")
    default = Path("~/.kube/config").expanduser()
    if not source and (default.is_file() or given.get("context")):
        source = str(default)
    if not source:
        kubernetes_config.load_incluster_config(client_configuration=configuration)
        return
    arguments = {
        "context": given.get("context"),
        "client_configuration": configuration,
        "persist_config": bool(given.get("persist_config")),
        "temp_file_path": directory,
    }
    if isinstance(source, Mapping):
        kubernetes_config.load_kube_config_from_dict(config_dict=dict(source), **arguments)
        return
    # As in KUBECONFIG, several files may be given, and some of them may be missing.
    if not any(Path(file).expanduser().is_file() for file in str(source).split(os.pathsep)):
        raise kubernetes_config.ConfigException(f"there is no file {source}")
    kubernetes_config.load_kube_config(config_file=str(source), **arguments)


def _forget_files_in(directory: str) -> None:
    """The kubernetes client would hand these paths out again for the same kubeconfig."""
    remembered: dict[str, str] = kube_config._temp_files
    for content, path in list(remembered.items()):
        if path.startswith(directory):
            del remembered[content]


def _pool(configuration: Configuration) -> urllib3.PoolManager:
    arguments: dict[str, Any] = {
        "maxsize": CONNECTIONS,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
    }
    if configuration.host.startswith("https"):
        arguments["ssl_context"] = _tls(configuration)
        if configuration.tls_server_name:
            arguments["server_hostname"] = configuration.tls_server_name
            arguments["assert_hostname"] = configuration.tls_server_name
    proxy = configuration.proxy
    if proxy and not should_bypass_proxies(configuration.host, configuration.no_proxy or ""):
        return urllib3.ProxyManager(
            proxy, proxy_headers=configuration.proxy_headers or None, **arguments
        )
    return urllib3.PoolManager(**arguments)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert or None)
    # Python 3.13 refuses certificates that many clusters' own authorities still issue (no
    # Authority Key Identifier); kubectl accepts them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file or None)
    return context


def _authorization(configuration: Configuration) -> dict[str, str]:
    token = configuration.get_api_key_with_prefix("authorization")
    if not token and configuration.username:
        token = configuration.get_basic_auth_token()
    return {"Authorization": token} if token else {}


def _impersonation(given: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for name, header in _HEADERS_OF_OPTIONS.items():
        if value := given.get(name):
            headers[header] = ",".join(value) if isinstance(value, list) else str(value)
    return headers
