"""The SemanticRouters that are measured: the user's document's example, sized for a laptop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from control_plane import Kubectl
from wrapper_runner.cluster import Cluster

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "config" / "samples" / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml"
POLL_INTERVAL = 0.05
DELETE_DEADLINE = 900.0
# The API server answers a look without asking etcd, so that looking costs the subjects less.
FROM_CACHE = {"resourceVersion": "0"}


class BenchmarkError(Exception):
    """A subject did not do what is to be measured."""


def router(name: str, namespace: str) -> dict[str, Any]:
    """One replica with small requests, so that hundreds find room on three simulated nodes."""
    resource: dict[str, Any] = yaml.safe_load(SAMPLE.read_text())
    resource["metadata"] = {"name": name, "namespace": namespace}
    resource["spec"]["replicas"] = 1
    resource["spec"]["resources"]["requests"] = {"cpu": "10m", "memory": "64Mi"}
    resource["spec"]["podAnnotations"] = {"revision": "1"}
    return resource


class Namespace:
    """A namespace with a backend, and the SemanticRouters in it."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def path(self, plural: str, group: str = "vllm.ai/v1alpha1", name: str = "") -> str:
        root = "/api/v1" if group == "v1" else f"/apis/{group}"
        return f"{root}/namespaces/{self.name}/{plural}{'/' + name if name else ''}"

    def create(self, name: str) -> dict[str, Any]:
        return self.cluster.create(self.path("semanticrouters"), router(name, self.name))

    def create_with_models(self, name: str, models: int, of_each: int) -> dict[str, Any]:
        """On the Services of create_services, and with nothing that names other models."""
        asked = router(name, self.name)
        asked["spec"] = {
            **{key: asked["spec"][key] for key in ("replicas", "resources", "podAnnotations")},
            "vllmEndpoints": [
                {
                    "name": service,
                    "model": model,
                    "backend": {"type": "service", "service": {"name": service, "port": 8000}},
                }
                for model, service in _services(models, of_each)
            ],
        }
        return self.cluster.create(self.path("semanticrouters"), asked)

    def create_services(self, models: int, of_each: int) -> None:
        """Each with an address behind it."""
        slices = self.path("endpointslices", "discovery.k8s.io/v1")
        for _, service in _services(models, of_each):
            ports = [{"name": "http", "port": 8000}]
            self.cluster.create(
                self.path("services", "v1"),
                {"metadata": {"name": service}, "spec": {"ports": ports}},
            )
            labels = {"kubernetes.io/service-name": service}
            self.cluster.create(
                slices,
                {
                    "metadata": {"name": service, "labels": labels},
                    "addressType": "IPv4",
                    "ports": ports,
                    "endpoints": [{"addresses": ["192.0.2.10"]}],
                },
            )

    def read(self, name: str) -> dict[str, Any]:
        return self.cluster.get(self.path("semanticrouters", name=name))

    def edit(self, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        return self.cluster.merge(self.path("semanticrouters", name=name), patch)

    def running(self) -> int:
        """How many have the phase Running."""
        found = self.cluster.get(self.path("semanticrouters"), FROM_CACHE)["items"]
        return sum(item.get("status", {}).get("phase") == "Running" for item in found)

    def available(self) -> int:
        """How many Deployments have their pods."""
        found = self.cluster.get(self.path("deployments", "apps/v1"), FROM_CACHE)["items"]
        return sum(item.get("status", {}).get("availableReplicas", 0) > 0 for item in found)

    def is_available(self, name: str) -> bool:
        """Its pods run, and of the current revision."""
        found = self._deployment(name)
        status = found.get("status", {})
        return bool(
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == found["spec"]["replicas"]
            and status.get("availableReplicas", 0) == found["spec"]["replicas"]
            and status.get("replicas", 0) == found["spec"]["replicas"]
        )

    def revision(self, name: str) -> str:
        """What the pods are told: spec.podAnnotations.revision."""
        annotations = self._deployment(name)["spec"]["template"]["metadata"]["annotations"]
        return str(annotations["revision"])

    def _deployment(self, name: str) -> dict[str, Any]:
        return self.cluster.get(self.path("deployments", "apps/v1", name))

    def objects(self, instance: str) -> set[str]:
        """Kind/name of what a router has."""
        found = set()
        for group, kind in (
            ("v1", "ConfigMap"),
            ("v1", "PersistentVolumeClaim"),
            ("v1", "Service"),
            ("v1", "ServiceAccount"),
            ("apps/v1", "Deployment"),
        ):
            query = {"labelSelector": f"app.kubernetes.io/instance={instance}"}
            items = self.cluster.get(self.path(f"{kind.lower()}s", group), query)["items"]
            found |= {f"{kind}/{item['metadata']['name']}" for item in items}
        return found


def _services(models: int, of_each: int) -> Iterator[tuple[str, str]]:
    """Model and Service."""
    for model in range(models):
        for number in range(of_each):
            yield f"model-{model}", f"vllm-{model}-{number}"


@contextmanager
def namespace(cluster: Cluster, kubectl: Kubectl, name: str) -> Iterator[Namespace]:
    """Made with a backend that is ready; gone with everything in it afterwards."""
    cluster.create("/api/v1/namespaces", {"metadata": {"name": name}})
    made = Namespace(cluster, name)
    backends = made.path("inferenceservices", "serving.kserve.io/v1beta1")
    backend = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "llama-3-8b"},
        "spec": {"predictor": {}},
    }
    cluster.create(backends, backend)
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    cluster.merge(f"{backends}/llama-3-8b/status", status)
    predictor = {"metadata": {"name": "llama-3-8b-predictor"}, "spec": {"ports": [{"port": 80}]}}
    cluster.create(made.path("services", "v1"), predictor)
    try:
        yield made
    finally:
        # Waited for: what is being deleted would slow down the next measurement.
        kubectl("delete", "namespace", name, timeout=DELETE_DEADLINE)


def wait(
    condition: Callable[[], bool], timeout: float, what: str, interval: float = POLL_INTERVAL
) -> float:
    """Until it holds; how many seconds that took."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > timeout:
            raise BenchmarkError(f"waited {timeout:g} s for {what}")
        time.sleep(interval)
    return time.monotonic() - started
