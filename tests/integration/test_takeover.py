"""From upstream's operator in Go to this one and back, as docs/migration.md tells it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import guide
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    resources,
    takeover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    discover,
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    Reconciled,
    reconcile,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from former_operator import FINALIZER, FormerOperator

CHAPTER = guide.CHECKOUT / "docs" / "migration.md"
THEIRS = "example.com/theirs"
PODS = 3

Manifest = dict[str, Any]


class Cluster:
    """A router of the former operator's, paused until this one is to take over."""

    def __init__(self, plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
        self.client = Client.from_options({"kubeconfig": str(plane.kubeconfig)})
        self.router = SemanticRouter(kubectl, namespace)
        # The claim has a class by its name, which the SemanticRouter does not give.
        self.router.spec.update(replicas=PODS, persistence={"enabled": True})
        self.router.resource["metadata"] |= {
            "finalizers": [THEIRS, FINALIZER],
            "annotations": {"vllm.ai/paused": "true"},
        }
        self.former = FormerOperator(kubectl, namespace, self.router.name, PODS)

    def start(self) -> None:
        """Until the former operator's pods run."""
        self.router.create_service()
        self.router.apply()
        self.former.create(self.router.get()["metadata"]["uid"])
        self.wait_for_pods()

    def wait_for_pods(self) -> None:
        def look() -> bool:
            found = self.deployment()
            said = found["status"]
            numbers = {said.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas")}
            seen = said.get("observedGeneration") == found["metadata"]["generation"]
            return seen and numbers == {PODS}

        eventually(look, 60, "all pods to be of this template and ready")

    def annotate(self, *annotations: str) -> None:
        self.kubectl("annotate", "semanticrouter", self.router.name, *annotations)

    def reconcile(self) -> Reconciled:
        found = read_router(self.client, self.router.name, self.router.namespace)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return reconcile(self.client, Reads(self.client), found, now=now, code="any")

    def converge(self) -> None:
        def look() -> bool:
            done = self.reconcile()
            assert done.status["phase"] == "Running", (done.messages, done.status["conditions"])
            return True

        eventually(look, 60, "the router to run")

    def deployment(self) -> Manifest:
        return self.read("deployment", self.router.name)

    def claim(self) -> tuple[str, str]:
        found = self.read("pvc", f"{self.router.name}-models")
        return found["metadata"]["uid"], found["spec"]["volumeName"]

    def finalizers(self) -> list[str]:
        found: list[str] = self.router.get()["metadata"].get("finalizers", [])
        return found

    def replica_sets(self) -> dict[str, int]:
        found = json.loads(self.kubectl("get", "replicasets", "--output=json"))
        return {item["metadata"]["name"]: item["spec"]["replicas"] for item in found["items"]}

    def managers(self, kind: str, name: str) -> set[str]:
        metadata = self.read(kind, name, "--show-managed-fields")["metadata"]
        return {item["manager"] for item in metadata["managedFields"]}

    def as_made_anew(self, kind: str) -> Manifest:
        """What the API server would make of the object if there were none."""
        found = read_router(self.client, self.router.name, self.router.namespace)
        facts = discover(Reads(self.client), found).facts
        built = registry.build(found, facts, registry.CONCERNS)
        wanted = next(
            item
            for item in built
            if (item["kind"], item["metadata"]["name"]) == (kind, self.router.name)
        )
        anew = takeover.as_new(wanted)
        dry = {"fieldManager": "test", "dryRun": "All"}
        return self.client.patch(resources.path(anew), anew, params=dry)

    def read(self, kind: str, name: str, *options: str) -> Manifest:
        found: Manifest = json.loads(self.kubectl("get", kind, name, "--output=json", *options))
        return found

    def kubectl(self, *arguments: str) -> str:
        return self.router.kubectl("-n", self.router.namespace, *arguments)


@pytest.fixture
def cluster(control_plane: ControlPlane, kubectl: Kubectl, namespace: str) -> Cluster:
    return Cluster(control_plane, kubectl, namespace)


def test_a_router_goes_over_and_back_and_over_again(cluster: Cluster) -> None:
    cluster.start()
    name, claim = cluster.router.name, cluster.claim()
    (theirs,) = cluster.replica_sets()

    cluster.annotate("vllm.ai/paused-")
    cluster.converge()
    assert_nothing_remains(cluster)
    ours = next(item for item in cluster.replica_sets() if item != theirs)
    assert cluster.finalizers() == [THEIRS]
    assert cluster.claim() == claim
    assert cluster.reconcile().objects == []

    cluster.former.update(cluster.router.get()["metadata"]["uid"])
    cluster.wait_for_pods()
    assert cluster.replica_sets() == {theirs: PODS, ours: 0}
    assert cluster.claim() == claim

    cluster.converge()
    cluster.wait_for_pods()
    assert_nothing_remains(cluster)
    assert cluster.replica_sets() == {theirs: 0, ours: PODS}
    assert cluster.finalizers() == [THEIRS]
    assert cluster.claim() == claim

    cluster.kubectl("delete", "semanticrouter", name, "--wait=false")
    assert cluster.finalizers() == [THEIRS]
    cluster.router.patch("semanticrouter", name, {"metadata": {"finalizers": None}})
    eventually(lambda: not cluster.router.objects(), 60, "the garbage collector")


def assert_nothing_remains(cluster: Cluster, *but: str) -> None:
    name = cluster.router.name
    found, anew = cluster.deployment()["spec"], cluster.as_made_anew("Deployment")["spec"]
    assert {**found, **dict.fromkeys(but)} == {**anew, **dict.fromkeys(but)}
    ports = cluster.read("service", name)["spec"]["ports"]
    assert ports == cluster.as_made_anew("Service")["spec"]["ports"]
    for kind, suffix in (("configmap", "-config"), ("service", ""), ("deployment", "")):
        assert "manager" not in cluster.managers(kind, name + suffix)


def test_a_dry_run_shows_what_would_go_and_takes_nothing_over(cluster: Cluster) -> None:
    cluster.start()
    before = cluster.deployment()
    cluster.annotate("vllm.ai/dry-run=true", "vllm.ai/paused-")
    done = cluster.reconcile()
    planned = done.status["dryRun"]["changes"]
    changes = {item["kind"]: item for item in planned if item["name"] == cluster.router.name}
    fields = changes["Service"]["fields"]
    assert "spec.ports[envoy-http]" in fields
    assert not [field for field in fields if "clusterIP" in field]
    assert changes["Deployment"]["action"] == "change"
    assert cluster.deployment() == before
    assert "manager" in cluster.managers("deployment", cluster.router.name)
    assert FINALIZER in cluster.finalizers()


def test_an_autoscaled_router_keeps_its_number_of_pods(cluster: Cluster) -> None:
    cluster.router.spec["autoscaling"] = {"enabled": True, "minReplicas": 1, "maxReplicas": 5}
    cluster.start()
    cluster.annotate("vllm.ai/paused-")
    assert not [problem for problem in cluster.reconcile().problems if problem.blocking]
    assert_nothing_remains(cluster, "replicas")
    assert cluster.deployment()["spec"]["replicas"] == PODS


def test_what_another_operator_of_the_same_name_adds_later_is_its_own(cluster: Cluster) -> None:
    cluster.start()
    cluster.annotate("vllm.ai/paused-")
    cluster.converge()
    name = cluster.router.name
    cluster.kubectl("annotate", "deployment", name, "theirs=yes", "--field-manager=manager")
    cluster.router.patch("semanticrouter", name, {"spec": {"replicas": PODS + 1}})
    cluster.reconcile()
    found = cluster.deployment()
    assert found["spec"]["replicas"] == PODS + 1
    assert found["metadata"]["annotations"]["theirs"] == "yes"


def test_a_refused_router_is_left_with_its_former_pods_and_finalizer(cluster: Cluster) -> None:
    cluster.router.spec["tolerations"] = [{"key": "gpu", "operator": "Maybe"}]
    cluster.start()
    before = cluster.deployment()["spec"]
    cluster.annotate("vllm.ai/paused-")
    assert [problem.reason for problem in cluster.reconcile().problems] == ["ApplyRefused"]
    assert cluster.deployment()["spec"] == before
    assert FINALIZER in cluster.finalizers()


@pytest.fixture
def companion(cluster: Cluster, control_plane: ControlPlane, tmp_path: Path) -> Iterator[None]:
    """The process beside the stock engine, with the product's own watches.yaml."""
    program = [sys.executable, "-P", "-m", "wrapper_runner.companion"]
    arguments = [str(os.getpid()), str(tmp_path / "runs"), str(guide.CHECKOUT / "watches.yaml")]
    env = {
        **os.environ,
        "KUBECONFIG": str(control_plane.kubeconfig),
        "WATCH_NAMESPACE": cluster.router.namespace,
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        process = subprocess.Popen([*program, *arguments], stdin=listener.fileno(), env=env)
    yield
    process.terminate()
    process.wait(30)


@pytest.mark.usefixtures("companion")
def test_beside_the_stock_engine_a_deleted_router_is_freed_of_the_former_finalizer_alone(
    cluster: Cluster,
) -> None:
    cluster.router.apply()
    assert cluster.finalizers() == [THEIRS, FINALIZER]
    cluster.kubectl("delete", "semanticrouter", cluster.router.name, "--wait=false")
    eventually(lambda: cluster.finalizers() == [THEIRS], 30, "the former operator's to be gone")
