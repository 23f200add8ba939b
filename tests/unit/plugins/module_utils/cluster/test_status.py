"""A status is written once, for the router that the run was about, and told as Events.

The server is in memory; tests/integration/test_status.py asks a real one. What a status says is
status/test_router_status.py.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import status
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import ApiError
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from api_server import ApiServer, Manifest, Request
from seen import INVALID

ROUTER = "/apis/vllm.ai/v1alpha1/namespaces/apps/semanticrouters/my-router"
NOW = "2026-11-23T10:00:00.000000Z"


class Cluster:
    def __init__(self) -> None:
        self.server = ApiServer()
        self.server.put(
            ROUTER,
            {
                "apiVersion": "vllm.ai/v1alpha1",
                "kind": "SemanticRouter",
                "metadata": {"name": "my-router", "namespace": "apps"},
                "spec": {"persistence": {"enabled": False}},
            },
        )
        self.seen = Router(deepcopy(self.live))

    @property
    def live(self) -> Manifest:
        return self.server.objects[ROUTER]

    def look(self) -> None:
        """Another run begins."""
        self.seen = Router(deepcopy(self.live))

    def report(self, *problems: Any, **options: Any) -> status.Report:
        self.server.log.clear()
        situation = Situation(self.seen, Facts(), list(problems))
        return status.report(self.server.client(), situation, NOW, **options)

    def patches(self) -> list[Request]:
        return [item for item in self.server.writes() if item.path == f"{ROUTER}/status"]

    def events(self) -> list[Manifest]:
        return [item for item in self.server.objects.values() if item["kind"] == "Event"]

    def edit(self, **metadata: Any) -> None:
        """Somebody is faster than the run."""
        self.live["metadata"] |= {"resourceVersion": "1000", **metadata}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def meanwhile(cluster: Cluster, edit: Any) -> None:
    """Just before the first patch of a status is answered."""

    def look(request: Request) -> None:
        if request.path == f"{ROUTER}/status":
            cluster.server.looks.remove(look)
            edit()

    cluster.server.looks.append(look)


def test_it_is_written_with_the_version_that_the_run_began_with(cluster: Cluster) -> None:
    version = cluster.live["metadata"]["resourceVersion"]
    said = cluster.report()
    (patch,) = cluster.patches()
    assert (patch.body or {})["metadata"] == {"resourceVersion": version}
    assert said.changed
    assert cluster.live["status"] == said.status
    # Nobody read the router again for it.
    assert ROUTER not in [item.path for item in cluster.server.log]


@pytest.mark.parametrize(("pods_wanted", "looks"), [(None, False), (0, False), (1, True)])
def test_pods_are_looked_at_while_there_is_a_rollout(
    cluster: Cluster, pods_wanted: int | None, looks: bool
) -> None:
    if pods_wanted is not None:
        made = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "my-router", "namespace": "apps"},
            "spec": {"replicas": pods_wanted},
            "status": {"observedGeneration": 1},
        }
        cluster.server.put("/apis/apps/v1/namespaces/apps/deployments/my-router", made)
    cluster.report()
    asked = [item.path for item in cluster.server.log if item.verb == "GET"]
    assert ("/api/v1/namespaces/apps/pods" in asked) is looks


@pytest.mark.parametrize(
    ("since", "told"), [("2026-11-23T09:57:59Z", True), ("2026-11-23T09:58:01Z", False)]
)
def test_a_secret_that_a_pod_waits_for_is_named_and_not_looked_for(
    cluster: Cluster, since: str, told: bool
) -> None:
    cluster.live["spec"]["auth"] = {"apiKeys": [{"secretRef": {"name": "team"}}]}
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "my-router", "namespace": "apps", "generation": 1},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 1},
    }
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": since}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "apps", "labels": selector("my-router")},
        "spec": {"volumes": [{"name": "api-keys-0", "secret": {"secretName": "team"}}]},
        "status": {"phase": "Pending", "conditions": [scheduled]},
    }
    cluster.server.put("/apis/apps/v1/namespaces/apps/deployments/my-router", made)
    cluster.server.put("/api/v1/namespaces/apps/pods/p", pod)
    cluster.look()
    said = cluster.report().status
    ready = next(item for item in said["conditions"] if item["type"] == "Ready")
    named = "Secret team (spec.auth.apiKeys[0].secretRef.name)"
    assert (ready["reason"] == "PodNotStarted", named in ready["message"]) == (told, told)
    assert not [item.path for item in cluster.server.log if "/secrets" in item.path]


def test_what_is_so_already_is_not_written(cluster: Cluster) -> None:
    cluster.report()
    cluster.look()
    assert not cluster.report().changed
    assert cluster.server.writes() == []


def test_only_what_differs_is_sent(cluster: Cluster) -> None:
    cluster.report()
    cluster.look()
    said = cluster.report(INVALID)
    (patch,) = cluster.patches()
    sent = (patch.body or {})["status"]
    assert set(sent) == {"phase", "conditions"}
    assert sent["phase"] == "Degraded"
    assert cluster.live["status"] == said.status


def test_check_mode_writes_nothing_and_says_what_it_would(cluster: Cluster) -> None:
    said = cluster.report(check_mode=True)
    assert said.changed
    assert cluster.server.writes() == []
    assert said.status["phase"] == "Pending"


@pytest.mark.parametrize("observed", [2, 999])
def test_an_observed_generation_that_somebody_has_made_up_is_put_right(
    cluster: Cluster, observed: int
) -> None:
    cluster.live["metadata"]["generation"] = 1
    cluster.live["status"] = {"observedGeneration": observed}
    cluster.look()
    assert cluster.report().changed
    assert cluster.live["status"]["observedGeneration"] == 1


class TestSomebodyIsFaster:
    def test_it_is_read_again_and_written_over_what_is_there_now(self, cluster: Cluster) -> None:
        meanwhile(cluster, lambda: cluster.edit(annotations={"team": "search"}))
        said = cluster.report()
        assert [item.code for item in cluster.patches()] == [409, 200]
        assert cluster.live["metadata"]["annotations"] == {"team": "search"}
        assert cluster.live["status"] == said.status
        assert said.changed

    def test_a_later_run_has_the_last_word(self, cluster: Cluster) -> None:
        cluster.live["status"] = {"observedGeneration": 2}
        cluster.edit(generation=2)
        said = cluster.report()
        assert not said.changed
        assert [item.code for item in cluster.patches()] == [409]
        assert cluster.live["status"] == {"observedGeneration": 2}

    def test_another_router_of_the_name_does_not_get_this_ones(self, cluster: Cluster) -> None:
        meanwhile(cluster, lambda: cluster.edit(uid="another"))
        said = cluster.report()
        assert "status" not in cluster.live
        assert not said.changed
        assert cluster.events() == []

    def test_one_that_is_gone_is_let_go(self, cluster: Cluster) -> None:
        meanwhile(cluster, lambda: cluster.server.objects.pop(ROUTER))
        said = cluster.report()
        assert not said.changed
        assert [item.code for item in cluster.patches()] == [404]

    def test_after_three_times_the_next_run_tries(self, cluster: Cluster) -> None:
        cluster.server.refuse(lambda item: item.path == f"{ROUTER}/status", 409, "Conflict")
        said = cluster.report()
        assert len(cluster.patches()) == 3
        assert said.requeue_after == "15s"
        assert cluster.events() == []

    def test_any_other_refusal_is_an_error(self, cluster: Cluster) -> None:
        cluster.server.refuse(lambda item: item.path == f"{ROUTER}/status", 403, "Forbidden")
        with pytest.raises(ApiError):
            cluster.report()
        assert len(cluster.patches()) == 1


class TestEvents:
    def test_a_condition_that_flips_is_told_once(self, cluster: Cluster) -> None:
        cluster.report()
        before = len(cluster.events())
        cluster.look()
        cluster.report(INVALID)
        told = cluster.events()[before:]
        event = next(item for item in told if item["reason"] == "InvalidSpec")
        assert (event["type"], event["action"]) == ("Warning", "ConfigValidFalse")
        assert event["regarding"] == {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "name": "my-router",
            "namespace": "apps",
            "uid": cluster.seen.uid,
        }
        assert event["metadata"]["namespace"] == "apps"
        assert "found -1" in event["note"]
        cluster.look()
        cluster.report(INVALID)
        assert len(cluster.events()) == before + len(told)

    def test_a_long_message_is_cut_between_characters(self, cluster: Cluster) -> None:
        long = type(INVALID)("InvalidSpec", "spec.replicas", "ü" * 2000, "Give 0 or more")
        cluster.report(long)
        notes = [item["note"].encode() for item in cluster.events()]
        assert max(map(len, notes)) in (1023, 1024)

    def test_that_are_refused_keep_nothing_from_being_done(self, cluster: Cluster) -> None:
        cluster.server.refuse(lambda item: "/events/" in item.path, 403, "Forbidden")
        assert cluster.report().changed
        assert "status" in cluster.live


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1, "b": 2}, {"b": 2}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, {"a": {"c": 3}}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": None}}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [1]}, {"a": [1]}),
        ({}, {"a": None}, {"a": None}),
    ],
)
def test_a_patch_leads_from_one_status_to_the_other(
    before: dict[str, Any], after: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert status.merge_patch(before, after) == patch
