"""What Deployment and pods complain of, in words that stay put."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import Mounted
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


MOUNTED = [Mounted("spec.auth.apiKeys[0].secretRef.name", "Secret", "team")]


def not_started(since: str, wanted: str = "team", **more: Any) -> dict[str, Any]:
    pod = waiting_pod("ContainerCreating")
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": since}
    pod["status"] |= {"phase": "Pending", "conditions": [scheduled], **more}
    pod["spec"]["volumes"] = [{"name": "api-keys-0", "secret": {"secretName": wanted}}]
    return pod


def said_of(*pods: dict[str, Any]) -> dict[str, Any]:
    since = "2026-11-23T09:58:00Z"
    workload = replace(STARTING, pods=[*pods], mounted=MOUNTED, start_since=since)
    return status(workload=workload)


def test_a_pod_that_gets_no_volumes_names_the_secrets_that_it_wants_and_their_fields() -> None:
    said = said_of(not_started("2026-11-23T09:57:00Z"), not_started("2026-11-23T09:56:00Z"))
    assert verdict(said, "Ready") == ("False", "PodNotStarted")
    assert verdict(said, "Degraded")[0] == "False"
    message = condition(said, "Ready")["message"]
    assert message.count("Secret team (spec.auth.apiKeys[0].secretRef.name)") == 1


@pytest.mark.parametrize(
    "pod",
    [
        not_started("2026-11-23T09:59:00Z"),
        not_started("2026-11-23T09:00:00Z", podIP="10.0.0.7"),
        not_started("2026-11-23T09:00:00Z", phase="Running"),
        not_started("2026-11-23T09:00:00Z", conditions=[]),
    ],
    ids=["fresh", "pulls another image", "runs", "has no node"],
)
def test_any_other_pod_says_nothing_of_it(pod: dict[str, Any]) -> None:
    assert "PodNotStarted" not in verdict(said_of(pod), "Ready")


def test_a_pod_of_before_names_no_secret_that_it_does_not_want() -> None:
    message = condition(said_of(not_started("2026-11-23T09:00:00Z", "old")), "Ready")["message"]
    assert "team" not in message
    assert "kubectl describe pod" in message


def pod_of(content: str, name: str, **status: Any) -> dict[str, Any]:
    """One that started with this content, from the ConfigMap that has its name."""
    return {
        "metadata": {"name": name, "annotations": {"vllm.ai/config-hash": content}},
        "spec": {
            "containers": [{"name": "router", "image": "example.com/router:1"}],
            "volumes": [{"name": "config", "configMap": {"name": f"files-{content}"}}],
        },
        "status": status,
    }


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
CRASHING = waiting_pod("CrashLoopBackOff")["status"]


def rolling_out(*pods: dict[str, Any], **more: Any) -> Workload:
    """From content "old" to content "new"."""
    live = deployment(existing=2, updated=1, ready=1)
    live["spec"]["template"] = pod_of("new", "")
    return replace(STARTING, deployment=live, pods=list(pods), **more)


class TestANewConfigurationThatDoesNotComeUp:
    WORKLOAD = rolling_out(
        pod_of("old", "pod-old", **READY),
        pod_of("new", "pod-new", **CRASHING),
        differing=["data[config.yaml].routing"],
    )

    def test_is_told_with_what_serves_and_where_the_two_differ(self) -> None:
        said = status(workload=self.WORKLOAD)
        for name, value in (("Ready", "False"), ("Progressing", "False"), ("Degraded", "True")):
            assert verdict(said, name) == (value, "NewConfigFails")
        assert verdict(said, "Available") == ("True", "MinimumReplicasAvailable")
        message = condition(said, "Degraded")["message"]
        for part in (
            "do not come up (pod-new; ConfigMap files-new).",
            "1 goes on serving with the last good one (pod-old; ConfigMap files-old).",
            "The two differ in data[config.yaml].routing.",
            "Container router ends again and again",
        ):
            assert part in message
        assert "images" not in message
        assert said["config"]["lastGood"] == ["files-old"]
        assert said["phase"] == "Degraded"

    def test_is_told_when_it_never_gets_ready(self) -> None:
        live = deepcopy(self.WORKLOAD.deployment)
        assert live is not None
        live["status"]["conditions"].append(
            {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        )
        pods = [self.WORKLOAD.pods[0], pod_of("new", "pod-new")]
        said = status(workload=replace(self.WORKLOAD, deployment=live, pods=pods))
        assert verdict(said, "Degraded") == ("True", "NewConfigFails")

    def test_is_not_blamed_alone_where_the_image_has_changed_too(self) -> None:
        new = deepcopy(self.WORKLOAD.deployment)
        assert new is not None
        new["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/router:2"
        said = status(workload=replace(self.WORKLOAD, deployment=new))
        assert "images have changed as well" in condition(said, "Degraded")["message"]

    @pytest.mark.parametrize(
        "pods",
        [
            pytest.param(
                [pod_of("new", "old-image", **READY), pod_of("new", "pod-new", **CRASHING)],
                id="the configuration is the same",
            ),
            pytest.param([pod_of("new", "pod-new", **CRASHING)], id="nobody serves"),
        ],
    )
    def test_is_not_blamed_for(self, pods: list[dict[str, Any]]) -> None:
        said = status(workload=rolling_out(*pods))
        assert verdict(said, "Degraded") == ("True", "CrashLoopBackOff")
        assert "lastGood" not in said["config"]

    def test_is_not_blamed_for_an_image_that_cannot_be_pulled(self) -> None:
        pulling = waiting_pod("ErrImagePull")["status"]
        pods = [pod_of("old", "pod-old", **READY), pod_of("new", "pod-new", **pulling)]
        said = status(workload=rolling_out(*pods))
        assert verdict(said, "Degraded") == ("True", "ImagePullBackOff")
        assert said["config"]["lastGood"] == ["files-old"]

    def test_is_nothing_while_new_pods_start(self) -> None:
        pods = [pod_of("old", "pod-old", **READY), pod_of("new", "pod-new")]
        said = status(workload=rolling_out(*pods))
        assert verdict(said, "Degraded") == ("False", "AsExpected")
        assert verdict(said, "Progressing") == ("True", "RolloutInProgress")
        assert said["config"]["lastGood"] == ["files-old"]


def test_a_pod_that_leaves_says_nothing_of_those_that_come() -> None:
    """Of the same template: the change was taken back, and is made again."""
    troubled = [
        waiting_pod("CrashLoopBackOff"),
        waiting_pod("ErrImagePull"),
        not_started("2026-11-23T09:00:00Z"),
        pod_of("new", "pod-again", **CRASHING),
    ]
    starts = [pod_of("old", "pod-old", **READY), pod_of("new", "pod-new")]

    def said_while(*pods: dict[str, Any]) -> dict[str, Any]:
        return status(workload=rolling_out(*pods, start_since="2026-11-23T09:58:00Z"))

    for leaving in map(deepcopy, troubled):
        assert said_while(*starts, leaving) != said_while(*starts)
        leaving["metadata"]["deletionTimestamp"] = "2026-11-23T10:00:00Z"
        assert said_while(*starts, leaving) == said_while(*starts)


def test_a_container_that_is_tried_again_is_still_in_its_crash_loop() -> None:
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    waiting = waiting_pod("CrashLoopBackOff", lastState=ended)
    tried = deepcopy(waiting)
    tried["status"]["containerStatuses"][0] |= {
        "state": {"running": {}},
        "restartCount": 2,
        "started": False,
    }
    said = [status(workload=replace(STARTING, pods=[pod])) for pod in (waiting, tried)]
    assert said[0] == said[1]
    tried["status"]["containerStatuses"][0]["started"] = True
    said = [status(workload=replace(STARTING, pods=[pod])) for pod in (waiting, tried)]
    assert verdict(said[1], "Degraded") == ("False", "AsExpected")
