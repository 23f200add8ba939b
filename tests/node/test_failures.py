"""What goes wrong on a node and on no simulated one is told in the router's status."""

from __future__ import annotations

import json
from typing import Any

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import Cluster, router_spec


def told(router: SemanticRouter, words: str) -> None:
    def look() -> bool:
        status: dict[str, Any] = router.get().get("status", {})
        assert status.get("phase") != "Running"
        assert words in json.dumps(status), json.dumps(status, indent=1)
        return True

    eventually(look, 120, f"the status to say {words!r}")


def volume_and_claim(
    name: str, claim: str, host_path: dict[str, str], node: str = ""
) -> list[dict[str, Any]]:
    """A directory of the node, or of any, as a volume, and the claim that gets it."""
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    there = {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}}
    modes = {"accessModes": ["ReadWriteOnce"]}
    wanted = {**modes, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name},
            "spec": {
                **modes,
                "capacity": {"storage": "1Gi"},
                "hostPath": host_path,
                **({"nodeAffinity": there} if node else {}),
            },
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
    nodes: Cluster,
) -> None:
    cluster, (node, *_) = nodes, nodes.open_nodes()
    name = f"full-{cluster.namespace}"
    place = f"/run/{name}"
    fill = f"mkdir {place} && mount -t tmpfs -o size=4k,mode=777 {name} {place} && echo > {place}/x"
    cluster.whole.on_node(node, "sh", "-c", fill)
    cluster.apply(*volume_and_claim(name, "full", {"path": place}, node))
    persistence = {"enabled": True, "existingClaim": "full"}
    router = troubled(cluster, "full-volume", persistence=persistence)
    told(router, "kubectl logs --previous -c semantic-router")
    (pod,) = cluster.pods(router)
    log = cluster.kubectl("logs", "--previous", pod["metadata"]["name"], "-n", cluster.namespace)
    assert "No space left on device" in log
    # Room again, and it starts by itself.
    cluster.whole.on_node(node, "sh", "-c", f"mount -o remount,size=1m {place}")
    cluster.wait_until_running(router)
    router.delete()
    cluster.kubectl("delete", "pvc", "full", "-n", cluster.namespace, "--wait=false")
    cluster.kubectl("delete", "pv", name, "--wait=false")
    cluster.whole.on_node(node, "sh", "-c", f"umount --lazy {place} && rmdir {place}")


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
    assert ready_pods(cluster, router) == set()
    status = router.get()["status"]
    assert status["phase"] != "Running"
    assert router.condition("Ready")["status"] == "False"
    router.delete()


@pytest.mark.long
def test_a_pod_whose_probe_fails_gets_no_request_and_one_that_is_dead_is_started_again(
    cluster: Cluster,
) -> None:
    """Its readiness first, which costs no answer, then its liveness."""
    quick = {"initialDelaySeconds": 0, "periodSeconds": 1, "failureThreshold": 1}
    # A process that gets no processor for long is not what is tried.
    file = {**quick, "timeoutSeconds": 20}
    router = troubled(
        cluster,
        "probed",
        replicas=2,
        readinessProbe={**file, "exec": {"command": ["test", "!", "-e", "/tmp/unready"]}},  # noqa: S108
        livenessProbe={**file, "exec": {"command": ["test", "!", "-e", "/tmp/dead"]}},  # noqa: S108
    )
    cluster.wait_until_running(router)
    first, second = sorted(pod["metadata"]["name"] for pod in cluster.pods(router))

    def touch(name: str) -> None:
        target = ("exec", first, "-c", "semantic-router", "-n", cluster.namespace, "--")
        cluster.kubectl(*target, "touch", f"/tmp/{name}")  # noqa: S108

    def restarts() -> int:
        pod = next(pod for pod in cluster.pods(router) if pod["metadata"]["name"] == first)
        found = {item["name"]: item for item in pod["status"]["containerStatuses"]}
        return int(found["semantic-router"]["restartCount"])

    with cluster.load(router) as seen:
        touch("unready")
        eventually(lambda: ready_pods(cluster, router) == {second}, 60, "one pod to leave")
        router.wait_for("Ready", "False")
        assert restarts() == 0
    assert not seen["failures"], seen
    touch("dead")
    eventually(lambda: restarts() > 0, 120, "the kubelet to start it again")
    # Its /tmp outlives the container, as any volume of the pod does.
    assert ready_pods(cluster, router) == {second}
    router.delete()


def ready_pods(cluster: Cluster, router: SemanticRouter) -> set[str]:
    """Those that the Service sends requests to."""
    selector = f"kubernetes.io/service-name={router.name}"
    found = cluster.kubectl(
        "get", "endpointslices", "-l", selector, "-n", cluster.namespace, "-o", "json"
    )
    ends = [end for each in json.loads(found)["items"] for end in each["endpoints"] or []]
    assert ends
    return {end["targetRef"]["name"] for end in ends if end["conditions"]["ready"]}


@pytest.mark.long
def test_a_node_that_goes_away_is_told_and_all_is_well_when_it_is_back(
    nodes: Cluster, router: SemanticRouter
) -> None:
    """Its kubelet says no more, and its containers go on: nobody knows, so they do not count."""
    used = sorted({pod["spec"]["nodeName"] for pod in nodes.pods(router)})
    for node in used:
        nodes.whole.stop_kubelet(node)
    try:
        eventually(lambda: not set(used) & set(nodes.open_nodes()), 150, "the nodes to be missed")
        router.wait_for("Ready", "False")
        assert router.get()["status"]["phase"] != "Running"
    finally:
        for node in used:
            nodes.whole.start_kubelet(node)
    eventually(lambda: set(used) <= set(nodes.open_nodes()), 90, "the nodes to be back")
    nodes.wait_until_running(router)
    assert router.condition("Ready")["status"] == "True"
