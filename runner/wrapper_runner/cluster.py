"""The API server, as far as the runner needs it: JSON, and watches of metadata.

Not the kubernetes client: docs/adr/0004-embedded-engine.md says why.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode

import urllib3

from wrapper_runner import access, nesting
from wrapper_runner.access import Access, AccessError
from wrapper_runner.watches import Kind

CONNECT_SECONDS = 5
READ_SECONDS = 30
METADATA_ONLY = (
    "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1,application/json"
)

# Callers have their own backoff; three silent tries before each of theirs only hide the cause.
RETRIES = urllib3.Retry(total=1, connect=0)
# Watches keep theirs.
CONNECTIONS = 64
UNAUTHORIZED = 401

PAGE = "500"

Json = dict[str, Any]


class Listed(NamedTuple):
    """What a list had, and the version to go on from."""

    items: list[Json]
    version: str


class ClusterError(Exception):
    """The API server refused a request (`status` is HTTP's) or gave no answer (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True)
class Resource:
    """Where the objects of a kind live."""

    kind: Kind
    plural: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        root = "/apis" if self.kind.group else "/api"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}/{self.kind.api_version}{scope}/{self.plural}{'/' + name if name else ''}"


class Cluster:
    """One API server; shared by all threads."""

    def __init__(self, find_access: Callable[[], Access]) -> None:
        """`find_access` is called again when the API server takes what it gave no longer."""
        self._find_access = find_access
        self._renewing = threading.Lock()
        self._access, self._pool = self._opened()

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "") -> Json:
        return self._json("GET", path, query=query, accept=accept)

    def items(self, path: str, query: Mapping[str, str] | None = None, accept: str = "") -> Listed:
        """All of a list, page by page."""
        found: list[Json] = []
        page = {"limit": PAGE, **(query or {})}
        while True:
            answer = self.get(path, page, accept)
            # The metadata form of an empty list is null.
            found += answer["items"] or ()
            token = answer["metadata"].get("continue")
            if not token:
                return Listed(found, str(answer["metadata"]["resourceVersion"]))
            page["continue"] = token

    def create(self, path: str, body: Json) -> Json:
        return self._json("POST", path, body=body)

    def replace(self, path: str, body: Json) -> Json:
        return self._json("PUT", path, body=body)

    def merge(self, path: str, patch: Json, query: Mapping[str, str] | None = None) -> Json:
        content = "application/merge-patch+json"
        return self._json("PATCH", path, query=query, body=patch, content=content)

    def resource(self, kind: Kind) -> Resource | None:
        """Where a kind lives; None when the cluster does not serve it (yet)."""
        root = "/apis" if kind.group else "/api"
        try:
            served = self.get(f"{root}/{kind.api_version}")
        except ClusterError as error:
            if error.status == 404:
                return None
            raise
        for item in served["resources"]:
            if item["kind"] == kind.kind and "/" not in item["name"]:
                return Resource(kind, item["name"], item["namespaced"])
        return None

    def watch(self, path: str, query: Mapping[str, str], silence: float) -> Iterator[Json]:
        """The events of a watch until the server ends it, or says nothing for `silence` seconds."""
        response = self._request(
            "GET",
            path,
            query={**query, "watch": "true"},
            accept=METADATA_ONLY.format(list=""),
            timeout=(CONNECT_SECONDS, silence),
        )
        try:
            yield from (nesting.decoded(line) for line in _lines(response))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClusterError(0, f"the watch was cut off: {error}") from error
        finally:
            response.close()

    def _json(self, method: str, path: str, **request: Any) -> Json:
        response = self._request(method, path, timeout=(CONNECT_SECONDS, READ_SECONDS), **request)
        try:
            answer: Json = nesting.decoded(response.data)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClusterError(0, f"the API server's answer was cut off: {error}") from error
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        timeout: tuple[float, float],
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        accept: str = "",
        content: str = "application/json",
    ) -> urllib3.BaseHTTPResponse:
        url = path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept or "application/json", "Content-Type": content}
        data = None if body is None else json.dumps(body).encode()
        limits = urllib3.Timeout(connect=timeout[0], read=timeout[1])
        used = self._access
        response = self._send(method, url, data, headers, limits)
        if response.status == UNAUTHORIZED:
            response.drain_conn()
            self._renew(used)
            response = self._send(method, url, data, headers, limits)
        if response.status >= 300:
            raise ClusterError(response.status, _status_message(response))
        return response

    def _send(
        self,
        method: str,
        url: str,
        data: bytes | None,
        headers: Mapping[str, str],
        limits: urllib3.Timeout,
    ) -> urllib3.BaseHTTPResponse:
        found, pool = self._access, self._pool
        login = {"Authorization": found.authorization} if found.authorization else {}
        try:
            return pool.request(
                method,
                found.host + url,
                body=data,
                headers={**headers, **login},
                timeout=limits,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(0, f"the API server does not answer: {error}") from error

    def _renew(self, used: Access) -> None:
        with self._renewing:
            if self._access is used:
                self._access, self._pool = self._opened()

    def _opened(self) -> tuple[Access, urllib3.PoolManager]:
        try:
            found = self._find_access()
            arguments: dict[str, Any] = {}
            if found.host.startswith("https"):
                arguments["ssl_context"] = found.tls()
            if found.server_name:
                arguments["server_hostname"] = found.server_name
                arguments["assert_hostname"] = found.server_name
        except (AccessError, OSError) as error:
            raise ClusterError(0, f"no cluster to talk to: {error}; set KUBECONFIG") from error
        return found, urllib3.PoolManager(maxsize=CONNECTIONS, retries=RETRIES, **arguments)


def connect(kubeconfig: str | None) -> Cluster:
    """To the cluster of a kubeconfig; None = the one that this pod runs in."""
    return Cluster(partial(access.find, kubeconfig))


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    pending = b""
    for chunk in response.stream():
        *complete, pending = (pending + chunk).split(b"\n")
        yield from (line for line in complete if line)


def _status_message(response: urllib3.BaseHTTPResponse) -> str:
    """What the API server says in its Status; the bare HTTP reason when it sent something else."""
    try:
        return str(json.loads(response.data)["message"])
    except (urllib3.exceptions.HTTPError, TypeError, ValueError, KeyError):
        return f"HTTP {response.status} {response.reason}"
