"""What replaces pods loses no request: clients ask all the time, and every answer is whole."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import GENERAL, SPECIAL, Cluster, router_spec
from node.test_failures import volume_and_claim

# With the hot reload, and not before, it is one for the second model.
NEW_WORD = "poetry"


def names(cluster: Cluster, router: SemanticRouter) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.pods(router)}


def ready(cluster: Cluster, router: SemanticRouter) -> int:
    deployment = router.read("deployment", router.name)
    return int(deployment.get("status", {}).get("readyReplicas") or 0)


def replaced(cluster: Cluster, router: SemanticRouter, old: set[str]) -> None:
    """Others are ready, and the old ones have ended: their last answers too."""

    def look() -> bool:
        everything = ("get", "pods", "-n", cluster.namespace, "-o", "name")
        left = cluster.kubectl(*everything).split()
        assert not [name for name in left if name.removeprefix("pod/") in old], left
        return ready(cluster, router) == router.spec["replicas"]

    eventually(look, 180, "other pods")


def assert_nothing_was_lost(seen: dict[str, Any]) -> None:
    assert not seen["failures"], seen
    assert seen["answers"] > 20, seen
    assert seen["streams"] > 2, seen
    print(seen)


def assert_an_update_loses_nothing(cluster: Cluster, router: SemanticRouter) -> None:
    old = names(cluster, router)
    with cluster.load(router) as seen:
        router.spec["podAnnotations"] = {"example.com/update": "1"}
        router.apply()
        eventually(lambda: names(cluster, router).isdisjoint(old), 120, "new pods")
        replaced(cluster, router, old)
    assert_nothing_was_lost(seen)


def test_a_rolling_update_loses_nothing(cluster: Cluster, router: SemanticRouter) -> None:
    assert_an_update_loses_nothing(cluster, router)


def test_a_drain_takes_one_pod_after_the_other_and_loses_nothing(
    cluster: Cluster, router: SemanticRouter
) -> None:
    """`kubectl drain`, of every node that has one; what else runs there stays."""
    old = names(cluster, router)
    used = [pod["spec"]["nodeName"] for pod in cluster.pods(router)]
    with cluster.load(router) as seen:
        said = [drained(cluster, router, node) for node in sorted(set(used))]
        replaced(cluster, router, old)
    if len(set(used)) == 1:
        assert "disruption budget" in said[0], said
    assert_nothing_was_lost(seen)


def drained(cluster: Cluster, router: SemanticRouter, node: str) -> str:
    """What kubectl says. Where no other node would take new pods, this one does again at once."""
    selector = f"--pod-selector=app.kubernetes.io/instance={router.name}"
    options = ("--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s")
    process = subprocess.Popen(
        [str(cluster.kubectl.path), "drain", node, selector, *options],
        env={**os.environ, **cluster.whole.env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        eventually(lambda: node not in cluster.open_nodes(), 60, "the node to be cordoned")
        if not cluster.open_nodes():
            cluster.kubectl("uncordon", node)
        output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        cluster.kubectl("uncordon", node)
    assert process.returncode == 0, output
    return output


def test_a_deleted_pod_loses_nothing(cluster: Cluster, router: SemanticRouter) -> None:
    victim, *_ = sorted(names(cluster, router))
    with cluster.load(router) as seen:
        cluster.kubectl("delete", "pod", victim, "-n", cluster.namespace, "--wait=false")
        replaced(cluster, router, {victim})
    assert_nothing_was_lost(seen)


@pytest.mark.long
def test_one_pod_with_a_volume_loses_nothing_where_the_new_one_comes_first(nodes: Cluster) -> None:
    """The way out of docs/guide/storage.md that takes no second replica."""
    cluster, (node, *_) = nodes, nodes.open_nodes()
    name = f"models-{cluster.namespace}"
    place = f"/run/{name}"
    cluster.whole.on_node(node, "mkdir", "-m", "777", place)
    cluster.apply(*volume_and_claim(name, "models", {"path": place}, node))
    router = SemanticRouter(cluster.kubectl, cluster.namespace)
    router.resource["metadata"]["name"] = "one-pod"
    router.resource["spec"] = {
        **router_spec(),
        "replicas": 1,
        "persistence": {"enabled": True, "existingClaim": "models"},
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    router.apply()
    cluster.wait_until_running(router)
    assert_an_update_loses_nothing(cluster, router)
    router.delete()
    cluster.kubectl("delete", "pvc", "models", "-n", cluster.namespace, "--wait=false")
    cluster.kubectl("delete", "pv", name, "--wait=false")
    cluster.whole.on_node(node, "rm", "-r", place)


def answer(cluster: Cluster, router: SemanticRouter) -> str:
    got = json.loads(cluster.run("ask.py", cluster.url(router), f"Some {NEW_WORD}, please"))
    return str(got["asked"])


def test_a_hot_reload_keeps_the_pods_and_loses_nothing(
    cluster: Cluster, router: SemanticRouter
) -> None:
    router.spec["configRolloutPolicy"] = "HotReload"
    router.apply()
    cluster.wait_until_running(router)
    old = names(cluster, router)
    assert answer(cluster, router).startswith(GENERAL)
    with cluster.load(router) as seen:
        config = router.spec["config"]
        rule = {"operator": "OR", "conditions": [{"type": "keyword", "name": NEW_WORD}]}
        config["routing"]["signals"]["keywords"].append(
            {"name": NEW_WORD, "operator": "OR", "keywords": [NEW_WORD]}
        )
        config["decisions"].append(
            {
                "name": NEW_WORD,
                "priority": 2,
                "rules": rule,
                "modelRefs": [{"model": SPECIAL, "use_reasoning": False}],
            }
        )
        router.apply()
        differing = router.wait_for("Converged", "False")
        assert all(pod in differing["message"] for pod in old), differing
        assert router.condition("Ready")["status"] == "False"

        def is_reloaded() -> bool:
            for pod in old:
                said = cluster.kubectl("logs", pod, "-n", cluster.namespace)
                assert "config_reloaded" in said, said[-500:]
            return True

        # The kubelet brings a ConfigMap into its pods within a sync period or two.
        eventually(is_reloaded, 150, "the routers to read the new file")
        assert answer(cluster, router).startswith(SPECIAL)
        router.wait_for("Converged")
        active = router.get()["status"]["activeConfig"]
        assert {pod["name"]: pod["hash"] for pod in active["pods"]} == dict.fromkeys(
            old, active["desired"]
        )
    assert names(cluster, router) == old
    assert_nothing_was_lost(seen)
