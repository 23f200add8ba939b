"""What replaces pods loses no request: clients ask all the time, and every answer is whole."""

from __future__ import annotations

import json
from typing import Any

from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import GENERAL, WORD, Cluster


def names(cluster: Cluster, router: SemanticRouter) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.pods(router)}


def ready(cluster: Cluster, router: SemanticRouter) -> int:
    deployment = router.read("deployment", router.name)
    return int(deployment.get("status", {}).get("readyReplicas") or 0)


def replaced(cluster: Cluster, router: SemanticRouter, old: set[str]) -> None:
    """Two others are ready, and the old ones have ended: their last answers too."""

    def look() -> bool:
        everything = ("get", "pods", "-n", cluster.namespace, "-o", "name")
        left = cluster.kubectl(*everything).split()
        assert not [name for name in left if name.removeprefix("pod/") in old], left
        return ready(cluster, router) == 2

    eventually(look, 180, "two other pods")


def assert_nothing_was_lost(seen: dict[str, Any]) -> None:
    assert not seen["failures"], seen
    assert seen["answers"] > 20, seen
    assert seen["streams"] > 2, seen
    print(seen)


def test_a_rolling_update_loses_nothing(cluster: Cluster, router: SemanticRouter) -> None:
    old = names(cluster, router)
    with cluster.load(router) as seen:
        router.spec["podAnnotations"] = {"example.com/update": "1"}
        router.apply()
        eventually(lambda: names(cluster, router).isdisjoint(old), 120, "new pods")
        replaced(cluster, router, old)
    assert_nothing_was_lost(seen)


def test_eviction_takes_one_pod_after_the_other_and_loses_nothing(
    cluster: Cluster, router: SemanticRouter
) -> None:
    """As `kubectl drain` does it."""
    old = names(cluster, router)
    path = f"/api/v1/namespaces/{cluster.namespace}/pods"

    def evict(name: str) -> str:
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": cluster.namespace},
        }
        command = ("create", "--raw", f"{path}/{name}/eviction", "-f", "-")
        return cluster.kubectl.run(*command, stdin=json.dumps(eviction)).stderr

    first, second = sorted(old)
    with cluster.load(router) as seen:
        # The budget's controller may not have counted the newest pods yet.
        eventually(lambda: not evict(first), 60, "the first pod to be evicted")
        assert "disruption budget" in evict(second)
        eventually(lambda: not evict(second), 120, "its turn")
        replaced(cluster, router, old)
    assert_nothing_was_lost(seen)


def test_a_deleted_pod_loses_nothing(cluster: Cluster, router: SemanticRouter) -> None:
    victim, *_ = sorted(names(cluster, router))
    with cluster.load(router) as seen:
        cluster.kubectl("delete", "pod", victim, "-n", cluster.namespace, "--wait=false")
        replaced(cluster, router, {victim})
    assert_nothing_was_lost(seen)


def test_a_hot_reload_keeps_the_pods_and_loses_nothing(
    cluster: Cluster, router: SemanticRouter
) -> None:
    router.spec["configRolloutPolicy"] = "HotReload"
    router.apply()
    cluster.wait_until_running(router)
    old = names(cluster, router)
    with cluster.load(router) as seen:
        (decision,) = router.spec["config"]["decisions"]
        decision["modelRefs"][0]["model"] = GENERAL
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
        got = json.loads(cluster.run("ask.py", cluster.url(router)))
        assert got["special"].startswith(GENERAL), (WORD, got)
        router.wait_for("Converged")
        active = router.get()["status"]["activeConfig"]
        assert {pod["name"]: pod["hash"] for pod in active["pods"]} == dict.fromkeys(
            old, active["desired"]
        )
    assert names(cluster, router) == old
    assert_nothing_was_lost(seen)
