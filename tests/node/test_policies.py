"""A NetworkPolicy that the operator renders, enforced: on our own node by kube-router."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters.used import OPERATOR_NAMESPACE
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import OPERATOR, Cluster, model_container
from real_node import prerequisites

PROBE = (Path(__file__).parent / "probe.py").read_text()
CHAT = "/v1/chat/completions"
API_SERVER = ("kubernetes.default.svc.cluster.local", 443)
NEIGHBOURS = ("pod/friend", "pod/scraper", "pod/stranger")
# Whoever enforces policies does so within seconds.
TRIAL_SECONDS = 40.0


def pod(name: str) -> dict[str, object]:
    """A neighbour, labelled with its name."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [model_container(name)],
        },
    }


@pytest.fixture(scope="module")
def neighbours(cluster: Cluster) -> None:
    """Three, in a cluster where policies are enforced."""
    enforced = cluster.whole.enforces_policies
    if enforced is False:
        pytest.skip(
            f"nobody enforces a NetworkPolicy without {prerequisites.POLICY_PROGRAM}: install it"
        )
    cluster.apply(*(pod(name.removeprefix("pod/")) for name in NEIGHBOURS))
    cluster.kubectl(
        "wait", *NEIGHBOURS, "--for=condition=Ready", "-n", cluster.namespace, timeout=70
    )
    if enforced is None and not closes(cluster, "friend"):
        pytest.skip("nobody enforces a NetworkPolicy in this cluster")


def closes(cluster: Cluster, name: str) -> bool:
    """Whether a policy that lets nobody in lets nobody in."""
    address = cluster.kubectl(
        "get", "pod", name, "-n", cluster.namespace, "-o", "jsonpath={.status.podIP}"
    )
    denied = {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Ingress"]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "tried"},
        "spec": denied,
    }
    assert probe(cluster, ("pod/stranger",), address, 8000) == "open"
    cluster.apply(policy)
    deadline = time.monotonic() + TRIAL_SECONDS
    closed = False
    while not closed and time.monotonic() < deadline:
        closed = probe(cluster, ("pod/stranger",), address, 8000) == "closed"
    cluster.kubectl("delete", "networkpolicy", "tried", "-n", cluster.namespace)
    return closed


@pytest.fixture(scope="module")
def guarded(cluster: Cluster, neighbours: None, router: SemanticRouter) -> Iterator[SemanticRouter]:
    """The router, once its policy is enforced; before that, everybody got everywhere."""
    before = [reach(cluster, "stranger", router, *target) for target in ((8080, CHAT), (9190,))]
    assert before == ["200", "open"]
    assert probe(cluster, target(router), *API_SERVER) == "open"
    router.spec["networkPolicy"] = {
        "enabled": True,
        "ingress": [{"podSelector": {"matchLabels": {"app": "friend"}}}],
        "metricsFrom": [{"podSelector": {"matchLabels": {"app": "scraper"}}}],
        "egress": [],
    }
    router.apply()
    cluster.wait_until_running(router)
    eventually(
        lambda: reach(cluster, "stranger", router, 8080) == "closed",
        60,
        "the policy to be enforced",
    )
    yield router
    del router.spec["networkPolicy"]
    router.apply()
    router.wait_until_gone("networkpolicy", router.name)
    cluster.kubectl("delete", "--wait=false", *NEIGHBOURS, "-n", cluster.namespace)


def target(router: SemanticRouter) -> tuple[str, ...]:
    return (f"deployment/{router.name}", "-c", "semantic-router")


def probe(cluster: Cluster, where: tuple[str, ...], *arguments: object, namespace: str = "") -> str:
    """From inside that container."""
    command = ("exec", *where, "-n", namespace or cluster.namespace, "--", "python3", "-c", PROBE)
    return cluster.kubectl(*command, *map(str, arguments)).strip()


def reach(cluster: Cluster, who: str, router: SemanticRouter, *arguments: object) -> str:
    host = f"{router.name}.{cluster.namespace}.svc.cluster.local"
    return probe(cluster, (f"pod/{who}",), host, *arguments)


def test_who_may_chat_is_answered_and_nobody_else(
    cluster: Cluster, guarded: SemanticRouter
) -> None:
    """An answer needs what the router itself has to reach as well: DNS and the model servers."""
    assert reach(cluster, "friend", guarded, 8080, CHAT) == "200"
    assert reach(cluster, "scraper", guarded, 8080) == "closed"
    assert reach(cluster, "stranger", guarded, 8080) == "closed"


def test_who_may_read_metrics_reads_them_and_nobody_else(
    cluster: Cluster, guarded: SemanticRouter
) -> None:
    assert reach(cluster, "scraper", guarded, 9190, "/metrics") == "200"
    assert reach(cluster, "friend", guarded, 9190) == "closed"
    assert reach(cluster, "stranger", guarded, 9190) == "closed"


def test_the_routers_grpc_port_is_nobodys_from_outside_the_pod(
    cluster: Cluster, guarded: SemanticRouter
) -> None:
    assert reach(cluster, "friend", guarded, 50051) == "closed"
    assert reach(cluster, "friend", guarded, 8080) == "open"


def test_the_active_configuration_is_told_to_the_operator_and_to_nobody_else(
    cluster: Cluster, guarded: SemanticRouter
) -> None:
    address = cluster.pods(guarded)[0]["status"]["podIP"]
    operator = (f"deployment/{OPERATOR}",)
    asked = (address, 8181, "/config/hash")
    assert probe(cluster, operator, *asked, namespace=OPERATOR_NAMESPACE) == "200"
    assert probe(cluster, ("pod/friend",), address, 8181) == "closed"


def test_the_router_reaches_its_backends_and_nothing_else(
    cluster: Cluster, guarded: SemanticRouter
) -> None:
    model = f"general-model.{cluster.namespace}.svc.cluster.local"
    assert probe(cluster, target(guarded), model, 8000) == "open"
    assert probe(cluster, target(guarded), *API_SERVER) == "closed"
