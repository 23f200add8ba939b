# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The way to an API server that a kubeconfig or a pod's service account gives.

The kubernetes client knows every kind of kubeconfig, but importing it takes longer than all
requests of a run, and more memory than everything else here. So the everyday kinds are read here:
tokens, certificates, user and password. All others, and whatever is broken, are its work.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
import yaml

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# libyaml, where PyYAML was built with it.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Access:
    """A server and a way in.

    authorization: the value of the header of the next request, "" for none; it may be renewed.
    ca_file: "" = the authorities that the system trusts. cert_file, key_file: "" = none.
    server_name: the name in the server's certificate, where it is not that of the URL.
    """

    host: str = ""
    authorization: Callable[[], str] = str
    verify: bool = True
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    server_name: str = ""


def in_cluster() -> Access | None:
    """What the pod's service account gives; None outside of a pod."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    port = os.environ.get("KUBERNETES_SERVICE_PORT")
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    if not (host and port and token.is_file() and authority.is_file()):
        return None
    address = f"[{host}]" if ":" in host else host
    return Access(
        host=f"https://{address}:{port}",
        authorization=_bearer_in(token),
        ca_file=str(authority),
    )


def of_kubeconfig(source: Any, context: str | None, directory: str) -> Access | None:
    """What a kubeconfig gives.

    source: its content, or the paths as KUBECONFIG has them. directory: where key material may be
    unpacked. None: the kubernetes client should try. OSError, ValueError and yaml.YAMLError are for
    files that cannot be read or make no sense.
    """
    base = Path()
    if not isinstance(source, Mapping):
        file = _only_file(source)
        if file is None:
            return None
        base = file.absolute().parent
        source = _content(file)
    try:
        chosen = _context(source, context)
        cluster = _named(source["clusters"], chosen["cluster"])["cluster"]
        user = _named(source["users"], chosen["user"])["user"] or {}
        if not cluster["server"] or "exec" in user or "auth-provider" in user:
            return None
    except (LookupError, TypeError):
        return None
    unpack = _Unpacking(base, Path(directory))
    return Access(
        host=str(cluster["server"]),
        authorization=_authorization(user, base),
        verify=not cluster.get("insecure-skip-tls-verify"),
        ca_file=unpack.file(cluster, "certificate-authority"),
        cert_file=unpack.file(user, "client-certificate"),
        key_file=unpack.file(user, "client-key"),
        server_name=str(cluster.get("tls-server-name") or ""),
    )


def context_of(source: str | None, name: str | None) -> Mapping[str, Any] | None:
    """A context of the kubeconfig that would be read; None: the kubernetes client should look."""
    file = _only_file(source or os.environ.get("KUBECONFIG") or "~/.kube/config")
    try:
        return None if file is None else _context(_content(file), name)
    except (LookupError, TypeError, OSError, ValueError, yaml.YAMLError):
        return None


def _only_file(source: Any) -> Path | None:
    named = [Path(file).expanduser() for file in str(source).split(os.pathsep) if file]
    files = [file for file in named if file.exists()]
    return files[0] if len(files) == 1 else None


def _content(file: Path) -> Any:
    return yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 it is a safe loader


def _context(source: Any, name: str | None) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _named(source["contexts"], name or source["current-context"])
    chosen: Mapping[str, Any] = found["context"]
    return chosen


def basic(user: str, password: str) -> str:
    """The header's value."""
    headers = urllib3.util.make_headers(basic_auth=f"{user}:{password}")
    return str(headers["authorization"])


@dataclass(frozen=True)
class _Unpacking:
    base: Path
    directory: Path

    def file(self, node: Mapping[str, Any], name: str) -> str:
        """The path of what stands in `name`-data or is named by `name`; "" for neither."""
        if data := node.get(f"{name}-data"):
            unpacked = self.directory / name
            unpacked.write_bytes(base64.b64decode(data))
            return str(unpacked)
        return str(self.base / node[name]) if node.get(name) else ""


def _named(entries: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    found = [entry for entry in entries if entry["name"] == name]
    if len(found) != 1:
        raise LookupError(name)
    return found[0]


def _authorization(user: Mapping[str, Any], base: Path) -> Callable[[], str]:
    if token := user.get("token"):
        return lambda: f"Bearer {token}"
    if file := user.get("tokenFile"):
        return _bearer_in(base / file)
    if "username" in user and "password" in user:
        return lambda: basic(user["username"], user["password"])
    return str


def _bearer_in(file: Path) -> Callable[[], str]:
    # Read for each request: a kubelet replaces the file long before the token in it expires.
    return lambda: f"Bearer {file.read_text().strip()}"
