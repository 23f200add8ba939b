"""One SemanticRouter in a namespace of its own, of which the API server's audit log is read."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane, audit
from eventually import eventually
from every_kind import NAME, Manifest, objects

# For admission.yaml.
ASKED = "test.vllm.ai/admission"
REFUSED, REFUSED_IN_EARNEST, KEPT = "refused", "refused in earnest", "kept"
ADMISSION = Path(__file__).with_name("admission.yaml")
OPERATOR = "the-operator"

_ROUTERS = resources.Resource(metadata.API_VERSION, metadata.KIND, metadata.PLURAL, rank=0)
_KIND_BY_PLURAL = {resource.plural: resource.kind for resource in resources.RESOURCES}


class OperatorClient(Client):
    """The operator's; it lets its cluster know what to expect in the audit log."""

    cluster: Cluster

    def _request(self, method: str, path: str, *rest: Any, **named: Any) -> Manifest:
        self.cluster.expect(path)
        return super()._request(method, path, *rest, **named)


class Cluster:
    """`client` is the operator's, `admin` everybody else's; the audit log tells them apart."""

    def __init__(self, plane: ControlPlane, kubeconfig: Path, namespace: str) -> None:
        self.namespace = namespace
        self.kubeconfig = str(kubeconfig)
        self.admin = Client.from_options({"kubeconfig": str(plane.kubeconfig)})
        self.client = self.operator()
        self._expected: list[str] = []
        self.routers = resources.collection_path(_ROUTERS, namespace)
        self.router = Router(self.admin.post(self.routers, semantic_router(namespace)))
        self._log = plane.audit_log
        self._offset = self._log.stat().st_size

    def operator(self, kind: type[OperatorClient] = OperatorClient) -> Client:
        client = kind.from_options({"kubeconfig": self.kubeconfig})
        assert isinstance(client, OperatorClient)
        client.cluster = self
        return client

    def expect(self, path: str) -> None:
        """A request is on its way; the audit log is read when it has all that concern the test."""
        if f"/namespaces/{self.namespace}/" in path:
            self._expected.append(path)

    def read_router(self) -> Router:
        found = self.admin.get(f"{self.routers}/{NAME}")
        assert found is not None
        return Router(found)

    def create(self, manifest: Manifest) -> Manifest:
        """As somebody else."""
        path = resources.collection_path(resources.resource_of(manifest), self.namespace)
        return self.admin.post(path, manifest, {"fieldManager": "somebody-else"})

    def objects(self, **asked: str) -> list[Manifest]:
        """One of each kind; `asked` of admission, by kind."""
        return [with_annotation(item, asked.get(item["kind"])) for item in objects(self.namespace)]

    def apply(self, wanted: list[Manifest], **options: Any) -> ApplyResult:
        return apply(self.client, self.router, wanted, **options)

    def there(self) -> dict[str, Manifest]:
        """What there is in the namespace, by kind, but for what Kubernetes puts into each."""
        found = {}
        for resource in resources.RESOURCES:
            path = resources.collection_path(resource, self.namespace)
            for item in self.admin.list(path):
                if item["metadata"]["name"] == NAME:
                    found[resource.kind] = item
        return found

    def look_from_now_on(self) -> None:
        """Forget what was asked for until now."""
        self._audited()
        self._expected.clear()
        self._offset = self._log.stat().st_size

    def writes(self) -> list[audit.Request]:
        """What the operator wrote, or tried to, in the order of arrival; no rehearsals."""
        return [item for item in self._audited() if item.is_write and not item.dry_run]

    def rehearsals(self) -> list[audit.Request]:
        return [item for item in self._audited() if item.dry_run]

    def _audited(self) -> list[audit.Request]:
        def ours() -> list[audit.Request]:
            return [
                request
                for request in audit.requests(self._log, self._offset)
                if request.user == OPERATOR and request.namespace == self.namespace
            ]

        eventually(lambda: len(ours()) >= len(self._expected), message="the audit log to catch up")
        return sorted(ours(), key=lambda request: request.time)


def semantic_router(namespace: str, name: str = NAME, **spec: Any) -> Manifest:
    endpoint = {
        "name": "llama",
        "model": "llama",
        "backend": {"type": "service", "service": {"name": "llama", "port": 8000}},
    }
    return {
        "apiVersion": metadata.API_VERSION,
        "kind": metadata.KIND,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"vllmEndpoints": [endpoint], **spec},
    }


def with_annotation(manifest: Manifest, asked: str | None) -> Manifest:
    copied = copy.deepcopy(manifest)
    if asked:
        copied["metadata"].setdefault("annotations", {})[ASKED] = asked
    return copied


def kinds(requests: list[audit.Request], verb: str) -> list[str]:
    """The kinds of what was asked for with this verb and success."""
    return [
        _KIND_BY_PLURAL[request.resource]
        for request in requests
        if request.verb == verb and request.code < 300
    ]
