"""The first objects of a router are made without rehearsal: all of them, or nothing stays.

Judged by what is there afterwards, and by the audit log.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    MERGE_PATCH,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from eventually import eventually
from every_kind import KINDS, NAME, Manifest, objects
from integration.writes import proxy
from integration.writes.cluster import (
    REFUSED,
    Cluster,
    OperatorClient,
    kinds,
    semantic_router,
)
from integration.writes.proxy import Proxy


def through(front: Proxy, cluster: Cluster, wanted: list[Manifest]) -> ApplyResult:
    client = Client.from_options({"host": front.url, "api_key": "any"})
    return apply(client, cluster.router, wanted)


def somebody_elses(cluster: Cluster, kind: str) -> Manifest:
    """An object of the same name, made by hand before or in the middle of the run."""
    theirs = next(item for item in objects(cluster.namespace) if item["kind"] == kind)
    theirs["metadata"] = {
        "name": NAME,
        "namespace": cluster.namespace,
        "labels": {"made-by": "hand"},
    }
    return cluster.create(theirs)


def is_as_made(theirs: Manifest, live: Manifest) -> bool:
    """But for what controllers write into an object of theirs."""
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    return metadata.FIELD_MANAGER not in managers and all(
        live["metadata"].get(name) == theirs["metadata"].get(name)
        for name in ("uid", "labels", "ownerReferences")
    )


@pytest.fixture
def empty_cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """One for many tests, whose router has nothing before and afterwards."""
    shared_cluster.look_from_now_on()
    yield shared_cluster
    for item in shared_cluster.there().values():
        shared_cluster.admin.delete(resources.path(item))
    eventually(lambda: not shared_cluster.there())


def uids(there: dict[str, Manifest]) -> dict[str, str]:
    return {kind: item["metadata"]["uid"] for kind, item in there.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_wherever_one_is_refused_and_nothing_else_is_deleted(
    empty_cluster: Cluster, kind: str
) -> None:
    cluster = empty_cluster
    result = cluster.apply(cluster.objects(**{kind: REFUSED}))
    assert [problem.reason for problem in result.problems] == ["Forbidden"]
    assert (result.objects, result.changed) == ([], False)
    # The controller that protects claims takes its finalizer off in its own time.
    eventually(lambda: cluster.there() == {})
    writes = cluster.writes()
    made, deleted = kinds(writes, "patch"), kinds(writes, "delete")
    assert kind not in made
    assert sorted(deleted) == sorted(made)
    assert len([item for item in writes if item.verb == "delete"]) == len(deleted)
    assert cluster.rehearsals() == []


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_elses_object_is_never_touched_and_nothing_of_the_run_stays(
    empty_cluster: Cluster, kind: str
) -> None:
    cluster = empty_cluster
    theirs = somebody_elses(cluster, kind)
    (problem,) = cluster.apply(cluster.objects()).problems
    assert problem.reason == "Conflict"
    assert f"{kind} {NAME} exists already" in problem.found
    eventually(lambda: set(cluster.there()) == {kind})
    assert is_as_made(theirs, cluster.there()[kind])
    writes = cluster.writes()
    assert kind not in kinds(writes, "patch")
    assert sorted(kinds(writes, "delete")) == sorted(kinds(writes, "patch"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_another_router_has_of_that_name_is_told_with_the_field_that_names_it(
    empty_cluster: Cluster, kind: str
) -> None:
    cluster = empty_cluster
    other = cluster.admin.get(f"{cluster.routers}/other") or cluster.admin.post(
        cluster.routers, semantic_router(cluster.namespace, "other")
    )
    theirs = next(item for item in objects(cluster.namespace) if item["kind"] == kind)
    theirs["metadata"] = {**theirs["metadata"], "labels": {}}
    theirs["metadata"]["ownerReferences"] = [Router(other).owner_reference]
    cluster.create(theirs)
    (problem,) = cluster.apply(cluster.objects()).problems
    assert (problem.reason, problem.field) == ("Conflict", "metadata.name")
    assert f"{kind} {NAME} exists already" in problem.found
    assert "is controlled by SemanticRouter other" in problem.found


class Replacing(OperatorClient):
    """Before each deletion, somebody puts an object of their own in the place of ours."""

    def _request(self, method: str, path: str, *rest: Any, **named: Any) -> Manifest:
        if method == "DELETE":
            kind = next(
                kind for kind, item in self.cluster.there().items() if resources.path(item) == path
            )
            self.cluster.admin.delete(path)
            eventually(lambda: self.cluster.admin.get(path) is None)
            somebody_elses(self.cluster, kind)
        return super()._request(method, path, *rest, **named)


def test_what_somebody_put_in_the_place_of_ours_is_not_deleted_with_it(cluster: Cluster) -> None:
    wanted = cluster.objects(PrometheusRule=REFUSED)
    (problem,) = apply(cluster.operator(Replacing), cluster.router, wanted).problems
    assert problem.reason == "Forbidden"
    there = cluster.there()
    assert set(there) == set(KINDS) - {"PrometheusRule"}
    assert all(item["metadata"]["labels"].get("made-by") == "hand" for item in there.values())


def test_an_object_on_its_way_out_is_let_go_and_holds_nothing_up(cluster: Cluster) -> None:
    (leaving,) = (item for item in cluster.objects() if item["kind"] == "ConfigMap")
    leaving["metadata"]["finalizers"] = ["vllm.ai/test"]
    cluster.create(leaving)
    cluster.admin.delete(resources.path(leaving))
    before = cluster.there()
    (problem,) = cluster.apply(cluster.objects()).problems
    assert (problem.retry, problem.blocking) == (True, False)
    there = cluster.there()
    assert set(there) == set(KINDS)
    assert there["ConfigMap"] == before["ConfigMap"]
    release = {"metadata": {"finalizers": None}}
    cluster.admin.patch(resources.path(leaving), release, MERGE_PATCH)


def test_answers_that_got_lost_are_asked_for_again_and_nothing_is_taken_back(
    cluster: Cluster,
) -> None:
    with proxy.running(cluster) as front:
        front.loses = lambda passing: passing.method == "PATCH" and passing.number == 1
        result = through(front, cluster, cluster.objects())
    assert result.problems == []
    assert {entry["action"] for entry in result.objects} == {"created"}
    assert set(cluster.there()) == set(KINDS)
    writes = cluster.writes()
    assert {request.verb for request in writes} == {"patch"}
    assert sorted(kinds(writes, "patch")) == sorted(KINDS)
    # The second time, each was there.
    again = [request for request in writes if request.code == 409]
    assert {request.resource for request in again} == {kind.plural for kind in RESOURCES}
    # And who reports sees what is there, not what was asked for.
    live = {item["kind"]: item for item in result.live or []}
    assert uids(live) == uids(cluster.there())


def test_an_object_that_nobody_can_hear_of_is_left_to_the_next_run(cluster: Cluster) -> None:
    with proxy.running(cluster) as front:
        front.loses = lambda passing: "/deployments/" in passing.path
        result = through(front, cluster, cluster.objects())
    assert [(item.reason, item.retry) for item in result.problems] == [("ApiUnavailable", True)]
    made = cluster.there()
    assert "Deployment" in made
    assert "Ingress" not in made
    assert {request.verb for request in cluster.writes()} == {"patch"}

    assert cluster.apply(cluster.objects()).problems == []
    there = cluster.there()
    assert set(there) == set(KINDS)
    assert uids(made).items() <= uids(there).items()


@pytest.mark.parametrize("number", [1, 5, 11, len(KINDS) - 1])
def test_what_was_made_before_the_api_server_died_is_where_the_next_run_goes_on(
    cluster: Cluster, number: int
) -> None:
    with proxy.running(cluster) as front:
        front.is_dead = lambda passing: (
            passing.method != "GET"
            and passing not in [item for item in front.seen if item.method != "GET"][:number]
        )
        result = through(front, cluster, cluster.objects())
    assert {item.reason for item in result.problems} == {"ApiUnavailable"}
    made = cluster.there()
    assert len(made) == number
    assert {request.verb for request in cluster.writes()} == {"patch"}

    assert cluster.apply(cluster.objects()).problems == []
    there = cluster.there()
    assert set(there) == set(KINDS)
    assert uids(made).items() <= uids(there).items()


def test_a_router_of_which_something_was_said_is_rehearsed(cluster: Cluster) -> None:
    cluster.router = Router({**cluster.router.resource, "status": {"phase": "Degraded"}})
    (problem,) = cluster.apply(cluster.objects(Deployment=REFUSED)).problems
    assert problem.reason == "Forbidden"
    assert cluster.writes() == []
    assert len(cluster.rehearsals()) == len(KINDS)
    assert cluster.apply(cluster.objects()).problems == []
    assert set(cluster.there()) == set(KINDS)


def test_a_router_that_has_something_already_is_rehearsed(cluster: Cluster) -> None:
    (account,) = (item for item in cluster.objects() if item["kind"] == "ServiceAccount")
    assert cluster.apply([account], prune=False).problems == []
    cluster.look_from_now_on()
    assert cluster.apply(cluster.objects(Deployment=REFUSED)).problems
    assert cluster.writes() == []


def test_two_runs_at_once_make_each_object_once(cluster: Cluster) -> None:
    class Late(OperatorClient):
        """Between its look and its first write, another run makes everything."""

        was_overtaken = False

        def _request(self, method: str, path: str, *rest: Any, **named: Any) -> Manifest:
            if method == "PATCH" and not Late.was_overtaken:
                Late.was_overtaken = True
                assert cluster.apply(cluster.objects()).problems == []
            return super()._request(method, path, *rest, **named)

    result = apply(cluster.operator(Late), cluster.router, cluster.objects())
    assert Late.was_overtaken
    assert result.problems == []
    assert set(cluster.there()) == set(KINDS)
    writes = cluster.writes()
    assert {request.verb for request in writes} == {"patch"}
    assert sorted(kinds(writes, "patch")) == sorted(KINDS)
