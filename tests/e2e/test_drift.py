"""What other people do to the router's objects, and to the operator."""

from __future__ import annotations

import json

import pytest
from control_plane import Kubectl
from e2e.operator_process import BY_EVENT, WATCHING, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually


@pytest.fixture
def running(router: SemanticRouter) -> SemanticRouter:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    return router


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("deployment", ""),
        ("service", ""),
        ("service", "-headless"),
        ("configmap", "-config"),
        ("configmap", "-envoy-config"),
        ("serviceaccount", ""),
    ],
)
def test_a_deleted_object_comes_back(
    operator: Operator, running: SemanticRouter, kubectl: Kubectl, kind: str, suffix: str
) -> None:
    name = running.name + suffix
    uid = running.read(kind, name)["metadata"]["uid"]
    kubectl("delete", kind, name, "-n", running.namespace)

    def back() -> bool:
        found = kubectl(
            "get",
            kind,
            name,
            "-n",
            running.namespace,
            "-o",
            "jsonpath={.metadata.uid}",
            check=False,
        )
        return bool(found) and found != uid

    eventually(back, BY_EVENT, f"{kind} {name} to be created again")


def test_an_edited_field_is_put_right(
    operator: Operator, running: SemanticRouter, kubectl: Kubectl
) -> None:
    name = f"{running.name}-config"
    wanted = running.read("configmap", name)["data"]
    running.patch("configmap", name, {"data": {"config.yaml": "version: broken"}})
    eventually(
        lambda: running.read("configmap", name)["data"] == wanted, 60, "config.yaml to be put right"
    )


def test_replicas_scaled_by_hand_are_put_right(
    operator: Operator, running: SemanticRouter, kubectl: Kubectl
) -> None:
    kubectl("scale", "deployment", running.name, "--replicas=4", "-n", running.namespace)
    eventually(
        lambda: running.read("deployment", running.name)["spec"]["replicas"] == 1,
        60,
        "one replica, as the SemanticRouter says",
    )


def test_what_others_add_stays(
    operator: Operator, running: SemanticRouter, kubectl: Kubectl
) -> None:
    running.patch("service", running.name, {"metadata": {"annotations": {"team": "blue"}}})
    running.spec["service"] = {"metrics": {"enabled": False}}
    running.apply()
    running.wait_for("Ready")

    def without_metrics() -> bool:
        ports = running.read("service", running.name)["spec"]["ports"]
        return all(port["name"] != "metrics" for port in ports)

    eventually(without_metrics, 60, "the metrics port to go")
    annotations = running.read("service", running.name)["metadata"]["annotations"]
    assert annotations["team"] == "blue"


def test_somebody_elses_object_of_the_same_name_is_not_seized(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.create_service(router.name, 9999)
    before = router.read("service", router.name)
    router.apply()
    condition = router.wait_for("Degraded")
    assert condition["reason"] == "Conflict"
    assert f"Service {router.name}" in condition["message"] or router.name in condition["message"]
    assert router.read("service", router.name) == before
    assert not router.objects(), "nothing may be written while something is in the way"


def test_an_operator_that_was_killed_midway_converges_after_its_restart(
    own_operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    own_operator.start()
    own_operator.wait_until_said("platform")
    router.apply()
    eventually(lambda: own_operator.said("", name=router.name), 60, "a run to start")
    own_operator.kill()
    assert not own_operator.running
    own_operator.start()
    router.wait_for("Ready")


def test_what_happened_while_the_operator_was_down_is_caught_up_with(
    own_operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    own_operator.start()
    # The operator of other tests may be faster, and a program that has hardly started just ends.
    own_operator.wait_until_said(WATCHING)
    router.apply()
    router.wait_for("Ready")
    assert own_operator.stop() == 0
    kubectl("delete", "service", router.name, "-n", router.namespace)
    router.spec["replicas"] = 2
    router.apply()
    own_operator.start()
    eventually(lambda: f"Service/{router.name}" in router.objects(), 60, "the Service to come back")
    eventually(lambda: router.get()["status"].get("readyReplicas") == 2, 60, "two ready replicas")
    assert json.dumps(router.wait_for("Ready"))


def test_sigterm_lets_the_run_finish(own_operator: Operator, router: SemanticRouter) -> None:
    router.create_service()
    own_operator.start()
    own_operator.wait_until_said("platform")
    router.apply()
    eventually(lambda: own_operator.said("", name=router.name), 60, "a run to start")
    assert own_operator.stop() == 0
    assert f"Deployment/{router.name}" in router.objects()
    assert router.condition("Progressing")
