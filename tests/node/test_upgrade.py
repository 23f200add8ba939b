"""A new release of the operator, and a Secret that it rotates, while clients ask all the time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from clusters.used import OPERATOR_NAMESPACE
from control_plane import Kubectl
from e2e.semantic_router import SemanticRouter
from eventually import eventually
from node.cluster import OPERATOR, Cluster
from node.test_disruption import assert_nothing_was_lost, names, replaced
from real_node import images

ROOT = Path(__file__).resolve().parents[2]
COMPONENT = ROOT / "config" / "components" / "secret-rotation"
# With a right that is new, the first look only remembers what there is.
SEEN = "vllm.ai/secrets-seen"


@pytest.fixture(scope="module")
def secretive(cluster: Cluster, router: SemanticRouter) -> SemanticRouter:
    """The router, with a variable from a Secret."""
    put_secret(cluster, "old")
    reference = {"secretKeyRef": {"name": "token", "key": "token"}}
    router.spec["env"] = [{"name": "TOKEN", "valueFrom": reference}]
    router.apply()
    cluster.wait_until_running(router)
    return router


def put_secret(cluster: Cluster, value: str) -> None:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "token"},
            "stringData": {"token": value},
        }
    )


def look_again(router: SemanticRouter, why: str) -> None:
    """As its period would have the operator do sooner or later."""
    annotation = ("annotate", "semanticrouter", router.name, f"example.com/why={why}")
    router.kubectl(*annotation, "--overwrite", "-n", router.namespace)


def test_a_new_release_of_the_operator_takes_over_and_replaces_no_pod(
    cluster: Cluster, secretive: SemanticRouter, kubectl: Kubectl
) -> None:
    """Here it is granted rotation too, as config/components/secret-rotation does it."""
    old = names(cluster, secretive)
    grants = (COMPONENT / "role.yaml", COMPONENT / "role_binding.yaml")
    for grant in grants:
        text = grant.read_text().replace("namespace: system", f"namespace: {OPERATOR_NAMESPACE}")
        text = text.replace(
            "name: controller-manager", "name: semantic-router-operator-controller-manager"
        )
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)
    container = {
        "name": "manager",
        "image": images.next_operator_name(),
        "env": [{"name": "ROLLOUT_ON_SECRET_CHANGE", "value": "true"}],
    }
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    with cluster.load(secretive) as seen:
        target = ("patch", "deployment", OPERATOR, "-n", OPERATOR_NAMESPACE)
        kubectl(*target, "--type=strategic", "-p", json.dumps(patch))
        status = ("rollout", "status", f"deployment/{OPERATOR}", "-n", OPERATOR_NAMESPACE)
        kubectl(*status, "--timeout=150s", timeout=170)
        look_again(secretive, "upgrade")

        def has_been_seen() -> bool:
            deployment = secretive.read("deployment", secretive.name)
            assert SEEN in deployment["metadata"].get("annotations", {})
            return True

        eventually(has_been_seen, 90, "the new operator to look at the router")
        cluster.wait_until_running(secretive)
    assert names(cluster, secretive) == old
    assert_nothing_was_lost(seen)


def test_a_secret_that_is_rotated_reaches_new_pods_and_loses_nothing(
    cluster: Cluster, secretive: SemanticRouter
) -> None:
    old = names(cluster, secretive)
    with cluster.load(secretive) as seen:
        put_secret(cluster, "new")
        look_again(secretive, "rotation")
        eventually(lambda: names(cluster, secretive).isdisjoint(old), 120, "new pods")
        replaced(cluster, secretive, old)
    assert_nothing_was_lost(seen)
    for name in names(cluster, secretive):
        command = ("exec", name, "-c", "semantic-router", "-n", cluster.namespace, "--")
        assert cluster.kubectl(*command, "sh", "-c", "echo $TOKEN").strip() == "new"
