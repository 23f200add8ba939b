"""What the builders build, judged by a real API server and scheduler."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    config,
    monitoring,
    network_policy,
    networking,
    scaling,
    storage,
    workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import Kubectl
from eventually import eventually
from examples import PLATFORMS, SAMPLES, facts, router, sample

BUILDERS = (
    config.config_maps,
    storage.persistent_volume_claim,
    workload.service_account,
    workload.deployment,
    scaling.horizontal_pod_autoscaler,
    scaling.pod_disruption_budget,
    networking.service,
    networking.headless_service,
    networking.ingress,
    network_policy.network_policy,
    monitoring.grafana_dashboard,
)


def manifests(built_from: Router, found: Facts, namespace: str) -> list[Manifest]:
    built = [manifest for build in BUILDERS for manifest in build(built_from, found)]
    for manifest in built:
        manifest["metadata"]["namespace"] = namespace
    return built


def as_list(items: list[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def nodes_of_pods(kubectl: Kubectl, namespace: str) -> list[str]:
    pods = json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return [pod["spec"].get("nodeName", "") for pod in pods]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", SAMPLES)
def test_the_api_server_accepts_every_sample_strictly(
    name: str, platform: str, kubectl: Kubectl, namespace: str
):
    found = sample(name)
    objects = manifests(found, facts(found, platform), namespace)

    answer = kubectl(
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "-f",
        "-",
        stdin=as_list(objects),
    )

    assert answer.count("serverside-applied") == len(objects)


def test_pods_meet_the_restricted_pod_security_standard(kubectl: Kubectl, namespace: str):
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    (deployment,) = workload.deployment(router(serviceAccount={"create": False}), Facts())
    template = deployment["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "one", "namespace": namespace},
        "spec": template["spec"],
    }

    answer = kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    assert "pod/one created" in answer


def roll_out(kubectl: Kubectl, namespace: str, **spec: Any) -> list[str]:
    wanted = router(persistence={"storageClassName": "standard", **spec.pop("persistence")}, **spec)
    objects = manifests(wanted, Facts(), namespace)
    kubectl("apply", "--server-side", "-f", "-", stdin=as_list(objects))
    kubectl("rollout", "status", "deployment/my-router", "-n", namespace, "--timeout=60s")

    def settled() -> list[str]:
        nodes = nodes_of_pods(kubectl, namespace)
        return nodes if len(nodes) == wanted.spec["replicas"] else []

    return eventually(settled, message="the pods of the earlier rollout to be gone")


@pytest.mark.parametrize("replicas", [1, 3])
def test_pods_that_share_a_volume_of_one_node_stay_together_through_a_rollout(
    replicas: int, kubectl: Kubectl, namespace: str
):
    persistence = {"accessMode": "ReadWriteOnce"}

    first = roll_out(kubectl, namespace, replicas=replicas, persistence=persistence)
    again = roll_out(
        kubectl,
        namespace,
        replicas=replicas,
        persistence=persistence,
        config={"default_reasoning_effort": "high"},
    )

    assert len(set(first)) == 1
    assert len(set(again)) == 1


def test_pods_that_share_nothing_are_spread_over_nodes(kubectl: Kubectl, namespace: str):
    nodes = roll_out(kubectl, namespace, replicas=3, persistence={"enabled": False})

    assert len(set(nodes)) > 1
