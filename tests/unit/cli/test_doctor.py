"""What doctor makes of the operator's Deployment; the rest is in e2e/test_kubectl_plugin.py."""

from __future__ import annotations

from typing import Any, cast

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import user_agent
from semantic_router_cli.cluster import Answer, Cluster
from semantic_router_cli.doctor import Finding, of_the_operator
from semantic_router_cli.tree import State

UNSEEN = {"metadata": {"namespace": "models", "name": "my-router", "generation": 1}}


class NoPods:
    """A cluster, as far as it is asked when the operator is not rolled out."""

    def look(self, *_: Any, **__: Any) -> Answer:
        return Answer()


def found(replicas: int = 1, watched: str = "", tag: str = "") -> list[Finding]:
    image = f"ghcr.io/example/operator:v{tag or user_agent().rpartition('/')[2]}"
    container = {"image": image, "env": [{"name": "WATCH_NAMESPACE", "value": watched}]}
    deployment = {
        "metadata": {"namespace": "routing", "name": "operator", "generation": 1},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
        "status": {
            "observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas,
            "availableReplicas": replicas,
        },
    }  # fmt: skip
    return list(of_the_operator(cast("Cluster", NoPods()), deployment, [UNSEEN]))


def test_an_operator_that_has_not_looked_sends_to_its_log() -> None:
    well, ill = found()

    assert (well.state, ill.state) == (State.OK, State.BROKEN)
    assert "models/my-router" in ill.found
    assert "kubectl logs -n routing" in ill.remedy


def test_an_operator_of_other_namespaces_is_told_apart_from_one_that_does_not_work() -> None:
    (_, ill) = found(watched="one,two")

    assert ill.found == "it watches one, two only, and not models/my-router"
    assert "WATCH_NAMESPACE" in ill.where


def test_an_operator_without_pods_is_not_well() -> None:
    ill, _ = found(replicas=0)

    assert (ill.state, ill.found) == (State.BROKEN, "it is scaled to no pods")
    assert "--replicas=1" in ill.remedy


def test_an_operator_of_another_release_than_the_plugin_is_a_warning() -> None:
    _, other, _ = found(tag="99.0.0")

    assert (other.state, "99.0.0" in other.found) == (State.WARNING, True)
