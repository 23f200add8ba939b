"""What a whole reconcile says and does again and again, while something is in its way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import MERGE_PATCH
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    Reconciled,
    reconcile,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from control_plane import audit
from integration.writes.cluster import ASKED, KEPT, REFUSED, Cluster, semantic_router


def run(cluster: Cluster) -> Reconciled:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    reads = Reads(cluster.client)
    return reconcile(cluster.client, reads, cluster.read_router(), now=now, code="of-the-test")


def edit(cluster: Cluster, **spec: Any) -> None:
    path = f"{cluster.routers}/{cluster.router.name}"
    wanted = semantic_router(cluster.namespace, persistence={"enabled": False}, **spec)
    parameters = {"fieldManager": "user", "force": "true"}
    cluster.admin.patch(path, wanted, params=parameters)


def ingress(asked: str) -> dict[str, Any]:
    return {"enabled": True, "annotations": {ASKED: asked}}


def condition(cluster: Cluster, kind: str) -> dict[str, Any]:
    conditions = cluster.read_router().status["conditions"]
    (found,) = (item for item in conditions if item["type"] == kind)
    return dict(found)


def degraded(cluster: Cluster) -> dict[str, Any]:
    return condition(cluster, "Degraded")


def besides_the_status(writes: list[audit.Request]) -> list[tuple[str, str]]:
    return [
        (item.verb, item.resource)
        for item in writes
        if item.resource not in (f"{metadata.PLURAL}/status", "events")
    ]


def test_a_refused_router_is_not_made_and_deleted_again_at_each_retry(cluster: Cluster) -> None:
    edit(cluster, service={"annotations": {ASKED: REFUSED}})
    first = run(cluster)
    assert [problem.reason for problem in first.problems if problem.blocking] == ["Forbidden"]
    assert {verb for verb, _ in besides_the_status(cluster.writes())} == {"patch", "delete"}
    assert cluster.there() == {}
    assert degraded(cluster)["reason"] == "Forbidden"
    assert condition(cluster, "ConfigValid")["status"] == "True"

    for _ in range(2):
        cluster.look_from_now_on()
        again = run(cluster)
        assert [item.reason for item in again.problems if item.blocking] == ["Forbidden"]
        assert cluster.writes() == []
        assert cluster.rehearsals()
        assert cluster.there() == {}

    edit(cluster)
    assert not [problem for problem in run(cluster).problems if problem.blocking]
    assert {"Deployment", "Service"} <= set(cluster.there())


def test_without_a_refused_ingress_the_router_is_made_and_its_retries_write_nothing(
    cluster: Cluster,
) -> None:
    edit(cluster, ingress=ingress(REFUSED))
    run(cluster)
    assert cluster.there() == {}

    for is_made in (True, False):
        cluster.look_from_now_on()
        again = run(cluster)
        assert [item.reason for item in again.problems] == ["Forbidden"]
        assert bool(besides_the_status(cluster.writes())) is is_made
        assert "Ingress" not in cluster.there()
        assert "Deployment" in cluster.there()

    edit(cluster, ingress={"enabled": True})
    run(cluster)
    assert "Ingress" in cluster.there()


def test_what_will_not_go_is_a_condition_until_it_goes(cluster: Cluster) -> None:
    edit(cluster, ingress=ingress(KEPT))
    assert not [problem for problem in run(cluster).problems if problem.blocking]
    edit(cluster, ingress={"enabled": False})
    for _ in range(2):
        run(cluster)
        found = degraded(cluster)
        assert (found["status"], found["reason"]) == ("True", "Forbidden")
        assert "what is here stays here" in found["message"]
        assert "Ingress" in cluster.there()
    release = {"metadata": {"annotations": {ASKED: None}}}
    cluster.admin.patch(resources.path(cluster.there()["Ingress"]), release, MERGE_PATCH)
    run(cluster)
    assert "Ingress" not in cluster.there()
    assert degraded(cluster)["reason"] != "Forbidden"
