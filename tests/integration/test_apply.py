"""apply against a real API server: what it writes, what it leaves alone, and what it says."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import discover
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import (
    read_workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane, Kubectl, audit
from eventually import eventually
from integration.writes.cluster import semantic_router

Manifest = dict[str, Any]

NAME = "my-router"


class Counting(Client):
    """Remembers what it was asked for."""

    sent: list[str]

    def _request(self, method: str, path: str, *rest: Any, **named: Any) -> Manifest:
        self.sent.append(f"{method} {path}")
        return super()._request(method, path, *rest, **named)


class Cluster:
    """One SemanticRouter in a namespace of its own, and a short way to look and to meddle."""

    def __init__(self, plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
        self.plane = plane
        self.namespace = namespace
        self._kubectl = kubectl
        self.client = Client.from_options({"kubeconfig": str(plane.kubeconfig)})
        self.kubectl("apply", "--filename=-", stdin=json.dumps(semantic_router(namespace)))
        self.router = Router(self.read("semanticrouter"))

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def read(self, kind: str, name: str = NAME) -> Manifest:
        text = self.kubectl("get", kind, name, "--output=json", "--show-managed-fields")
        found: Manifest = json.loads(text)
        return found

    def names(self, kind: str) -> set[str]:
        lines = self.kubectl("get", kind, "--output=name").splitlines()
        return {line.partition("/")[2] for line in lines} - {"kube-root-ca.crt", "default"}

    def apply(self, objects: list[Manifest], **options: Any) -> ApplyResult:
        return apply(self.client, self.router, objects, **options)

    def objects(self) -> list[Manifest]:
        return objects(self.namespace)

    def discovered(self) -> list[Manifest]:
        found = discover(Reads(self.client), self.router).live
        assert found is not None
        return found

    def counting(self) -> Counting:
        client = Counting.from_options({"kubeconfig": str(self.plane.kubeconfig)})
        assert isinstance(client, Counting)
        client.sent = []
        return client


def objects(namespace: str) -> list[Manifest]:
    """One object of each kind, full of values that the API server spells in its own way."""

    def metadata_of(name: str = NAME) -> Manifest:
        return metadata.metadata(NAME, namespace, name)

    container = {
        "name": "semantic-router",
        "image": "example.invalid/router",
        "args": ["-port", "50051"],
        "env": [{"name": "EMPTY", "value": ""}, {"name": "SET", "value": "1"}],
        "ports": [{"name": "grpc", "containerPort": 50051}],
        "resources": {"requests": {"cpu": "1000m", "memory": "3072Mi"}, "limits": {"cpu": "1.50"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "grpc"}},
        "volumeMounts": [{"name": "models", "mountPath": "/app/models"}],
        "securityContext": {"capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "nodeSelector": {},
        "tolerations": [],
        "containers": [container],
        "volumes": [{"name": "models", "emptyDir": {}}],
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata_of(),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": metadata.selector(NAME)},
                "template": {
                    "metadata": {"labels": metadata.labels(NAME), "annotations": {"empty": ""}},
                    "spec": pod,
                },
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata_of(),
            "spec": {
                "selector": metadata.selector(NAME),
                "ports": [{"name": "grpc", "port": 50051, "targetPort": "grpc"}],
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata_of(f"{NAME}-models"),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1024Mi"}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata_of(f"{NAME}-config"),
            "data": {"config.yaml": "threshold: 0.6\n", "empty": ""},
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata_of()},
    ]


def of_kind(manifests: list[Manifest], kind: str) -> Manifest:
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def pod_of(manifests: list[Manifest]) -> Manifest:
    pod: Manifest = of_kind(manifests, "Deployment")["spec"]["template"]["spec"]
    return pod


def actions(result: ApplyResult) -> dict[str, str]:
    return {f"{entry['kind']} {entry['name']}": entry["action"] for entry in result.objects}


def good(result: ApplyResult) -> dict[str, str]:
    assert result.problems == []
    return actions(result)


@pytest.fixture
def cluster(control_plane: ControlPlane, kubectl: Kubectl, namespace: str) -> Cluster:
    return Cluster(control_plane, kubectl, namespace)


@pytest.fixture
def applied(cluster: Cluster) -> Cluster:
    """A cluster on which everything has been created already."""
    assert set(good(cluster.apply(cluster.objects())).values()) == {"created"}
    return cluster


def settled(cluster: Cluster) -> set[str]:
    """The actions of one more run."""
    return set(good(cluster.apply(cluster.objects())).values())


def test_objects_are_created_with_an_owner(cluster: Cluster) -> None:
    result = cluster.apply(cluster.objects())
    assert set(good(result).values()) == {"created"}
    assert result.changed
    for manifest in cluster.objects():
        live = cluster.read(manifest["kind"], manifest["metadata"]["name"])
        assert live["metadata"]["ownerReferences"] == [cluster.router.owner_reference]


def test_a_second_run_reads_each_kind_once_and_writes_nothing(applied: Cluster) -> None:
    log = applied.plane.audit_log
    offset = log.stat().st_size
    result = applied.apply(applied.objects())
    assert set(good(result).values()) == {"unchanged"}
    assert not result.changed

    def ours() -> list[audit.Request]:
        return [
            request
            for request in audit.requests(log, offset)
            if request.namespace == applied.namespace
            and request.agent.startswith(metadata.FIELD_MANAGER)
        ]

    kinds = sorted(kind.plural for kind in resources.RESOURCES)
    eventually(lambda: len(ours()) >= len(kinds), message="the audit log to catch up")
    assert sorted((request.verb, request.resource) for request in ours()) == [
        ("list", kind) for kind in kinds
    ]


def test_values_that_the_server_spells_otherwise_do_not_look_like_changes(applied: Cluster) -> None:
    (container,) = pod_of([applied.read("deployment")])["containers"]
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "3Gi"},
        "limits": {"cpu": "1500m"},
    }
    assert {"name": "EMPTY"} in container["env"]
    assert settled(applied) == {"unchanged"}


def test_an_edited_key_is_repaired(applied: Cluster) -> None:
    applied.kubectl(
        "patch", "configmap", f"{NAME}-config", "--patch", '{"data": {"config.yaml": "hacked"}}'
    )
    assert good(applied.apply(applied.objects()))[f"ConfigMap {NAME}-config"] == "changed"
    live = applied.read("configmap", f"{NAME}-config")
    assert live["data"]["config.yaml"] == "threshold: 0.6\n"
    assert settled(applied) == {"unchanged"}


def test_a_removed_empty_value_is_repaired(applied: Cluster) -> None:
    remove = '[{"op": "remove", "path": "/data/empty"}]'
    applied.kubectl("patch", "configmap", f"{NAME}-config", "--type=json", "--patch", remove)
    applied.apply(applied.objects())
    assert applied.read("configmap", f"{NAME}-config")["data"]["empty"] == ""


def test_a_scaled_deployment_is_repaired(applied: Cluster) -> None:
    applied.kubectl("scale", "deployment", NAME, "--replicas=4")
    assert good(applied.apply(applied.objects()))[f"Deployment {NAME}"] == "changed"
    assert applied.read("deployment")["spec"]["replicas"] == 1
    assert settled(applied) == {"unchanged"}


def test_replicas_that_we_do_not_ask_for_belong_to_the_autoscaler(applied: Cluster) -> None:
    wanted = applied.objects()
    del of_kind(wanted, "Deployment")["spec"]["replicas"]
    applied.apply(wanted)
    applied.kubectl("scale", "deployment", NAME, "--replicas=4")
    assert set(good(applied.apply(wanted)).values()) == {"unchanged"}
    assert applied.read("deployment")["spec"]["replicas"] == 4


def test_an_edited_pod_template_is_repaired(applied: Cluster) -> None:
    applied.kubectl("set", "env", f"deployment/{NAME}", "SET=2")
    applied.kubectl("set", "image", f"deployment/{NAME}", "semantic-router=example.invalid/other")
    applied.apply(applied.objects())
    (container,) = pod_of([applied.read("deployment")])["containers"]
    assert container["image"] == "example.invalid/router"
    assert {"name": "SET", "value": "1"} in container["env"]


def test_a_field_taken_by_another_server_side_apply_is_repaired(applied: Cluster) -> None:
    taken = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{NAME}-config", "namespace": applied.namespace},
        "data": {"config.yaml": "theirs"},
    }
    applied.kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=gitops",
        "--filename=-",
        stdin=json.dumps(taken),
    )
    applied.apply(applied.objects())
    live = applied.read("configmap", f"{NAME}-config")
    assert live["data"]["config.yaml"] == "threshold: 0.6\n"
    assert settled(applied) == {"unchanged"}


def test_what_others_add_stays_and_is_no_drift(applied: Cluster) -> None:
    applied.kubectl("annotate", "service", NAME, "team=search")
    applied.kubectl("label", "deployment", NAME, "cost-center=7")
    applied.kubectl(
        "patch", "configmap", f"{NAME}-config", "--patch", '{"data": {"theirs": "kept"}}'
    )
    applied.kubectl("rollout", "restart", f"deployment/{NAME}")
    assert settled(applied) == {"unchanged"}
    wanted = applied.objects()
    of_kind(wanted, "Service")["spec"]["ports"][0]["port"] = 50052
    of_kind(wanted, "ConfigMap")["data"]["config.yaml"] = "threshold: 0.7\n"
    assert set(good(applied.apply(wanted)).values()) == {"unchanged", "changed"}
    assert applied.read("service")["metadata"]["annotations"]["team"] == "search"
    assert applied.read("deployment")["metadata"]["labels"]["cost-center"] == "7"
    assert applied.read("configmap", f"{NAME}-config")["data"]["theirs"] == "kept"


def test_a_field_that_is_no_longer_wanted_goes(applied: Cluster) -> None:
    wanted = applied.objects()
    del of_kind(wanted, "ConfigMap")["data"]["empty"]
    applied.apply(wanted)
    assert "empty" not in applied.read("configmap", f"{NAME}-config")["data"]


@pytest.mark.parametrize("kind", ["Deployment", "Service", "ConfigMap", "ServiceAccount"])
def test_a_deleted_child_comes_back(applied: Cluster, kind: str) -> None:
    manifest = of_kind(applied.objects(), kind)
    name = manifest["metadata"]["name"]
    applied.kubectl("delete", kind, name)
    assert good(applied.apply(applied.objects()))[f"{kind} {name}"] == "created"
    assert settled(applied) == {"unchanged"}


def test_an_object_whose_labels_were_taken_off_is_still_ours(applied: Cluster) -> None:
    applied.kubectl("label", "service", NAME, f"{metadata.LABEL_INSTANCE}-")
    assert good(applied.apply(applied.objects()))[f"Service {NAME}"] == "changed"
    assert applied.read("service")["metadata"]["labels"][metadata.LABEL_INSTANCE] == NAME


def test_an_object_without_its_owner_is_adopted_again(applied: Cluster) -> None:
    remove = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
    applied.kubectl("patch", "service", NAME, "--type=json", "--patch", remove)
    assert good(applied.apply(applied.objects()))[f"Service {NAME}"] == "changed"
    assert applied.read("service")["metadata"]["ownerReferences"] == [
        applied.router.owner_reference
    ]


def orphaned(applied: Cluster) -> Router:
    """The router, made again after its objects were left behind."""
    applied.kubectl("delete", "semanticrouter", NAME, "--cascade=orphan")
    kinds = "configmaps,deployments,persistentvolumeclaims,serviceaccounts,services"

    def is_orphaned() -> bool:
        items = json.loads(applied.kubectl("get", kinds, "--output=json"))["items"]
        return not any(item["metadata"].get("ownerReferences") for item in items)

    eventually(is_orphaned, message="the garbage collector to orphan everything")
    applied.kubectl("apply", "--filename=-", stdin=json.dumps(semantic_router(applied.namespace)))
    applied.router = Router(applied.read("semanticrouter"))
    return applied.router


def test_a_claim_that_was_orphaned_is_used_and_outlives_the_new_router(applied: Cluster) -> None:
    before = applied.read("pvc", f"{NAME}-models")["metadata"]["uid"]
    reference = orphaned(applied).owner_reference
    assert good(applied.apply(applied.objects()))[f"PersistentVolumeClaim {NAME}-models"]
    assert applied.read("deployment")["metadata"]["ownerReferences"] == [reference]
    claim = applied.read("pvc", f"{NAME}-models")["metadata"]
    assert (claim["uid"], claim.get("ownerReferences")) == (before, None)
    assert settled(applied) == {"unchanged"}

    applied.kubectl("delete", "semanticrouter", NAME)
    eventually(lambda: applied.names("deployments,services") == set(), message="the collector")
    assert applied.names("pvc") == {f"{NAME}-models"}


def test_what_is_no_longer_wanted_is_pruned_but_models_stay(applied: Cluster) -> None:
    result = applied.apply([of_kind(applied.objects(), "ServiceAccount")])
    assert good(result) == {
        f"ServiceAccount {NAME}": "unchanged",
        f"ConfigMap {NAME}-config": "pruned",
        f"Service {NAME}": "pruned",
        f"Deployment {NAME}": "pruned",
    }
    assert applied.names("configmaps,services") == set()
    assert applied.names("persistentvolumeclaims") == {f"{NAME}-models"}
    eventually(lambda: applied.names("deployments,replicasets,pods") == set())


def test_nothing_is_pruned_when_the_play_sees_a_part_only(applied: Cluster) -> None:
    account = of_kind(applied.objects(), "ServiceAccount")
    assert good(applied.apply([account], prune=False)) == {f"ServiceAccount {NAME}": "unchanged"}
    assert applied.names("services") == {NAME}


def test_what_another_router_owns_is_never_pruned(applied: Cluster) -> None:
    other = semantic_router(applied.namespace, "other")
    applied.kubectl("apply", "--filename=-", stdin=json.dumps(other))
    router = Router(applied.read("semanticrouter", "other"))
    assert apply(applied.client, router, []).objects == []
    assert settled(applied) == {"unchanged"}


def test_a_foreign_service_is_never_seized(cluster: Cluster) -> None:
    cluster.kubectl("create", "service", "clusterip", NAME, "--tcp=80:80")
    before = cluster.read("service")
    result = cluster.apply(cluster.objects())
    (problem,) = result.problems
    assert (problem.reason, problem.blocking) == ("Conflict", True)
    assert f"Service {NAME} exists already" in problem.found
    assert "kubectl" in problem.found
    assert cluster.read("service") == before
    assert cluster.names("configmaps,deployments,persistentvolumeclaims,serviceaccounts") == set()

    cluster.kubectl("delete", "service", NAME)
    assert set(good(cluster.apply(cluster.objects())).values()) == {"created"}


def test_a_foreign_deployment_that_could_not_be_changed_anyway_is_a_conflict(
    cluster: Cluster,
) -> None:
    cluster.kubectl("create", "deployment", NAME, "--image=example.invalid/shop")
    before = cluster.read("deployment")["spec"]
    (problem,) = cluster.apply(cluster.objects()).problems
    assert problem.reason == "Conflict"
    assert cluster.read("deployment")["spec"] == before


def test_an_object_that_another_router_controls_is_a_conflict(applied: Cluster) -> None:
    other = semantic_router(applied.namespace, "other")
    applied.kubectl("apply", "--filename=-", stdin=json.dumps(other))
    router = Router(applied.read("semanticrouter", "other"))
    (problem,) = apply(applied.client, router, [of_kind(applied.objects(), "Service")]).problems
    assert f"is controlled by SemanticRouter {NAME}" in problem.found
    assert settled(applied) == {"unchanged"}


def refused_requests(pod: Manifest) -> None:
    pod["containers"][0]["resources"]["requests"]["cpu"] = "9"


def refused_toleration(pod: Manifest) -> None:
    pod["tolerations"] = [{"key": "gpu", "operator": "Maybe"}]


def unknown_affinity(pod: Manifest) -> None:
    pod["affinity"] = {"nodeAfinity": {}}


def number_in_env(pod: Manifest) -> None:
    pod["containers"][0]["env"].append({"name": "NUMBER", "value": 1})


def repeated_env(pod: Manifest) -> None:
    pod["containers"][0]["env"].append({"name": "SET", "value": "2"})


# Which field is to blame is held by unit/test_every_field.py: no builder has made these.
@pytest.mark.parametrize(
    ("spoil", "place"),
    [
        (refused_requests, "resources.requests"),
        (refused_toleration, "tolerations[0].operator"),
        (unknown_affinity, "nodeAfinity"),
        (number_in_env, "env"),
        (repeated_env, "env"),
    ],
)
def test_a_refused_deployment_leaves_everything_byte_for_byte(
    applied: Cluster, spoil: Any, place: str
) -> None:
    before = applied.read("configmap", f"{NAME}-config")
    wanted = applied.objects()
    of_kind(wanted, "ConfigMap")["data"]["config.yaml"] = "threshold: 0.7\n"
    spoil(pod_of(wanted))

    result = applied.apply(wanted)
    (problem,) = result.problems
    assert problem.reason == "ApplyRefused"
    assert place in problem.found
    assert not problem.retry
    assert not result.changed
    assert applied.read("configmap", f"{NAME}-config") == before

    assert settled(applied) == {"unchanged"}


def test_a_new_object_that_is_refused_keeps_the_others_from_being_created(
    cluster: Cluster,
) -> None:
    wanted = cluster.objects()
    refused_requests(pod_of(wanted))
    result = cluster.apply(wanted)
    assert [problem.reason for problem in result.problems] == ["ApplyRefused"]
    assert result.objects == []
    assert cluster.names("configmaps,services,serviceaccounts,persistentvolumeclaims") == set()


def test_a_claim_that_cannot_change_says_so_and_how_to_go_on(applied: Cluster) -> None:
    wanted = applied.objects()
    of_kind(wanted, "PersistentVolumeClaim")["spec"]["storageClassName"] = "other"
    (problem,) = applied.apply(wanted).problems
    assert "storageClassName" in problem.found
    assert "immutable" in problem.found
    assert "existingClaim" in problem.remedy


def test_a_selector_that_cannot_change_says_so_and_how_to_go_on(applied: Cluster) -> None:
    wanted = applied.objects()
    of_kind(wanted, "Deployment")["spec"]["selector"]["matchLabels"][metadata.LABEL_COMPONENT] = (
        metadata.COMPONENT_ROUTER
    )
    (problem,) = applied.apply(wanted).problems
    assert f"delete Deployment {NAME}" in problem.remedy


def test_an_edited_key_of_a_list_is_put_right(applied: Cluster) -> None:
    """Server-side apply alone keeps both entries, and the API server refuses two of one name."""
    before = applied.read("service")["spec"]["ports"]
    edit = [{"op": "replace", "path": "/spec/ports/0/port", "value": 9999}]
    applied.kubectl("patch", "service", NAME, "--type=json", f"--patch={json.dumps(edit)}")
    assert settled(applied) == {"changed", "unchanged"}
    assert applied.read("service")["spec"]["ports"] == before
    assert settled(applied) == {"unchanged"}


# Where, and what somebody adds there.
_ADDED: list[tuple[str, str, Any]] = [
    ("deployment", "/spec/template/spec/hostNetwork", True),
    ("deployment", "/spec/template/spec/hostPID", True),
    ("deployment", "/spec/template/spec/containers/-", {"name": "guest", "image": "example/it"}),
    ("deployment", "/spec/template/spec/volumes/-", {"name": "n", "hostPath": {"path": "/"}}),
    ("deployment", "/spec/template/spec/containers/0/env/-", {"name": "ADDED", "value": "1"}),
    ("deployment", "/spec/template/spec/containers/0/securityContext/runAsUser", 0),
    ("service", "/spec/externalIPs", ["192.0.2.7"]),
    ("service", "/spec/ports/-", {"name": "more", "port": 7777}),
]


@pytest.mark.parametrize(("kind", "path", "value"), _ADDED, ids=[entry[1] for entry in _ADDED])
def test_what_others_add_to_pods_and_services_is_undone(
    applied: Cluster, kind: str, path: str, value: Any
) -> None:
    before = applied.read(kind)["spec"]
    edit = json.dumps([{"op": "add", "path": path, "value": value}])
    applied.kubectl("patch", kind, NAME, "--type=json", f"--patch={edit}")
    assert applied.read(kind)["spec"] != before
    told = good(applied.apply(applied.objects(), check_mode=True))
    assert {name for name, action in told.items() if action == "changed"} == {
        f"{kind.capitalize()} {NAME}"
    }
    assert applied.read(kind)["spec"] != before, "check mode has written"
    assert settled(applied) == {"changed", "unchanged"}
    assert applied.read(kind)["spec"] == before
    assert settled(applied) == {"unchanged"}


def test_check_mode_tells_what_would_happen_and_does_nothing(applied: Cluster) -> None:
    wanted = applied.objects()
    of_kind(wanted, "ConfigMap")["data"]["config.yaml"] = "threshold: 0.7\n"
    of_kind(wanted, "ServiceAccount")["metadata"]["name"] = "another"
    before = applied.kubectl("get", "configmap,serviceaccount", "--output=json")
    result = applied.apply(wanted, check_mode=True, diff=True)
    assert good(result) == {
        "ServiceAccount another": "created",
        f"ServiceAccount {NAME}": "pruned",
        f"ConfigMap {NAME}-config": "changed",
        f"PersistentVolumeClaim {NAME}-models": "unchanged",
        f"Service {NAME}": "unchanged",
        f"Deployment {NAME}": "unchanged",
    }
    assert applied.kubectl("get", "configmap,serviceaccount", "--output=json") == before
    change = next(entry for entry in result.diff if "ConfigMap" in entry["after_header"])
    assert change["before"]["data"]["config.yaml"] == "threshold: 0.6\n"
    assert change["after"]["data"]["config.yaml"] == "threshold: 0.7\n"
    assert len(result.diff) == 3


def test_check_mode_finds_what_would_be_refused(applied: Cluster) -> None:
    wanted = applied.objects()
    refused_toleration(pod_of(wanted))
    result = applied.apply(wanted, check_mode=True)
    assert [problem.reason for problem in result.problems] == ["ApplyRefused"]


def test_four_runs_at_once_end_like_one(cluster: Cluster) -> None:
    def run(_: int) -> ApplyResult:
        client = Client.from_options({"kubeconfig": str(cluster.plane.kubeconfig)})
        return apply(client, cluster.router, cluster.objects())

    with ThreadPoolExecutor(max_workers=4) as threads:
        results = list(threads.map(run, range(4)))
    assert all(problem.retry for result in results for problem in result.problems)
    assert any(not result.problems for result in results)
    assert settled(cluster) == {"unchanged"}


def test_deleting_the_router_deletes_everything_even_the_models(applied: Cluster) -> None:
    applied.kubectl("delete", "semanticrouter", NAME)
    kinds = "configmaps,deployments,persistentvolumeclaims,pods,serviceaccounts,services"
    eventually(lambda: applied.names(kinds) == set(), message="the garbage collector")


def test_a_claim_on_its_way_out_holds_nothing_up(applied: Cluster) -> None:
    claim = f"{NAME}-models"
    keep = '{"metadata": {"finalizers": ["vllm.ai/test"]}}'
    applied.kubectl("patch", "pvc", claim, "--patch", keep)
    applied.kubectl("delete", "pvc", claim, "--wait=false")
    wanted = applied.objects()
    of_kind(wanted, "ConfigMap")["data"]["config.yaml"] = "threshold: 0.7\n"
    result = applied.apply(wanted)
    (problem,) = result.problems
    assert "is being deleted" in problem.found
    assert (problem.retry, problem.blocking) == (True, False)
    assert actions(result)[f"ConfigMap {NAME}-config"] == "changed"

    release = '{"metadata": {"finalizers": null}}'
    applied.kubectl("patch", "pvc", claim, "--patch", release)
    eventually(lambda: applied.names("pvc") == set())
    assert good(applied.apply(wanted))[f"PersistentVolumeClaim {claim}"] == "created"


def test_what_discovery_has_listed_is_not_read_again(applied: Cluster) -> None:
    known = applied.discovered()
    client = applied.counting()
    result = apply(client, applied.router, applied.objects(), known=known)
    assert set(good(result).values()) == {"unchanged"}
    workload = read_workload(client, applied.router, Facts(), result.live)
    assert workload.deployment is not None
    assert client.sent in ([], [f"GET /api/v1/namespaces/{applied.namespace}/pods"])


def test_what_was_written_takes_the_place_of_what_was_listed(cluster: Cluster) -> None:
    client = cluster.counting()
    result = apply(client, cluster.router, cluster.objects(), known=cluster.discovered())
    assert set(good(result).values()) == {"created"}
    assert all(request.startswith("PATCH ") for request in client.sent)
    workload = read_workload(client, cluster.router, Facts(), result.live)
    assert workload.deployment is not None
    assert workload.deployment["metadata"]["uid"] == cluster.read("deployment")["metadata"]["uid"]


def test_discovery_sees_a_deployment_without_its_labels(applied: Cluster) -> None:
    applied.kubectl("label", "deployment", NAME, f"{metadata.LABEL_INSTANCE}-")
    assert f"Deployment {NAME}" in {
        f"{live['kind']} {live['metadata']['name']}" for live in applied.discovered()
    }


def test_what_discovery_may_not_list_apply_asks_for_and_says(cluster: Cluster) -> None:
    client = Client.from_options({"kubeconfig": str(cluster.plane.kubeconfig_for("nobody"))})
    assert discover(Reads(client), cluster.router).live is None


def test_an_account_without_rights_is_a_problem_that_names_the_right(cluster: Cluster) -> None:
    client = Client.from_options({"kubeconfig": str(cluster.plane.kubeconfig_for("nobody"))})
    (problem,) = apply(client, cluster.router, cluster.objects()).problems
    assert (problem.reason, problem.retry) == ("Forbidden", True)
    assert "cannot list resource" in problem.found


def test_an_account_that_may_only_read_gets_as_far_as_the_rehearsal(cluster: Cluster) -> None:
    # Kinds that the cluster does not serve too: whoever may not list them is refused all the same.
    read_all = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [read_all],
    }
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(role))
    cluster.kubectl("create", "rolebinding", "reader", "--role=reader", "--user=reader")
    client = Client.from_options({"kubeconfig": str(cluster.plane.kubeconfig_for("reader"))})
    result = apply(client, cluster.router, cluster.objects())
    assert {problem.reason for problem in result.problems} == {"Forbidden"}
    assert any("cannot patch resource" in problem.found for problem in result.problems)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda manifest: manifest.update(kind="CronJob"), "does not know"),
        (lambda manifest: manifest["metadata"].pop("name"), "does not know"),
        (lambda manifest: manifest["metadata"].update(namespace="elsewhere"), "not in namespace"),
    ],
)
def test_what_can_never_be_applied_is_the_caller_s_mistake(
    cluster: Cluster, spoil: Any, says: str
) -> None:
    wanted = cluster.objects()
    spoil(of_kind(wanted, "Service"))
    with pytest.raises(RouterError, match=says):
        cluster.apply(wanted)


def test_a_router_that_no_cluster_has_seen_owns_nothing(cluster: Cluster) -> None:
    router = Router(semantic_router(cluster.namespace))
    with pytest.raises(RouterError, match=r"no metadata\.uid"):
        apply(cluster.client, router, [])


class TestTheAction:
    """The same through ansible-playbook."""

    @staticmethod
    def run(
        cluster: Cluster, directory: Path, arguments: Manifest, *options: str
    ) -> subprocess.CompletedProcess[str]:
        task = {
            "name": "Apply",
            "vllm.semantic_router.apply": arguments,
            "register": "applied",
        }
        show = {"ansible.builtin.copy": {"content": "{{ applied | to_json }}", "dest": "result"}}
        play = {
            "name": "Play",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": [task, {"name": "Keep", "check_mode": False, **show}],
        }
        show["ansible.builtin.copy"]["dest"] = str(directory / "result.json")
        (directory / "play.yml").write_text(yaml.safe_dump([play]))
        return subprocess.run(
            [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", *options],
            cwd=directory,
            env={**os.environ, **cluster.plane.env, "ANSIBLE_LOCALHOST_WARNING": "false"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def arguments(self, cluster: Cluster) -> Manifest:
        return {"router": cluster.router.resource, "objects": cluster.objects()}

    def test_it_applies_and_finds_nothing_to_do_the_second_time(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        first = self.run(cluster, tmp_path, self.arguments(cluster))
        assert first.returncode == 0, first.stdout + first.stderr
        result = json.loads((tmp_path / "result.json").read_text())
        assert result["changed"]
        assert result["problems"] == []
        second = self.run(cluster, tmp_path, self.arguments(cluster))
        assert second.returncode == 0, second.stdout + second.stderr
        result = json.loads((tmp_path / "result.json").read_text())
        assert {entry["action"] for entry in result["objects"]} == {"unchanged"}

    def test_check_and_diff_show_the_change_and_make_none(
        self, applied: Cluster, tmp_path: Path
    ) -> None:
        arguments = self.arguments(applied)
        of_kind(arguments["objects"], "ConfigMap")["data"]["config.yaml"] = "threshold: 0.7\n"
        ran = self.run(applied, tmp_path, arguments, "--check", "--diff")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "threshold: 0.7" in ran.stdout
        live = applied.read("configmap", f"{NAME}-config")
        assert live["data"]["config.yaml"] == "threshold: 0.6\n"

    def test_template_markers_stay_text_on_the_way_in_and_out(
        self, applied: Cluster, tmp_path: Path
    ) -> None:
        # How ansible-operator hands over a CR with markUnsafe.
        text = "{{ lookup('pipe', 'touch evaluated') }}"
        wanted = applied.objects()
        of_kind(wanted, "ConfigMap")["data"]["config.yaml"] = {"__ansible_unsafe": text}
        extra = tmp_path / "extra.json"
        extra.write_text(json.dumps({"wanted": wanted, "resource": applied.router.resource}))
        arguments = {"router": "{{ resource }}", "objects": "{{ wanted }}"}
        ran = self.run(applied, tmp_path, arguments, "--diff", f"--extra-vars=@{extra}")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert applied.read("configmap", f"{NAME}-config")["data"]["config.yaml"] == text
        (change,) = json.loads((tmp_path / "result.json").read_text())["diff"]
        assert change["after"]["data"]["config.yaml"] == text
        assert not (tmp_path / "evaluated").exists()

    def test_a_refusal_is_a_result_and_no_failed_task(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        arguments = self.arguments(cluster)
        refused_toleration(pod_of(arguments["objects"]))
        ran = self.run(cluster, tmp_path, arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        result = json.loads((tmp_path / "result.json").read_text())
        assert [problem["reason"] for problem in result["problems"]] == ["ApplyRefused"]
        assert not result["changed"]

    def test_an_unreachable_cluster_is_a_result_and_no_failed_task(
        self, cluster: Cluster, tmp_path: Path
    ) -> None:
        arguments = {
            **self.arguments(cluster),
            "host": "https://127.0.0.1:1",
            "api_key": "a-very-secret-token",
        }
        ran = self.run(cluster, tmp_path, arguments, "-vvv")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        text = (tmp_path / "result.json").read_text()
        (problem,) = json.loads(text)["problems"]
        assert (problem["reason"], problem["retry"]) == ("ApiUnavailable", True)
        assert "a-very-secret-token" not in ran.stdout + ran.stderr + text

    def test_an_unknown_option_fails_the_task(self, cluster: Cluster, tmp_path: Path) -> None:
        ran = self.run(cluster, tmp_path, {**self.arguments(cluster), "purge": True})
        assert ran.returncode != 0
        assert "purge" in ran.stdout

    def test_a_missing_option_fails_the_task(self, cluster: Cluster, tmp_path: Path) -> None:
        arguments = copy.deepcopy(self.arguments(cluster))
        del arguments["objects"]
        ran = self.run(cluster, tmp_path, arguments)
        assert ran.returncode != 0
        assert "missing required arguments: objects" in ran.stdout
