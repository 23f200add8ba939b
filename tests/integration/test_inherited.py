"""What OLM tells the operator's pod, in the pods of a router: on a real API server."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    Reconciled,
    reconcile,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import inherited
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SemanticRouter

PROXY = "http://proxy.corp.example:3128"
ENVOY = f"mirror.test/envoy@sha256:{'e' * 64}"


class Pod:
    """The operator's: `is_there` says whether this process is one, or somebody's laptop."""

    def __init__(self, plane: ControlPlane, router: SemanticRouter, directory: Path) -> None:
        self._client = Client.from_options({"kubeconfig": str(plane.kubeconfig)})
        self._router = router
        self._file = directory / "namespace"

    def run(self, *, is_there: bool) -> Reconciled:
        self._file.unlink(missing_ok=True)
        if is_there:
            self._file.write_text("operators")
        found = read_router(self._client, self._router.name, self._router.namespace)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return reconcile(self._client, Reads(self._client), found, now=now, code="any")

    def deployment(self) -> dict[str, Any]:
        path = f"/apis/apps/v1/namespaces/{self._router.namespace}/deployments/{self._router.name}"
        found = self._client.get(path)
        assert found is not None
        return found


def test_the_pods_are_replaced_once_when_the_operators_variables_change_and_by_it_alone(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    namespace: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    for name in (*inherited.NAMES, *(name.lower() for name in inherited.NAMES)):
        monkeypatch.delenv(name, raising=False)
    router = SemanticRouter(kubectl, namespace)
    router.spec.update(persistence={"enabled": False})
    router.apply()
    pod = Pod(control_plane, router, tmp_path)
    pod.run(is_there=True)
    first = pod.deployment()
    assert "vllm.ai/inherited" not in first["metadata"]["annotations"]

    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8")
    monkeypatch.setenv("RELATED_IMAGE_ENVOY", ENVOY)
    pod.run(is_there=False)
    assert pod.deployment()["spec"] == first["spec"], "a laptop's proxy is nobody else's"

    pod.run(is_there=True)
    told = pod.deployment()
    semantic_router, envoy = told["spec"]["template"]["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in semantic_router["env"]}
    assert environment["HTTPS_PROXY"] == PROXY
    assert environment["NO_PROXY"] == "localhost,127.0.0.1,::1,.svc,.svc.cluster.local,10.0.0.0/8"
    assert envoy["image"] == ENVOY
    assert told["metadata"]["generation"] == first["metadata"]["generation"] + 1

    for is_there in (True, False):
        pod.run(is_there=is_there)
        assert pod.deployment()["spec"] == told["spec"]

    for name in ("HTTPS_PROXY", "NO_PROXY", "RELATED_IMAGE_ENVOY"):
        monkeypatch.delenv(name)
    pod.run(is_there=True)
    last = pod.deployment()
    assert last["spec"] == first["spec"]
    assert "vllm.ai/inherited" not in last["metadata"]["annotations"]
