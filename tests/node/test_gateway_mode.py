"""Envoy in the pod and a router that serves alone take turns, and no request is lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from integration.data_path.certificates import Authority
from node.cluster import GENERAL, SPECIAL, Cluster, router_spec

ROUTER, ENVOY = "semantic-router", "envoy-proxy"
CLIENT, KEY = "chatbot", "the-key-of-the-chatbot"
# By the clients of load.py; a pod that ends closes each once.
KEPT_CONNECTIONS = 6
# Of these 15 are for the nodes to hear of the pod's end, 30 for the router itself.
GRACE_SECONDS = 50


def alone_spec() -> dict[str, Any]:
    return {
        **router_spec(),
        "image": {"tag": "latest"},
        "gateway": {"mode": "router"},
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "service": {"inference": {"port": 8899}},
    }


@pytest.fixture(scope="module")
def router(cluster: Cluster) -> Iterator[SemanticRouter]:
    """Serves alone, with two pods."""
    made = SemanticRouter(cluster.kubectl, cluster.namespace)
    made.resource["metadata"]["name"] = "alone"
    made.resource["spec"] = alone_spec()
    made.apply()
    cluster.wait_until_running(made)
    yield made
    made.delete()


def containers(cluster: Cluster, router: SemanticRouter) -> list[list[str]]:
    return [
        [container["name"] for container in pod["spec"]["containers"]]
        for pod in cluster.pods(router)
    ]


def switch(cluster: Cluster, router: SemanticRouter, mode: str) -> dict[str, Any]:
    """Both pods are of that kind, and those of the other one have given their last answer."""
    wanted = [[ROUTER]] * 2 if mode == "router" else [[ROUTER, ENVOY]] * 2
    old = {pod["metadata"]["name"] for pod in cluster.pods(router)}

    def are_replaced() -> bool:
        everything = ("get", "pods", "-n", cluster.namespace, "-o", "name")
        left = {name.removeprefix("pod/") for name in cluster.kubectl(*everything).split()}
        assert not old & left, left
        return containers(cluster, router) == wanted

    with cluster.load(router, "patient") as seen:
        router.spec["gateway"] = {"mode": mode}
        router.apply()
        eventually(are_replaced, 240, f"two pods of {mode}")
        cluster.wait_until_running(router)
    return seen


def assert_nothing_was_lost(seen: dict[str, Any]) -> None:
    assert not seen["failures"], seen
    assert seen["answers"] > 20, seen
    assert seen["streams"] > 2, seen
    assert seen["slow"] > 4, seen
    assert seen.get("crossed", 0) <= KEPT_CONNECTIONS * 2, seen
    print(seen)


def test_a_router_that_serves_alone_answers_as_one_behind_envoy_does(
    cluster: Cluster, router: SemanticRouter
) -> None:
    assert containers(cluster, router) == [[ROUTER]] * 2
    for port in (8080, 8899):
        got = json.loads(cluster.run("ask.py", cluster.url(router, port)))
        assert got["general"].startswith(f"{GENERAL} at {GENERAL}-")
        assert got["special"].startswith(f"{SPECIAL} at {SPECIAL}-")
        assert got["tools"] == ["get_weather"]
        assert got["stream_seconds"] > 0.5


def test_envoy_takes_over_from_the_router_and_nothing_is_lost(
    cluster: Cluster, router: SemanticRouter
) -> None:
    assert_nothing_was_lost(switch(cluster, router, "envoy"))
    assert router.get()["status"]["gatewayMode"] == "standalone"


def test_the_router_takes_over_from_envoy_and_nothing_is_lost(
    cluster: Cluster, router: SemanticRouter
) -> None:
    assert_nothing_was_lost(switch(cluster, router, "router"))
    assert router.get()["status"]["gatewayMode"] == "router"


def test_tls_keys_and_models_of_the_listener_are_those_of_the_spec(
    cluster: Cluster, router: SemanticRouter
) -> None:
    guarded = SemanticRouter(cluster.kubectl, cluster.namespace)
    guarded.resource["metadata"]["name"] = "guarded"
    spec = alone_spec()
    guarded.resource["spec"] = {
        **spec,
        "replicas": 1,
        "gateway": {"mode": "router", "tls": {"secretName": "listener"}},
        "auth": {"apiKeys": [{"secretRef": {"name": "clients"}, "clients": [CLIENT]}]},
        "config": {**spec["config"], "listeners": [{"name": "public", "models": [GENERAL]}]},
    }
    host = f"guarded.{cluster.namespace}.svc.cluster.local"
    authority = Authority("router")
    certificate, key = authority.issue(host)
    cluster.apply(
        _secret("listener", {"tls.crt": certificate, "tls.key": key}),
        _secret("clients", {CLIENT: KEY, "not-named": "another-key"}),
    )
    guarded.apply()
    cluster.wait_until_running(guarded)

    def status(model: str, key: str) -> str:
        return cluster.run("guarded.py", host, authority.certificate, model, key).strip()

    assert status(GENERAL, KEY) == "200"
    assert status(GENERAL, "another-key") == "401"
    assert status(SPECIAL, KEY) == "403"
    guarded.delete()
    eventually(lambda: not cluster.pods(guarded), 60, "its pods to go")


def _secret(name: str, texts: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": texts,
    }
