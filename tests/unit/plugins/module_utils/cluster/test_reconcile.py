"""One reconcile against an API server in memory: what it asks, writes and says."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import many
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import sizes
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    Reconciled,
    reconcile,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from api_server import ApiServer, Manifest, Request
from endpoint_slices import endpoint_slice

NAMESPACE, NAME = "team", "my-router"
ROUTER = f"/apis/vllm.ai/v1alpha1/namespaces/{NAMESPACE}/semanticrouters/{NAME}"
SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
NOW = "2026-11-28T10:00:00.000000Z"
SPEC: dict[str, Any] = {
    "persistence": {"enabled": False},
    "vllmEndpoints": [
        {
            "name": "vllm",
            "model": "llama3-8b",
            "backend": {"type": "service", "service": {"name": "vllm", "port": 8000}},
        }
    ],
}
KINDS = {"ConfigMap", "Deployment", "Service", "ServiceAccount"}


class Cluster:
    """One router whose only backend is there."""

    def __init__(self) -> None:
        self.server = ApiServer()
        self.server.put(
            f"{SERVICES}/vllm",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "vllm", "namespace": NAMESPACE},
                "spec": {"ports": [{"port": 8000}]},
            },
        )
        self.server.put(f"{SLICES}/vllm-addresses", endpoint_slice("vllm"))
        self.server.put(
            ROUTER,
            {
                "apiVersion": metadata.API_VERSION,
                "kind": metadata.KIND,
                "metadata": {"name": NAME, "namespace": NAMESPACE},
                "spec": deepcopy(SPEC),
            },
        )
        self.url = "https://in-memory.invalid"

    def run(self, code: str = "this", **options: Any) -> Reconciled:
        self.server.log.clear()
        client = self.server.client(self.url)
        router = Router(deepcopy(self.router))
        return reconcile(client, Reads(client), router, now=NOW, code=code, **options)

    @property
    def router(self) -> Manifest:
        return self.server.objects[ROUTER]

    @property
    def status(self) -> Manifest:
        return dict(self.router.get("status") or {})

    def condition(self, name: str) -> Manifest:
        return next(item for item in self.status["conditions"] if item["type"] == name)

    def edit(self, **spec: Any) -> None:
        self.router["spec"].update(spec)
        self.router["metadata"]["generation"] += 1

    def annotate(self, **annotations: str) -> None:
        named = {f"vllm.ai/{name.replace('_', '-')}": text for name, text in annotations.items()}
        self.router["metadata"]["annotations"] = named

    def roll_out(self) -> None:
        wanted = self.server.objects[DEPLOYMENT]
        numbers = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        wanted["status"] = {
            "observedGeneration": wanted["metadata"]["generation"],
            **dict.fromkeys(numbers, wanted["spec"]["replicas"]),
            "conditions": [{"type": "Available", "status": "True"}],
        }

    def own(self) -> list[Manifest]:
        return [
            item
            for item in self.server.objects.values()
            if item["metadata"].get("ownerReferences") and item["kind"] != "Event"
        ]

    def writes(self) -> list[str]:
        """What was written in earnest, but for Events; "status" for the router's."""
        written = [item for item in self.server.writes() if "/events/" not in item.path]
        return [
            "status" if item.path.endswith("/status") else item.object.partition("/")[0]
            for item in written
        ]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def settled(cluster: Cluster) -> Cluster:
    cluster.run()
    cluster.roll_out()
    cluster.run()
    assert cluster.run().settled
    return cluster


def fail(*_: Any, **__: Any) -> None:
    raise ValueError("hunter2")


class TestAFirstRun:
    def test_makes_all_objects_and_then_says_so(self, cluster: Cluster) -> None:
        result = cluster.run()
        assert {item["kind"] for item in cluster.own()} == KINDS
        assert cluster.writes()[-1] == "status"
        assert cluster.writes().count("status") == 1
        assert cluster.status == result.status
        assert cluster.status["observedGeneration"] == 1
        assert (result.settled, result.changed, result.problems) == (False, True, [])
        assert {item["action"] for item in result.objects} == {"created"}
        assert {item["kind"] for item in result.objects} == KINDS

    def test_looks_again_soon_and_says_in_the_log_what_it_did(self, cluster: Cluster) -> None:
        result = cluster.run()
        assert result.requeue_after == "30s"
        assert f"Deployment {NAME} created" in result.messages
        assert result.messages[-1] == result.summary
        assert "1 of 1 backends resolved" in result.summary

    def test_asks_for_no_kind_twice(self, cluster: Cluster) -> None:
        cluster.run()
        asked = Counter(
            (item.path, str(item.params)) for item in cluster.server.log if item.verb == "GET"
        )
        assert set(asked.values()) == {1}

    def test_makes_only_what_the_named_concerns_have(self, cluster: Cluster) -> None:
        cluster.run(concerns=["networking"])
        assert {item["kind"] for item in cluster.own()} == {"Service"}

    def test_in_check_mode_writes_nothing(self, cluster: Cluster) -> None:
        result = cluster.run(check_mode=True, diff=True)
        assert cluster.server.writes() == []
        assert result.changed
        assert {item["action"] for item in result.objects} == {"created"}
        assert len(result.diff) == len(result.objects)

    def test_shows_no_difference_unless_asked(self, cluster: Cluster) -> None:
        assert cluster.run().diff == []

    def test_that_could_not_write_the_status_fails(self, cluster: Cluster) -> None:
        cluster.server.refuse(lambda item: item.path == f"{ROUTER}/status", 403, "Forbidden")
        with pytest.raises(RouterError) as raised:
            cluster.run()
        assert raised.value.problem.reason == "Forbidden"


class TestAChangedConfiguration:
    """The pods that serve keep their files until new ones are ready, and no file is left over."""

    BEFORE, REFUSED, MENDED = (
        {"default_reasoning_effort": one} for one in ("low", "medium", "high")
    )
    PLAIN = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{NAME}-config"

    @pytest.fixture
    def serving(self, cluster: Cluster) -> Cluster:
        cluster.edit(config=self.BEFORE)
        cluster.run()
        self.replica_set(cluster, "old", 1)
        cluster.roll_out()
        cluster.run()
        assert cluster.run().settled
        return cluster

    def replica_set(self, cluster: Cluster, name: str, replicas: int) -> None:
        """Of the template as it is now, as the Deployment's controller makes it."""
        deployment = cluster.server.objects[DEPLOYMENT]
        template = deepcopy(deployment["spec"]["template"])
        path = DEPLOYMENT.replace(f"deployments/{NAME}", f"replicasets/{NAME}-{name}")
        cluster.server.put(
            path,
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {"name": name, "labels": template["metadata"]["labels"]},
                "spec": {"replicas": replicas, "template": template},
            },
        )

    def mounted(self, cluster: Cluster, replica_set: str = "") -> str:
        """The config.yaml that a pod made now finds."""
        path = DEPLOYMENT.replace(f"deployments/{NAME}", f"replicasets/{NAME}-{replica_set}")
        owner = cluster.server.objects[path if replica_set else DEPLOYMENT]
        volumes = owner["spec"]["template"]["spec"]["volumes"]
        (name,) = (one["configMap"]["name"] for one in volumes if one["name"] == "config")
        files = cluster.server.objects[f"{self.PLAIN.rpartition('/')[0]}/{name}"]["data"]
        return str(files["config.yaml"])

    def config_maps(self, cluster: Cluster) -> set[str]:
        return {item["metadata"]["name"] for item in cluster.own() if item["kind"] == "ConfigMap"}

    def test_waits_beside_the_last_good_one_and_takes_its_place_in_the_end(
        self, serving: Cluster
    ) -> None:
        good = self.mounted(serving)
        serving.edit(config=self.REFUSED)
        serving.run()
        self.replica_set(serving, "refused", 1)
        assert self.mounted(serving) != good
        for _ in range(2):
            serving.run()
            assert self.mounted(serving, "old") == good
            assert serving.server.objects[self.PLAIN]["data"]["config.yaml"] == good
        kept = self.config_maps(serving)

        serving.edit(config=self.MENDED)
        serving.run()
        self.replica_set(serving, "refused", 0)
        self.replica_set(serving, "mended", 1)
        serving.run()
        assert self.mounted(serving, "old") == good
        # What was refused is no longer anybody's, and goes before the rollout has come to its end.
        assert len(self.config_maps(serving)) == len(kept)

        serving.roll_out()
        serving.run()
        mended = self.mounted(serving)
        assert serving.server.objects[self.PLAIN]["data"]["config.yaml"] == mended != good
        assert len(self.config_maps(serving)) == len(kept)
        assert serving.run().settled

    def test_that_is_taken_back_leaves_the_pods_and_all_objects_as_they_were(
        self, serving: Cluster
    ) -> None:
        def template() -> Manifest:
            found: Manifest = serving.server.objects[DEPLOYMENT]["spec"]["template"]
            return deepcopy(found)

        before, names = template(), self.config_maps(serving)
        serving.edit(config=self.REFUSED)
        serving.run()
        assert template() != before
        serving.edit(config=self.BEFORE)
        serving.run()
        assert template() == before
        serving.roll_out()
        serving.run()
        assert self.config_maps(serving) == names

    def test_removes_nothing_while_it_is_not_known_who_mounts_what(self, serving: Cluster) -> None:
        good = self.mounted(serving)
        serving.server.refuse(lambda item: item.path.endswith("/replicasets"), 403, "Forbidden")
        for config in (self.REFUSED, self.MENDED):
            serving.edit(config=config)
            result = serving.run()
            assert result.problems == []
        assert self.mounted(serving, "old") == good
        assert len(self.config_maps(serving)) == 4
        serving.roll_out()
        serving.run()
        assert len(self.config_maps(serving)) == 3

    def test_says_in_a_dry_run_what_changes_in_the_files(self, serving: Cluster) -> None:
        serving.annotate(dry_run="true")
        serving.edit(config=self.REFUSED)
        serving.run()
        (made,) = (
            item for item in serving.status["dryRun"]["changes"] if item["kind"] == "ConfigMap"
        )
        assert made["action"] == "create"
        assert all(path.startswith("data[config.yaml].") for path in made["fields"])


class TestARouterOfManyModels:
    def test_costs_no_more_requests_than_one_of_a_few(self, cluster: Cluster) -> None:
        requests = []
        # The first change leaves the ConfigMaps alone that pods mount; later ones all are alike.
        for models in (1, 2, 10, 40):
            for entry in many.endpoints(models, 5):
                self.put_service(cluster, entry["backend"]["service"])
            cluster.edit(vllmEndpoints=many.endpoints(models, 5))
            cluster.run()
            requests.append(len(cluster.server.log))
            assert all(item["ready"] for item in cluster.status["endpoints"])
            cluster.roll_out()
            cluster.run()
        assert requests[3] <= requests[2]

    def put_service(self, cluster: Cluster, wanted: dict[str, Any]) -> None:
        name = wanted["name"]
        cluster.server.put(
            f"{SERVICES}/{name}",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": NAMESPACE},
                "spec": {"ports": [{"port": wanted["port"]}]},
            },
        )
        cluster.server.put(f"{SLICES}/{name}-addresses", endpoint_slice(name))

    def test_that_has_no_room_says_so_and_nothing_is_written(
        self, settled: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = [item["metadata"]["resourceVersion"] for item in settled.own()]
        monkeypatch.setattr(sizes, "CONFIG_MAP_LIMIT_BYTES", 1000)
        settled.edit(replicas=2)
        settled.run()
        assert "room for 1,000" in settled.condition("Ready")["message"]
        assert settled.writes() == ["status"]
        assert [item["metadata"]["resourceVersion"] for item in settled.own()] == before


class TestASettledRouter:
    def test_is_neither_built_nor_written_nor_reported(
        self, settled: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "build", fail)
        result = settled.run()
        assert result.settled
        assert not result.changed
        assert settled.server.writes() == []
        assert result.status == settled.status
        assert (result.objects, result.problems, result.requeue_after) == ([], [], "")

    def test_is_looked_at_by_new_code(self, settled: Cluster) -> None:
        result = settled.run(code="another")
        assert not result.settled
        assert settled.writes() == ["status"]
        assert {item["action"] for item in result.objects} == {"unchanged"}
        assert settled.run(code="another").settled

    def test_is_looked_at_when_its_spec_has_changed(self, settled: Cluster) -> None:
        settled.edit(replicas=2)
        assert not settled.run().settled
        assert settled.server.objects[DEPLOYMENT]["spec"]["replicas"] == 2

    def test_gets_back_what_somebody_deleted(self, settled: Cluster) -> None:
        del settled.server.objects[f"{SERVICES}/{NAME}"]
        result = settled.run()
        assert [item["kind"] for item in result.objects if item["action"] == "created"] == [
            "Service"
        ]
        assert f"{SERVICES}/{NAME}" in settled.server.objects

    def test_loses_what_it_wants_no_more(self, settled: Cluster) -> None:
        settled.edit(serviceAccount={"create": False})
        settled.run()
        assert "ServiceAccount" not in {item["kind"] for item in settled.own()}

    def test_is_not_settled_for_who_cannot_list_all_of_it(self, settled: Cluster) -> None:
        settled.server.refuse(lambda item: item.path.endswith("/configmaps"), 403, "Forbidden")
        assert not settled.run().settled


class TestWhatGoesWrong:
    def test_a_mistake_in_the_spec_leaves_all_objects(self, settled: Cluster) -> None:
        before = deepcopy(settled.own())
        settled.edit(replicas=3, vllmEndpoints=SPEC["vllmEndpoints"] * 2)
        result = settled.run()
        assert settled.own() == before
        assert settled.writes() == ["status"]
        assert [problem.reason for problem in result.problems] == ["InvalidSpec"]
        assert settled.condition("ConfigValid")["status"] == "False"
        assert settled.condition("Available")["status"] == "True"

    def test_an_unreadable_cluster_leaves_all_objects(self, settled: Cluster) -> None:
        before = deepcopy(settled.own())
        settled.edit(replicas=3)
        settled.server.refuse(lambda item: item.path == "/apis", 500, "InternalError")
        result = settled.run()
        assert settled.own() == before
        assert settled.writes() == ["status"]
        assert [problem.reason for problem in result.problems] == ["DiscoveryFailed"]
        assert result.requeue_after == "15s"
        assert not result.settled

    def test_a_defect_of_discovery_is_told_without_data(
        self, settled: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(f"{reconcile.__module__}.examine", fail)
        result = settled.run()
        (problem,) = result.problems
        assert (problem.reason, problem.retry) == ("DiscoveryFailed", True)
        assert "ValueError at test_reconcile.py" in problem.found
        assert not problem.found.endswith(".")
        assert "hunter2" not in str(settled.router)
        assert settled.condition("Degraded")["reason"] == "DiscoveryFailed"

    def test_a_defect_of_a_builder_is_told_without_data_and_nothing_is_written(
        self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry, "build", fail)
        result = cluster.run()
        (problem,) = result.problems
        assert (problem.reason, problem.retry, problem.blocking) == ("ReconcileFailed", True, True)
        assert cluster.writes() == ["status"]
        assert "hunter2" not in str(cluster.router)
        assert "ValueError at test_reconcile.py" in cluster.condition("Degraded")["message"]

    def test_what_is_refused_is_told_and_looked_at_again(self, settled: Cluster) -> None:
        settled.edit(replicas=3)
        settled.server.refuse(
            lambda item: item.verb == "PATCH" and item.path == DEPLOYMENT, 403, "Forbidden"
        )
        result = settled.run()
        assert [problem.reason for problem in result.problems] == ["Forbidden"]
        assert settled.condition("Degraded")["reason"] == "Forbidden"
        assert result.requeue_after == "15s"

    def test_all_problems_are_told_those_of_discovery_first(self, settled: Cluster) -> None:
        settled.edit(commonAnnotations={"team": "search"})
        settled.annotate(paused="maybe")
        settled.server.refuse(
            lambda item: item.verb == "PATCH" and item.path == DEPLOYMENT, 403, "Forbidden"
        )
        result = settled.run()
        assert [item.reason for item in result.problems] == ["InvalidAnnotation", "Forbidden"]


class TestWithoutWriting:
    def test_a_paused_router_is_left_alone(self, settled: Cluster) -> None:
        before = deepcopy(settled.own())
        settled.edit(replicas=3)
        settled.annotate(paused="true")
        result = settled.run()
        assert settled.own() == before
        assert settled.writes() == ["status"]
        assert settled.status["phase"] == "Paused"
        assert result.objects == []
        assert not settled.run().settled

    def test_a_dry_run_says_what_would_be_written(self, settled: Cluster) -> None:
        before = deepcopy(settled.own())
        settled.edit(replicas=3)
        settled.annotate(dry_run="true")
        result = settled.run()
        assert settled.own() == before
        assert settled.writes() == ["status"]
        assert result.objects == []
        (change,) = [
            item for item in settled.status["dryRun"]["changes"] if item["kind"] == "Deployment"
        ]
        assert change["fields"] == ["spec.replicas"]


@pytest.mark.parametrize("is_settled", [True, False])
def test_the_stock_engine_is_made_to_watch_in_every_run(settled: Cluster, is_settled: bool) -> None:
    settled.url = "http://owner@localhost:8888"
    settled.run()
    if not is_settled:
        settled.edit(commonAnnotations={"team": "search"})

    def asks(request: Request) -> bool:
        return request.verb == "GET" and request.path in settled.server.objects

    assert settled.run().settled is is_settled
    own = {item["kind"] for item in settled.own()}
    asked = [settled.server.objects[item.path] for item in settled.server.log if asks(item)]
    assert {item["kind"] for item in asked if item["metadata"].get("ownerReferences")} == own
    settled.url = "https://in-memory.invalid"
    settled.run()
    assert DEPLOYMENT not in [item.path for item in settled.server.log if item.verb == "GET"]


def test_a_result_crosses_to_the_next_task_as_plain_containers(cluster: Cluster) -> None:
    cluster.annotate(paused="maybe")
    result = cluster.run()
    found = result.as_dict()
    assert found["problems"] == [problem.as_dict() for problem in result.problems]
    assert {**found, "problems": result.problems} == vars(result)
