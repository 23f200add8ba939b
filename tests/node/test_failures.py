"""What goes wrong on a node and on no simulated one is told in the router's status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import Cluster, router_spec
from real_node import Node
from real_node.layout import NAME


def told(router: SemanticRouter, words: str) -> None:
    def look() -> bool:
        status: dict[str, Any] = router.get().get("status", {})
        assert status.get("phase") != "Running"
        assert words in json.dumps(status), json.dumps(status, indent=1)
        return True

    eventually(look, 120, f"the status to say {words!r}")


def volume_and_claim(name: str, claim: str, host_path: dict[str, str]) -> list[dict[str, Any]]:
    """A directory of the node as a volume, and the claim that gets it."""
    modes = {"accessModes": ["ReadWriteOnce"]}
    wanted = {**modes, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {**modes, "capacity": {"storage": "1Gi"}, "hostPath": host_path},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim},
            "spec": {**wanted, "storageClassName": ""},
        },
    ]


def test_an_image_that_cannot_be_pulled_is_told(cluster: Cluster) -> None:
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = "no-image"
    router.resource["spec"] = {**router_spec(), "replicas": 1}
    router.spec["image"] = {"repository": "registry.example.invalid/router", "tag": "v0.4.0"}
    router.apply()
    told(router, "ImagePullBackOff")
    router.delete()


def test_a_host_path_that_is_roots_is_told_with_where_to_read_on(cluster: Cluster) -> None:
    """fsGroup is for other volumes: docs/guide/storage.md has the way out."""
    name = f"host-path-{cluster.namespace}"
    host_path = {"path": f"/run/{name}", "type": "DirectoryOrCreate"}
    cluster.apply(*volume_and_claim(name, "roots", host_path))
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = "roots-volume"
    router.resource["spec"] = {**router_spec(), "replicas": 1}
    router.spec["persistence"] = {"enabled": True, "existingClaim": "roots"}
    router.apply()
    told(router, "kubectl logs --previous -c semantic-router")
    (pod,) = cluster.pods(router)
    log = cluster.kubectl("logs", "--previous", pod["metadata"]["name"], "-n", cluster.namespace)
    assert "Permission denied" in log
    router.delete()
    cluster.kubectl("delete", "pvc", "roots", "-n", cluster.namespace, "--wait=false")
    cluster.kubectl("delete", "pv", name, "--wait=false")


def troubled(cluster: Cluster, name: str, **spec: Any) -> SemanticRouter:
    """A router of one pod."""
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = name
    router.resource["spec"] = {**router_spec(), "replicas": 1, **spec}
    router.apply()
    return router


@pytest.mark.long
@pytest.mark.parametrize(
    ("container", "memory"), [("semantic-router", "20Mi"), ("envoy-proxy", "10Mi")]
)
def test_a_container_that_takes_more_memory_than_it_may_is_told(
    cluster: Cluster, container: str, memory: str
) -> None:
    little = {"requests": {"cpu": "10m", "memory": memory}, "limits": {"memory": memory}}
    spec = {"resources": little} if container == "semantic-router" else {}
    envoy = {"envoy": {"resources": little}} if container == "envoy-proxy" else {}
    router = troubled(cluster, f"little-{container}", **spec, **envoy)
    told(router, f"Container {container} ends again and again (exit code 137, OOMKilled)")
    router.delete()


@pytest.mark.long
def test_a_models_volume_that_is_full_is_told_with_where_to_read_on(
    cluster: Cluster, node: Node
) -> None:
    name = f"full-{cluster.namespace}"
    place = f"/run/{name}"
    fill = f"mkdir {place} && mount -t tmpfs -o size=4k,mode=777 {name} {place} && echo > {place}/x"
    node.run("sh", "-c", fill)
    cluster.apply(*volume_and_claim(name, "full", {"path": place}))
    persistence = {"enabled": True, "existingClaim": "full"}
    router = troubled(cluster, "full-volume", persistence=persistence)
    told(router, "kubectl logs --previous -c semantic-router")
    (pod,) = cluster.pods(router)
    log = cluster.kubectl("logs", "--previous", pod["metadata"]["name"], "-n", cluster.namespace)
    assert "No space left on device" in log
    # Room again, and it starts by itself.
    node.run("sh", "-c", f"mount -o remount,size=1m {place}")
    cluster.wait_until_running(router)
    router.delete()
    cluster.kubectl("delete", "pvc", "full", "-n", cluster.namespace, "--wait=false")
    cluster.kubectl("delete", "pv", name, "--wait=false")


@pytest.mark.long
def test_a_router_that_does_not_come_up_gets_no_request_and_is_started_again(
    cluster: Cluster,
) -> None:
    """Its models take longer to load than the startup probe has patience for."""
    router = troubled(
        cluster,
        "slow",
        env=[{"name": "STAND_IN_LOAD_SECONDS", "value": "600"}],
        startupProbe={"periodSeconds": 1, "failureThreshold": 5},
    )

    def is_restarted() -> bool:
        pods = cluster.pods(router)
        assert len(pods) == 1
        found = pods[0]["status"].get("containerStatuses", [])
        statuses = {item["name"]: item for item in found}
        assert "semantic-router" in statuses
        assert statuses["semantic-router"]["restartCount"] > 0
        assert not statuses["semantic-router"]["ready"]
        return True

    eventually(is_restarted, 120, "the kubelet to start it again")
    events = cluster.kubectl("get", "events", "-n", cluster.namespace, "-o", "json")
    said = [item["message"] for item in json.loads(events)["items"]]
    assert any("Startup probe failed" in message for message in said), said
    selector = f"kubernetes.io/service-name={router.name}"
    slices = cluster.kubectl(
        "get", "endpointslices", "-l", selector, "-n", cluster.namespace, "-o", "json"
    )
    endpoints = [end for each in json.loads(slices)["items"] for end in each["endpoints"] or []]
    assert endpoints
    assert not any(end["conditions"]["ready"] for end in endpoints)
    status = router.get()["status"]
    assert status["phase"] != "Running"
    assert router.condition("Ready")["status"] == "False"
    router.delete()


@pytest.mark.long
def test_a_node_that_goes_away_is_told_and_all_is_well_when_it_is_back(
    cluster: Cluster, router: SemanticRouter, node: Node
) -> None:
    """Its kubelet says no more, and its containers go on: nobody knows, so they do not count."""

    def node_is(ready: str) -> bool:
        path = "{.status.conditions[?(@.type=='Ready')].status}"
        return cluster.kubectl("get", "node", NAME, "-o", f"jsonpath={path}") == ready

    node.send("STOP", "kubelet")
    try:
        eventually(lambda: node_is("Unknown"), 150, "the node to be missed")
        router.wait_for("Ready", "False")
        assert router.get()["status"]["phase"] != "Running"
    finally:
        node.send("CONT", "kubelet")
    eventually(lambda: node_is("True"), 90, "the node to be back")
    cluster.wait_until_running(router)
    assert router.condition("Ready")["status"] == "True"
