"""A SemanticRouter and its backends, as a user handles them: with kubectl."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import yaml
from control_plane import Kubectl
from endpoint_slices import endpoint_slice
from eventually import eventually

SAMPLES = Path(__file__).resolve().parents[2] / "config" / "samples"
READY_DEADLINE = 120.0
OWNED = (
    "deployments,services,configmaps,persistentvolumeclaims,serviceaccounts,"
    "horizontalpodautoscalers,poddisruptionbudgets,ingresses"
)


def minimal(name: str = "my-router") -> dict[str, Any]:
    """The smallest SemanticRouter that serves a model: one plain Service behind it."""
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": name},
        "spec": {
            "persistence": {"enabled": False},
            "vllmEndpoints": [
                {
                    "name": "qwen",
                    "model": "qwen2.5-7b",
                    "backend": {"type": "service", "service": {"name": "vllm-qwen", "port": 8000}},
                }
            ],
        },
    }


class SemanticRouter:
    """One object of one test; `resource` is what the next `apply` sends."""

    def __init__(
        self, kubectl: Kubectl, namespace: str, resource: dict[str, Any] | None = None
    ) -> None:
        self.kubectl = kubectl
        self.namespace = namespace
        self.resource = resource or minimal()

    @property
    def name(self) -> str:
        return str(self.resource["metadata"]["name"])

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.resource["spec"]
        return spec

    def use_sample(self, file: str) -> None:
        """The sample of config/samples, in this test's namespace."""
        self.resource = yaml.safe_load((SAMPLES / file).read_text())
        self.resource["metadata"].pop("namespace", None)

    def apply(self) -> None:
        self.kubectl(
            "apply", "--validate=strict", "-n", self.namespace, "-f", "-",
            stdin=json.dumps(self.resource),
        )  # fmt: skip

    def delete(self) -> None:
        self.kubectl("delete", "semanticrouter", self.name, "-n", self.namespace, "--wait=true")

    def get(self) -> dict[str, Any]:
        found: dict[str, Any] = self.read("semanticrouter", self.name)
        return found

    def read(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self.kubectl("get", kind, name, "-n", self.namespace, "-o", "json")
        )
        return found

    def wait_until_gone(self, kind: str, name: str, timeout: float = 60.0) -> None:
        command = ("get", kind, name, "-n", self.namespace)
        eventually(
            lambda: "not found" in self.kubectl.run(*command).stderr,
            timeout,
            f"the {kind} to be removed",
        )

    def patch(self, kind: str, name: str, patch: dict[str, Any], *options: str) -> None:
        self.kubectl(
            "patch", kind, name, "-n", self.namespace, "--type=merge", "-p", json.dumps(patch),
            *options,
        )  # fmt: skip

    def objects(self) -> dict[str, dict[str, Any]]:
        """What the router owns, by kind/name."""
        selector = f"-l=app.kubernetes.io/instance={self.name}"
        found = json.loads(self.kubectl("get", OWNED, selector, "-n", self.namespace, "-o", "json"))
        return {f"{item['kind']}/{item['metadata']['name']}": item for item in found["items"]}

    def pods(self) -> set[tuple[str, str]]:
        """Name and template hash of each."""
        selector = f"-l=app.kubernetes.io/instance={self.name}"
        found = json.loads(
            self.kubectl("get", "pods", selector, "-n", self.namespace, "-o", "json")
        )
        return {
            (item["metadata"]["name"], item["metadata"]["labels"]["pod-template-hash"])
            for item in found["items"]
        }

    def condition(self, kind: str) -> dict[str, Any]:
        """The condition, of the current generation; AssertionError while there is none."""
        router = self.get()
        conditions = router.get("status", {}).get("conditions", [])
        found = [condition for condition in conditions if condition["type"] == kind]
        assert found, f"no condition {kind} in {json.dumps(router.get('status'))}"
        generation = router["metadata"]["generation"]
        assert found[0]["observedGeneration"] == generation, (
            "the status is of an earlier generation"
        )
        return copy.deepcopy(found[0])

    def wait_for(
        self, kind: str, status: str = "True", timeout: float = READY_DEADLINE
    ) -> dict[str, Any]:
        """Waits until the condition has this status for the current generation, and returns it."""

        def look() -> dict[str, Any]:
            condition = self.condition(kind)
            assert condition["status"] == status, condition
            return condition

        return eventually(look, timeout, f"{self.name} to be {kind}={status}")

    def wait_for_phase(self, phase: str, timeout: float = READY_DEADLINE) -> None:
        eventually(
            lambda: self.get().get("status", {}).get("phase") == phase,
            timeout,
            f"{self.name} to be {phase}; status {self.get().get('status')}",
        )

    def create_service(
        self, name: str = "vllm-qwen", port: int = 8000, labels: dict[str, str] | None = None
    ) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"ports": [{"name": "http", "port": port}]},
        }
        # As if a pod stood behind it.
        manifests = [manifest, endpoint_slice(name, port)]
        self.kubectl(
            "apply",
            "-n",
            self.namespace,
            "-f",
            "-",
            stdin="\n---\n".join(map(json.dumps, manifests)),
        )

    def create_object(
        self, api_version: str, kind: str, name: str, status: dict[str, Any], **spec: Any
    ) -> None:
        """One that somebody else's controller would fill in."""
        manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}
        given = json.dumps({**manifest, "spec": spec})
        self.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=given)
        if status:
            self.patch(kind, name, {"status": status}, "--subresource=status")

    def create_inference_service(self, name: str = "llama-3-8b", ready: bool = True) -> None:
        manifest = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name},
            "spec": {"predictor": {}},
        }
        self.kubectl("apply", "-n", self.namespace, "-f", "-", stdin=json.dumps(manifest))
        status = {
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "address": {"url": f"http://{name}-predictor.{self.namespace}.svc"},
        }
        self.patch("inferenceservice", name, {"status": status}, "--subresource=status")
