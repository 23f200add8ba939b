"""A configuration that the router itself refuses replaces no pod that serves.

The operator's rules, the router's schema and Envoy let it through: it is a regular expression with
what Go's have not, and a router finds out when its models are loaded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import GENERAL, SPECIAL, Cluster, router_spec
from node.test_disruption import assert_nothing_was_lost, names

pytestmark = pytest.mark.long

REFUSED, MENDED = "sonnets?(?= by)", "sonnets?"
QUESTION = "Two sonnets, please"
READY = {"type": "Ready", "status": "True"}


@pytest.fixture(scope="module")
def router(cluster: Cluster) -> Iterator[SemanticRouter]:
    """With two pods, and a name of its own: others go on with theirs, whatever happens here."""
    made = SemanticRouter(cluster.kubectl, cluster.namespace)
    made.resource["metadata"]["name"] = "refusing"
    made.resource["spec"] = router_spec()
    made.apply()
    cluster.wait_until_running(made)
    yield made
    made.delete()
    eventually(lambda: not cluster.pods(made), 60, "its pods to go")


def look_for(router: SemanticRouter, *patterns: str) -> None:
    """By the rule whose prompts are for the second model."""
    (rule,) = router.spec["config"]["routing"]["signals"]["keywords"]
    rule.update({"method": "regex", "keywords": ["maths", *patterns]})
    router.apply()


def mounted(pod: dict[str, Any]) -> set[str]:
    """ConfigMaps with what the router and Envoy start with."""
    volumes = [volume.get("configMap") for volume in pod["spec"]["volumes"]]
    return {volume["name"] for volume in volumes if volume}


def refused(cluster: Cluster, router: SemanticRouter, old: set[str]) -> dict[str, Any]:
    """The pod that does not come up, once the status tells of it."""

    def told() -> str:
        degraded = router.condition("Degraded")
        assert degraded["reason"] == "NewConfigFails", degraded
        return str(degraded["message"])

    message = eventually(told, 120, "the refused configuration to be told")
    (pod,) = (pod for pod in cluster.pods(router) if pod["metadata"]["name"] not in old)
    name = pod["metadata"]["name"]
    why = f"Failed to create ExtProc server: maths: no regular expression {REFUSED}"

    def says_why() -> bool:
        """In which of its containers depends on when it is asked."""
        logs = ("logs", name, "-n", cluster.namespace)
        said = [cluster.kubectl.run(*logs, *which).stdout for which in ((), ("--previous",))]
        return any(why in log for log in said)

    eventually(says_why, 60, "the router to say why it ends")
    for part in (name, *old, "routing.signals.keywords"):
        assert part in message, message
    assert router.condition("Available")["status"] == "True"
    assert router.condition("Ready")["status"] == "False"
    return pod


def ready(cluster: Cluster, router: SemanticRouter) -> dict[str, dict[str, Any]]:
    """By name, the pods that are."""
    return {
        pod["metadata"]["name"]: pod
        for pod in cluster.pods(router)
        if any(READY.items() <= each.items() for each in pod["status"].get("conditions", []))
    }


def asked(cluster: Cluster, router: SemanticRouter) -> str:
    """Which model, and what it said."""
    return str(json.loads(cluster.run("ask.py", cluster.url(router), QUESTION))["asked"])


def test_old_pods_serve_on_with_what_they_have_and_new_ones_follow_a_correction(
    cluster: Cluster, router: SemanticRouter
) -> None:
    first = ready(cluster, router)
    good = mounted(next(iter(first.values())))
    with cluster.load(router) as seen:
        look_for(router, REFUSED)
        new = refused(cluster, router, set(first))
        assert set(router.get()["status"]["config"]["lastGood"]) == good
        assert set(ready(cluster, router)) == set(first)

        # As when its node is drained, and before anybody has corrected anything.
        victim = min(first)
        cluster.kubectl("delete", "pod", victim, "-n", cluster.namespace, "--wait=false")
        serving = eventually(
            lambda: (found := ready(cluster, router)).keys() - first.keys() and found,
            120,
            "the old pod to be made anew",
        )
        for name, pod in serving.items():
            assert mounted(pod) == good
            command = ("exec", name, "-c", "semantic-router", "-n", cluster.namespace, "--")
            config = cluster.kubectl(*command, "cat", "/etc/semantic-router/config.yaml")
            assert "maths" in config
            assert REFUSED not in config
        assert asked(cluster, router).startswith(GENERAL)

        look_for(router, MENDED)
        cluster.wait_until_running(router)
        gone = {*first, *serving, new["metadata"]["name"]}
        eventually(lambda: gone.isdisjoint(names(cluster, router)), 120, "new pods only")
        assert asked(cluster, router).startswith(SPECIAL)
    assert_nothing_was_lost(seen)
    assert "lastGood" not in router.get()["status"]["config"]
    left = mounted(new) - good
    assert left
    eventually(
        lambda: not left & {name.rpartition("/")[2] for name in router.objects()},
        60,
        "the refused files to go",
    )


def test_a_change_that_is_taken_back_replaces_no_pod_that_serves(
    cluster: Cluster, router: SemanticRouter
) -> None:
    look_for(router, MENDED)
    cluster.wait_until_running(router)
    old = names(cluster, router)
    with cluster.load(router) as seen:
        look_for(router, REFUSED)
        refused(cluster, router, old)
        look_for(router, MENDED)
        cluster.wait_until_running(router)
        eventually(lambda: names(cluster, router) == old, 60, "the refused pod to go")
    assert_nothing_was_lost(seen)
    assert router.condition("Ready")["status"] == "True"
    assert "lastGood" not in router.get()["status"]["config"]


def test_under_hot_reload_routers_go_on_with_what_they_had_and_read_a_correction(
    cluster: Cluster, router: SemanticRouter
) -> None:
    router.spec["configRolloutPolicy"] = "HotReload"
    look_for(router)
    cluster.wait_until_running(router)
    old = names(cluster, router)

    def have_refused() -> bool:
        for name in old:
            log = cluster.kubectl("logs", name, "-n", cluster.namespace)
            assert "config_reload_failed" in log, log[-500:]
        return True

    with cluster.load(router) as seen:
        look_for(router, REFUSED)
        # The kubelet brings a ConfigMap into its pods within a sync period or two.
        eventually(have_refused, 150, "the routers to refuse the file")
        differing = router.wait_for("Converged", "False")["message"]
        assert all(name in differing for name in old), differing
        assert router.condition("Ready")["status"] == "False"
        assert asked(cluster, router).startswith(GENERAL)

        look_for(router, MENDED)
        eventually(
            lambda: asked(cluster, router).startswith(SPECIAL), 150, "an answer by the correction"
        )
        router.wait_for("Converged")
    assert_nothing_was_lost(seen)
    assert names(cluster, router) == old
