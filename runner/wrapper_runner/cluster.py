"""The API server, as far as the runner needs it: JSON over the kubernetes client's connection.

The client brings kubeconfigs, in-cluster tokens, TLS and proxies. Its typed models and its Watch
are not used; docs/adr/0004-embedded-engine.md says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes import client, config  # type: ignore[import-untyped, unused-ignore]

from wrapper_runner.watches import Kind

CONNECT_SECONDS = 5
READ_SECONDS = 30
METADATA_ONLY = (
    "application/json;as=PartialObjectMetadata{list};g=meta.k8s.io;v=v1,application/json"
)

Json = dict[str, Any]


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

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "") -> Json:
        return self._json("GET", path, query=query, accept=accept)

    def create(self, path: str, body: Json) -> Json:
        return self._json("POST", path, body=body)

    def replace(self, path: str, body: Json) -> Json:
        return self._json("PUT", path, body=body)

    def merge(self, path: str, patch: Json) -> Json:
        return self._json("PATCH", path, body=patch, content="application/merge-patch+json")

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
            yield from (json.loads(line) for line in _lines(response))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ClusterError(0, f"the watch was cut off: {error}") from error
        finally:
            response.close()

    def _json(self, method: str, path: str, **request: Any) -> Json:
        response = self._request(method, path, timeout=(CONNECT_SECONDS, READ_SECONDS), **request)
        answer: Json = json.loads(response.data)
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
    ) -> urllib3.HTTPResponse:
        headers = {"Accept": accept or "application/json", "Content-Type": content}
        try:
            response: urllib3.HTTPResponse = self._api.call_api(
                path,
                method,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=timeout,
            )
        except client.ApiException as error:
            raise ClusterError(error.status or 0, _status_message(error)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ClusterError(0, f"the API server does not answer: {error}") from error
        return response


def connect(kubeconfig: str | None) -> Cluster:
    """To the cluster of a kubeconfig; None = the one that this pod runs in."""
    configuration = client.Configuration()
    try:
        if kubeconfig is None:
            config.load_incluster_config(client_configuration=configuration)
        else:
            config.load_kube_config(kubeconfig, client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise ClusterError(0, f"no cluster to talk to: {error}; set KUBECONFIG") from error
    # Callers have their own backoff; three silent tries before each of theirs only hide the cause.
    configuration.retries = urllib3.Retry(total=1, connect=0)
    # Watches keep their connections; the default, five per CPU, would throw the others away.
    configuration.connection_pool_maxsize = 64
    return Cluster(client.ApiClient(configuration))


def _lines(response: urllib3.HTTPResponse) -> Iterator[bytes]:
    pending = b""
    for chunk in response.stream():
        *complete, pending = (pending + chunk).split(b"\n")
        yield from (line for line in complete if line)


def _status_message(error: client.ApiException) -> str:
    """What the API server says in its Status; the bare HTTP reason when it sent something else."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"HTTP {error.status} {error.reason}"
