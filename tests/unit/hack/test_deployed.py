"""`make deploy` tells what became of the image that it was given."""

from __future__ import annotations

from typing import Any

import deployed
import pytest

IMAGE = "ghcr.io/vllm-project/semantic-router-operator:latest"
# A pod's state as the kubelet words it where the command of the Deployment is not in the image.
NO_TINI = (
    'failed to create containerd task: OCI runtime create failed: exec: "/tini": '
    "stat /tini: no such file or directory"
)


def deployment(**status: int) -> dict[str, Any]:
    return {
        "metadata": {"generation": 2},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"image": IMAGE}]}}},
        "status": status,
    }


def pod(image: str = IMAGE, **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "manager-1"},
        "spec": {"containers": [{"image": image}]},
        "status": {"containerStatuses": [container]},
    }


def problem(found: dict[str, Any], log: str = "") -> str:
    return deployed.problem(deployment(), [found], lambda _: log)


RUNS = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}


def test_done_is_when_all_pods_are_of_the_newest_template() -> None:
    assert deployed.is_done(deployment(**RUNS))


@pytest.mark.parametrize(
    "other",
    [{"observedGeneration": 1}, {"replicas": 2}, {"updatedReplicas": 0}, {"availableReplicas": 0}],
)
def test_a_pod_of_before_is_not_taken_for_it(other: dict[str, int]) -> None:
    assert not deployed.is_done(deployment(**RUNS | other))


@pytest.mark.parametrize(
    "state",
    [
        {"terminated": {"reason": "StartError", "message": NO_TINI}},
        {"waiting": {"reason": "RunContainerError", "message": NO_TINI}},
    ],
)
def test_an_image_without_this_operators_program_is_told_to_be_of_something_else(
    state: dict[str, Any],
) -> None:
    said = problem(pod(state=state))
    assert f"{IMAGE} is not an image of this operator" in said
    assert "/tini" in said
    assert "make docker-build" in said


@pytest.mark.parametrize(
    "words",
    [
        "/usr/bin/python3: No module named wrapper_runner",
        "wrapper-runner: /opt/x/watches.yaml: cannot be read: No such file or directory",
    ],
)
def test_so_is_another_operator_made_of_ansible(words: str) -> None:
    crashed = pod(
        state={"waiting": {"reason": "CrashLoopBackOff"}},
        lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
    )
    assert "is not an image of this operator" in problem(crashed, words)


def test_an_operator_that_ends_for_another_reason_is_shown_with_its_words() -> None:
    said = problem(pod(state={"terminated": {"exitCode": 1, "reason": "Error"}}), "no API server\n")
    assert "no API server" in said
    assert "not an image of this operator" not in said


def test_an_image_that_no_registry_has_is_one_to_build_first() -> None:
    waiting = {"reason": "ErrImagePull", "message": "manifest unknown"}
    said = problem(pod(state={"waiting": waiting}))
    assert "manifest unknown" in said
    assert f"make docker-build docker-push deploy IMG={IMAGE}" in said


def test_a_pod_that_is_on_its_way_or_of_another_image_says_nothing() -> None:
    gone = {"waiting": {"reason": "ErrImagePull"}}
    assert problem(pod(state={"waiting": {"reason": "ContainerCreating"}})) == ""
    assert problem(pod(image="former", state=gone)) == ""
