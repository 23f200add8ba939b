from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
    Resource,
)


def manifest(api_version: str, kind: str) -> dict[str, object]:
    metadata = {"name": "my-router", "namespace": "team"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def test_core_kinds_live_under_api() -> None:
    expected = "/api/v1/namespaces/team/services/my-router"
    assert resources.path(manifest("v1", "Service")) == expected


def test_grouped_kinds_live_under_apis() -> None:
    expected = "/apis/apps/v1/namespaces/team/deployments/my-router"
    assert resources.path(manifest("apps/v1", "Deployment")) == expected


def test_a_cluster_scoped_kind_has_no_namespace_in_its_path() -> None:
    kind = Resource("storage.k8s.io/v1", "StorageClass", "storageclasses", 0, namespaced=False)
    assert resources.collection_path(kind, "team") == "/apis/storage.k8s.io/v1/storageclasses"


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="CronJob"):
        resources.path(manifest("batch/v1", "CronJob"))


def test_pods_are_written_after_everything_they_need() -> None:
    ranks = {resource.kind: resource.rank for resource in RESOURCES}
    after_the_pods = {kind for kind, rank in ranks.items() if rank > ranks["Deployment"]}
    assert after_the_pods == {
        "HorizontalPodAutoscaler", "HTTPRoute", "Ingress", "PrometheusRule", "ServiceMonitor",
    }  # fmt: skip


def test_only_the_claim_for_models_outlives_being_unwanted() -> None:
    kept = [resource.kind for resource in RESOURCES if not resource.prune]
    assert kept == ["PersistentVolumeClaim"]


def test_a_kind_that_a_cluster_lacks_is_not_asked_for() -> None:
    without = {kind.kind for kind in resources.served({})}
    assert {"Deployment", "Ingress"} <= without
    assert not {
        "Route", "HTTPRoute", "EnvoyExtensionPolicy", "BackendTrafficPolicy", "EnvoyFilter",
        "GatewayExtension", "TrafficPolicy", "AgentgatewayPolicy", "PrometheusRule",
        "ServiceMonitor",
    } & without  # fmt: skip
    gateway = resources.served({"gateway.networking.k8s.io": ["v1"], "networking.istio.io": ["v1"]})
    assert {kind.kind for kind in gateway} - without == {"HTTPRoute", "BackendTLSPolicy"}


def test_every_kind_is_asked_for_when_nobody_asked_the_cluster() -> None:
    assert resources.served(None) == list(RESOURCES)
