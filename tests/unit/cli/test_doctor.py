"""What doctor makes of the operator's Deployment; the rest is in e2e/test_kubectl_plugin.py."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import user_agent
from semantic_router_cli.cluster import Answer, Cluster
from semantic_router_cli.doctor import Finding, leaving, of_the_operator, unwritable
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
    answer = Answer((deployment,))
    return list(of_the_operator(cast("Cluster", NoPods()), answer, [UNSEEN]))


SEEN = {**UNSEEN, "status": {"observedGeneration": 1}}


@pytest.mark.parametrize(
    ("routers", "state", "words"),
    [
        ([UNSEEN], State.BROKEN, "nobody has looked at the current spec of models/my-router"),
        ([SEEN], State.OK, "every router is looked after"),
        ([], State.UNKNOWN, "you may not look for it"),
    ],
)
def test_who_may_not_look_for_the_operator_is_not_told_that_there_is_none(
    routers: list[Any], state: State, words: str
) -> None:
    hidden = Answer(denied="deployments.apps is forbidden")
    (said,) = of_the_operator(cast("Cluster", NoPods()), hidden, routers)
    (gone,) = of_the_operator(cast("Cluster", NoPods()), Answer(), routers)

    assert said.state is state
    assert words in said.found
    assert "you may not look" in said.found
    assert "you may not look" not in gone.found


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


def test_what_holds_a_deletion_is_named() -> None:
    def claim(*finalizers: str, **more: str) -> dict[str, Any]:
        metadata = {"name": "my-router-models", "finalizers": list(finalizers), **more}
        return {"kind": "PersistentVolumeClaim", "metadata": metadata}

    leaves = {"deletionTimestamp": "2026-01-01T11:00:00Z"}
    held, going = leaving("", [claim("a/b"), claim("a/b", **leaves), claim(**leaves)])

    assert (held.state, held.where) == (State.WARNING, "PersistentVolumeClaim my-router-models")
    assert held.found == "it is being deleted, held by finalizer a/b"
    assert (going.state, going.found) == (State.WAITING, "it is being deleted")


DENIED = "2026-01-01T11:00:01Z mkdir /app/models/mom: permission denied"


@pytest.mark.parametrize(
    ("status", "text", "found"),
    [
        (200, f"2026-01-01T11:00:00Z starts\n{DENIED}\n", ["ModelsNotWritable"]),
        (200, "2026-01-01T11:00:01Z open /etc/shadow: permission denied\n", []),
        (200, "2026-01-01T11:00:01Z /app/models/mom: no such file\n", []),
        (400, "previous terminated container not found", []),
        (403, "pods/log is forbidden", []),
    ],
)
def test_a_router_that_ended_as_it_may_not_write_its_models_says_so_in_its_last_words(
    status: int, text: str, found: list[str]
) -> None:
    class Logs:
        def raw(self, _: str, path: str, **__: Any) -> tuple[int, str]:
            assert "/models/pods/my-router-1/log?container=semantic-router&" in path
            assert "previous=true" in path
            return status, text

    pods = [{"metadata": {"name": "my-router-1"}}]
    said = list(unwritable(cast("Cluster", Logs()), "models/my-router", "models", pods))
    assert [finding.code for finding in said] == found
    assert all("/app/models/mom: permission denied" in finding.found for finding in said)
