"""What Deployment and pods complain of, in words that stay put."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from seen import (
    STARTING,
    condition,
    deployment,
    status,
    verdict,
    waiting_pod,
)


@pytest.mark.parametrize(
    ("pod", "reason", "message"),
    [
        (
            waiting_pod("ErrImagePull", "Back-off pulling"),
            "ImagePullBackOff",
            "Container router cannot pull example.com/router:1. Check spec.image and "
            "spec.imagePullSecrets.",
        ),
        (
            waiting_pod(
                "CrashLoopBackOff",
                "back-off 5m0s",
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            ),
            "CrashLoopBackOff",
            "Container router ends again and again (exit code 137, OOMKilled). "
            "kubectl logs --previous -c router says why.",
        ),
        (
            waiting_pod("CreateContainerConfigError", 'secret "hf" not found'),
            "CreateContainerConfigError",
            'Container router cannot be created: secret "hf" not found',
        ),
    ],
)
def test_pods_that_cannot_start_say_why(pod: dict[str, Any], reason: str, message: str) -> None:
    said = status(workload=replace(STARTING, pods=[pod, pod]))
    assert said["phase"] == "Degraded"
    assert verdict(said, "Degraded") == ("True", reason)
    assert verdict(said, "Progressing") == ("False", reason)
    assert condition(said, "Ready")["message"] == message


def test_a_crash_loop_reads_the_same_at_every_restart() -> None:
    said = [
        status(workload=replace(STARTING, pods=[waiting_pod("CrashLoopBackOff", f"back-off {n}s")]))
        for n in (10, 20)
    ]
    assert said[0] == said[1]


def test_a_container_that_is_being_created_is_no_trouble() -> None:
    said = status(workload=replace(STARTING, pods=[waiting_pod("ContainerCreating")]))
    assert said["phase"] == "Progressing"
    assert verdict(said, "Degraded") == ("False", "AsExpected")


def test_a_pod_without_a_node_waits_and_says_so() -> None:
    unschedulable = {
        "metadata": {"name": "p"},
        "status": {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "reason": "Unschedulable",
                    "message": "Insufficient memory",
                }
            ]
        },
    }
    said = status(workload=replace(STARTING, pods=[unschedulable]))
    assert said["phase"] == "Progressing"
    assert verdict(said, "Ready") == ("False", "Unschedulable")
    assert "Insufficient memory" in condition(said, "Ready")["message"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (
            "ReplicaFailure",
            {"status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
            "ReplicaFailure",
        ),
        (
            "Progressing",
            {"status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"},
            "ProgressDeadlineExceeded",
        ),
    ],
)
def test_what_the_deployment_complains_of_degrades(
    name: str, value: dict[str, str], reason: str
) -> None:
    workload = Workload(deployment(ready=1, **{name: value}))
    said = status(workload=workload)
    assert said["phase"] == "Degraded"
    assert verdict(said, "Degraded") == ("True", reason)
    assert value["message"] in condition(said, "Degraded")["message"]
