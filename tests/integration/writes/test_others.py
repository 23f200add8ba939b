"""What somebody else does to an object of a router, of whatever kind: it is undone, or it is told.

Their field manager is another one than ours, and they are allowed to.
"""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import CHANGED
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import JSON_PATCH
from every_kind import KINDS, NAME, Manifest, is_stand_in
from integration.writes.cluster import Cluster

GUEST = {"service": {"name": "guest", "port": {"number": 80}}}
# By kind, where somebody adds what: each leads requests or pods elsewhere, or lets more of them in.
ADDED: dict[str, dict[str, Any]] = {
    "Service": {
        "/spec/externalIPs": ["192.0.2.7"],
        "/spec/ports/-": {"name": "guest", "port": 7777},
        "/spec/publishNotReadyAddresses": True,
    },
    "Route": {
        "/spec/alternateBackends": [{"kind": "Service", "name": "guest", "weight": 100}],
        "/spec/path": "/guest",
        "/spec/tls/insecureEdgeTerminationPolicy": "Allow",
    },
    "PodDisruptionBudget": {"/spec/unhealthyPodEvictionPolicy": "AlwaysAllow"},
    "NetworkPolicy": {"/spec/ingress": [{}], "/spec/egress": [{}]},
    "Deployment": {
        "/spec/template/spec/hostNetwork": True,
        "/spec/template/spec/containers/-": {"name": "guest", "image": "example.invalid/guest"},
        "/spec/template/spec/initContainers": [{"name": "guest", "image": "example.invalid/guest"}],
        "/spec/template/spec/volumes": [{"name": "node", "hostPath": {"path": "/"}}],
        "/spec/template/spec/serviceAccountName": "guest",
    },
    "HorizontalPodAutoscaler": {
        "/spec/behavior": {"scaleDown": {"selectPolicy": "Disabled"}},
    },
    "Ingress": {
        "/spec/rules": [
            {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": GUEST}]}}
        ],
        "/spec/tls": [{"secretName": "guest"}],
    },
    "HTTPRoute": {
        "/spec/hostnames": ["guest.example.com"],
        "/spec/rules/-": {"backendRefs": [{"name": "guest", "port": 80}]},
    },
    "BackendTLSPolicy": {"/spec/options": {"example.com/verify": "no"}},
}
STAND_INS = [one.kind for one in resources.RESOURCES if is_stand_in(one)]
ADDED |= {kind: {"/spec/more": {"a": 1}} for kind in STAND_INS if kind not in ADDED}
# Nothing but metadata and texts; a claim's is its provisioner's too.
WITHOUT = {"ServiceAccount", "ConfigMap", "PersistentVolumeClaim"}


def edited(cluster: Cluster, kind: str, patch: list[dict[str, Any]]) -> Manifest:
    """The object as somebody else leaves it."""
    path = resources.path(cluster.there()[kind])
    return cluster.admin.patch(path, patch, JSON_PATCH, {"fieldManager": "somebody-else"})


def wanted(cluster: Cluster) -> list[Manifest]:
    objects = cluster.objects()
    spec = {item["kind"]: item.get("spec", {}) for item in objects}
    spec["Route"]["tls"] = {"termination": "edge"}
    # Where there are several ports, each has a name.
    spec["Service"]["ports"][0]["name"] = "api"
    return objects


def changed(cluster: Cluster) -> set[str]:
    """The kinds of what the operator writes in one more run."""
    result = cluster.apply(wanted(cluster))
    assert result.problems == []
    return {entry["kind"] for entry in result.objects if entry["action"] == CHANGED}


@pytest.fixture(scope="module")
def applied(shared_cluster: Cluster) -> Cluster:
    assert shared_cluster.apply(wanted(shared_cluster)).problems == []
    assert changed(shared_cluster) == set()
    return shared_cluster


def test_every_kind_with_a_spec_is_added_to() -> None:
    assert set(ADDED) == set(KINDS) - WITHOUT


@pytest.mark.parametrize(
    ("kind", "path"), [(kind, path) for kind, paths in ADDED.items() for path in paths]
)
def test_what_is_added_to_a_spec_is_undone(applied: Cluster, kind: str, path: str) -> None:
    before = applied.there()[kind]["spec"]
    add = {"op": "add", "path": path, "value": ADDED[kind][path]}
    assert edited(applied, kind, [add])["spec"] != before
    assert changed(applied) == {kind}
    assert applied.there()[kind]["spec"] == before
    assert changed(applied) == set()


def test_of_a_route_host_and_certificate_are_others_to_give(applied: Cluster) -> None:
    """OpenShift chooses a host, and cert-manager writes certificates."""
    given = {"host": "a.example.com", "tls/certificate": "PEM", "tls/key": "PEM"}
    patch = [{"op": "add", "path": f"/spec/{key}", "value": given[key]} for key in given]
    there = edited(applied, "Route", patch)["spec"]
    assert changed(applied) == set()
    assert applied.there()["Route"]["spec"] == there
    edited(applied, "Route", [{"op": "remove", "path": f"/spec/{key}"} for key in given])


def test_a_config_map_that_somebody_has_locked_is_told_with_the_way_out(cluster: Cluster) -> None:
    assert cluster.apply(cluster.objects()).problems == []
    edited(cluster, "ConfigMap", [{"op": "add", "path": "/immutable", "value": True}])
    objects = cluster.objects()
    config = next(item for item in objects if item["kind"] == "ConfigMap")
    config["data"] = {"config.yaml": "a: 1\n"}
    (problem,) = cluster.apply(objects).problems
    assert (problem.reason, problem.field, problem.retry) == ("ApplyRefused", "", True)
    assert "immutable" in problem.found
    assert f"ConfigMap {NAME}" in problem.found
    assert "delete it: the operator creates it anew" in problem.remedy
