"""One API server, asked as kubectl would ask it: kubeconfig, context, namespace.

Secrets are never read. Whether one exists is asked in a form of answer that has metadata only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    MERGE_PATCH,
    STRICT,
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    Connection,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    read_groups,
    router_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import segment
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    API_GROUP,
    API_VERSION,
    PLURAL,
    Manifest,
)

from semantic_router_cli.files import FileError
from semantic_router_cli.kubectl import Kubectl

_METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_SECONDS = 10.0
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
_REHEARSAL = {"dryRun": "All", **STRICT}


@dataclass(frozen=True)
class Answer:
    """Objects, or why the API server keeps them to itself."""

    items: tuple[Manifest, ...] = ()
    denied: str = ""

    @property
    def first(self) -> Manifest | None:
        return self.items[0] if self.items else None


class Cluster:
    """What the commands read. ``namespace`` is the one that a command works in.

    user: whom to impersonate. timeout: seconds for an answer; None: what the client takes.
    """

    def __init__(
        self,
        kubeconfig: str | None,
        context: str | None,
        namespace: str | None,
        user: str | None = None,
        timeout: float | None = None,
    ) -> None:
        self.kubectl = Kubectl(kubeconfig, context, user)
        self._connection: Connection = self.kubectl.connect()
        self.seconds = timeout or _SECONDS
        if timeout:
            self._connection.pool.connection_pool_kw["timeout"] = timeout
        self.client = Client(self._connection)
        self._asked_for = namespace
        self.namespace = namespace or _namespace_of(self.kubectl)

    @property
    def url(self) -> str:
        return self._connection.url

    @cached_property
    def groups(self) -> list[Manifest]:
        """The API groups that are served."""
        return read_groups(Reads(self.client))

    @property
    def serves_routers(self) -> bool:
        """The CRD is installed."""
        return any(group["name"] == API_GROUP for group in self.groups)

    def version(self) -> dict[str, Any]:
        return self.client.get("/version") or {}

    def router(self, name: str) -> Manifest | None:
        return self.client.get(router_path(name, self.namespace))

    def routers(
        self, names: Sequence[str] = (), everywhere: bool = False, selector: str = ""
    ) -> list[Manifest]:
        """Some by name, all of the namespace, or all there are; [] when the kind is unknown."""
        if names:
            return [found for name in dict.fromkeys(names) if (found := self.router(name))]
        scope = "" if everywhere else f"/namespaces/{self.namespace}"
        return list(self.look(f"/apis/{API_VERSION}{scope}/{PLURAL}", selector, must=True).items)

    def annotate_router(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """None takes an annotation away."""
        body = {"metadata": {"annotations": dict(annotations)}}
        self.client.patch(router_path(name, self.namespace), body, MERGE_PATCH)

    def restart_deployment(self, name: str, now: datetime) -> bool:
        """False: there is none. The annotation is kubectl's, which the operator leaves alone."""
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{name}"
        restarted = {_RESTARTED_AT: now.isoformat(timespec="seconds")}
        body = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
        try:
            self.client.patch(path, body, MERGE_PATCH)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def look(self, path: str, selector: str = "", must: bool = False, **params: str) -> Answer:
        """A list. Refusals are answers unless they ``must`` not be; an unknown kind is empty."""
        return _answer(lambda: self.client.list(path, selector, params), must)

    def find(self, path: str) -> Answer:
        """One object or none."""

        def ask() -> list[Manifest]:
            found = self.client.get(path)
            return [found] if found else []

        return _answer(ask, must=False)

    def secret_exists(self, namespace: str, name: str) -> bool | None:
        """None: one may not know. The answer carries no data, whoever asks."""
        path = f"/api/v1/namespaces/{segment(namespace)}/secrets/{segment(name)}"
        status, _ = self.raw("GET", path, accept=_METADATA_ONLY)
        return {200: True, 404: False}.get(status)

    def log(self, namespace: str, pod: str, container: str = "", lines: int = 2000) -> str:
        """The end of a container's log, "" when it cannot be read."""
        query = {"tailLines": str(lines), **({"container": container} if container else {})}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urlencode(query)}"
        status, text = self.raw("GET", path, accept="*/*")
        return text if status == 200 else ""

    def pod_json(self, namespace: str, pod: str, port: int, path: str) -> dict[str, Any]:
        """What a pod's own HTTP server says, through the API server; {} when it says nothing."""
        where = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        status, text = self.raw("GET", where, accept="application/json")
        try:
            said = json.loads(text) if status == 200 else {}
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def rehearse_router(self, resource: Manifest) -> tuple[Manifest, Manifest | None]:
        """(as the API server would store it, as it is now). Nothing is stored.

        A replacement, for what is no longer in the file to be gone; as strict as kubectl apply.
        """
        metadata = resource.get("metadata") or {}
        if not metadata.get("name"):
            raise FileError("metadata.name: no name is given. Give the router a name.")
        namespace = metadata.get("namespace") or self.namespace
        if self._asked_for and namespace != self._asked_for:
            raise FileError(
                f"SemanticRouter {metadata['name']} is of namespace {namespace}, and -n names "
                f"{self._asked_for}. Leave one of them out."
            )
        path = router_path(metadata["name"], namespace)
        body = {**resource, "metadata": {**metadata, "namespace": namespace}}
        live = self.client.get(path)
        if live is None:
            collection = path.rpartition("/")[0]
            return self.client.post(collection, body, _REHEARSAL), None
        body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        status, text = self.raw("PUT", f"{path}?{urlencode(_REHEARSAL)}", body=body)
        answer = json.loads(text) if text.startswith("{") else {}
        if status >= 300:
            raise ApiError(status, str(answer.get("reason", "")), str(answer.get("message", text)))
        return answer, live

    def raw(
        self, method: str, path: str, body: Manifest | None = None, accept: str = "application/json"
    ) -> tuple[int, str]:
        """(HTTP status, text); (0, "") when there is no answer."""
        headers = {**self._connection.headers(), "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = self._connection.pool.request(
                method,
                self.url + path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                retries=False,
                timeout=self.seconds,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError:
            return 0, ""
        return answer.status, answer.data.decode(errors="replace")


def _answer(ask: Callable[[], list[Manifest]], must: bool) -> Answer:
    try:
        return Answer(tuple(ask()))
    except ApiError as error:
        if error.status == 404:
            return Answer()
        if error.status == 403 and not must:
            return Answer(denied=error.message.strip().rstrip("."))
        raise


def _namespace_of(kubectl: Kubectl) -> str:
    chosen = access.context_of(kubectl.kubeconfig, kubectl.context)
    found = kubectl.namespace() if chosen is None else chosen.get("namespace")
    return str(found or "default")
