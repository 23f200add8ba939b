"""A status says what is true, from live objects, without a cluster and without a clock."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import (
    conditions,
    discovery,
    reasons,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.live_workload import Workload
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

NOW = "2026-11-23T10:00:00Z"
EARLIER = "2026-11-22T10:00:00Z"
ROOT = Path(conditions.__file__).parents[2]

INVALID = Problem("InvalidSpec", "spec.replicas", "found -1", "Give 0 or more")
UNREADABLE = Problem("DiscoveryFailed", "", "the cluster could not be read", "Wait", retry=True)
NO_CLASS = Problem("StorageClassNotFound", "spec.persistence", "no class", "Create it", retry=True)
NOT_BUILT = Problem(
    "FeatureNotAvailable", "spec.ingress.enabled", "not built", "Leave it out", blocking=False
)

FOUND = Endpoint("first", "llama3-8b", 1, "vllm.apps.svc", 8000, "http", ready=True)
LOST = Endpoint(
    "second", "qwen", 1, "qwen.apps.svc", 8000, "http", False, "ServiceNotFound", "no such Service"
)
ALL_FOUND = Facts(endpoints=[FOUND])


def router(generation: int = 3, **spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "apps", "generation": generation},
            "spec": spec,
        }
    )


def deployment(
    wanted: int = 2,
    *,
    existing: int = 2,
    updated: int = 2,
    ready: int = 2,
    observed: int = 1,
    available: str = "True",
    **more: dict[str, str],
) -> dict[str, Any]:
    conditions_ = [{"type": "Available", "status": available}]
    conditions_ += [{"type": name, **value} for name, value in more.items()]
    return {
        "metadata": {"name": "my-router", "generation": 1},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": observed,
            "replicas": existing,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions_,
        },
    }


ROLLED_OUT = Workload(deployment())
STARTING = Workload(deployment(existing=2, updated=2, ready=0, available="False"))


def waiting_pod(reason: str, message: str = "", **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "my-router-abc"},
        "spec": {"containers": [{"name": "router", "image": "example.com/router:1"}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "router",
                    "state": {"waiting": {"reason": reason, "message": message}},
                    **container,
                }
            ]
        },
    }


def status(
    facts: Facts = ALL_FOUND,
    problems: list[Problem] | None = None,
    workload: Workload = ROLLED_OUT,
    previous: dict[str, Any] | None = None,
    owner: Router | None = None,
) -> dict[str, Any]:
    return conditions.status(
        owner or router(), facts, problems or [], workload, NOW, previous or {}
    )


def condition(of: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in of["conditions"] if item["type"] == name]
    return found


def verdict(of: dict[str, Any], name: str) -> tuple[str, str]:
    found = condition(of, name)
    return found["status"], found["reason"]


@pytest.mark.parametrize("reason", ["AutoscalerBlind", "DrainBlocked"])
def test_what_is_in_effect_and_does_no_good_degrades_a_router_that_is_ready(reason: str) -> None:
    said = status(problems=[Problem(reason, "spec.autoscaling", "it", "do", blocking=False)])
    assert said["phase"] == "Degraded"
    assert verdict(said, "Degraded") == ("True", reason)
    assert verdict(said, "Ready")[0] == "True"
    assert verdict(said, "ConfigValid")[0] == "True"


def test_pods_that_an_autoscaler_left_are_explained_until_replicas_counts_again() -> None:
    left = deployment()
    left["metadata"]["annotations"] = {"vllm.ai/replicas-set-aside": "1"}

    def available(**spec: Any) -> str:
        said = status(workload=Workload(left), owner=router(**spec))
        return str(condition(said, "Available")["message"])

    assert "spec.replicas (1) applies when it is next changed" in available(replicas=1)
    assert "Autoscaling" not in available(replicas=2)
    assert "Autoscaling" not in available(replicas=1, autoscaling={"enabled": True})


def test_a_router_with_all_pods_and_backends_is_running() -> None:
    said = status()
    assert {key: said[key] for key in said if key not in ("conditions", "endpoints")} == {
        "phase": "Running",
        "replicas": 2,
        "readyReplicas": 2,
        "observedGeneration": 3,
        "appliedGeneration": 3,
        "config": {"contract": "0.4"},
        "gatewayMode": "standalone",
    }
    assert {item["type"]: item["status"] for item in said["conditions"]} == {
        "Ready": "True",
        "Available": "True",
        "Progressing": "False",
        "Degraded": "False",
        "BackendsResolved": "True",
        "ConfigValid": "True",
    }
    assert {item["observedGeneration"] for item in said["conditions"]} == {3}


def claim(phase: str) -> dict[str, Any]:
    return {"spec": {"storageClassName": "fast"}, "status": {"phase": phase}}


STARTING_UNBOUND = replace(STARTING, claim=claim("Pending"), claim_name="my-router-models")


@pytest.mark.parametrize(
    ("facts", "problems", "workload", "phase", "ready"),
    [
        (ALL_FOUND, [], ROLLED_OUT, "Running", ("True", "RouterReady")),
        (ALL_FOUND, [INVALID], ROLLED_OUT, "Degraded", ("False", "InvalidSpec")),
        (ALL_FOUND, [INVALID], Workload(), "Degraded", ("False", "InvalidSpec")),
        (ALL_FOUND, [NO_CLASS], Workload(), "Degraded", ("False", "StorageClassNotFound")),
        (Facts(), [UNREADABLE], ROLLED_OUT, "Degraded", ("False", "DiscoveryFailed")),
        (ALL_FOUND, [NOT_BUILT], ROLLED_OUT, "Degraded", ("True", "RouterReady")),
        (ALL_FOUND, [], Workload(), "Pending", ("False", "DeploymentMissing")),
        (ALL_FOUND, [], STARTING_UNBOUND, "Pending", ("False", "VolumePending")),
        (ALL_FOUND, [], STARTING, "Progressing", ("False", "RolloutInProgress")),
        # The controller has not seen the new template: its numbers are those of the old one.
        (
            ALL_FOUND,
            [],
            Workload(deployment(observed=0)),
            "Progressing",
            ("False", "RolloutInProgress"),
        ),
        # An old pod is still there.
        (
            ALL_FOUND,
            [],
            Workload(deployment(existing=3)),
            "Progressing",
            ("False", "RolloutInProgress"),
        ),
        (
            ALL_FOUND,
            [],
            Workload(deployment(updated=1)),
            "Progressing",
            ("False", "RolloutInProgress"),
        ),
        (
            ALL_FOUND,
            [],
            Workload(deployment(0, existing=0, updated=0, ready=0)),
            "Running",
            ("True", "ScaledToZero"),
        ),
        (Facts(endpoints=[FOUND, LOST]), [], ROLLED_OUT, "Degraded", ("True", "RouterReady")),
        (Facts(endpoints=[LOST]), [], ROLLED_OUT, "Degraded", ("False", "NoBackendsResolved")),
        (Facts(endpoints=[LOST]), [], STARTING, "Progressing", ("False", "RolloutInProgress")),
        (Facts(), [], ROLLED_OUT, "Running", ("True", "RouterReady")),
        (
            ALL_FOUND,
            [],
            replace(STARTING, claim_name="mine"),
            "Degraded",
            ("False", "VolumeClaimNotFound"),
        ),
        (
            ALL_FOUND,
            [],
            replace(STARTING, claim=claim("Lost"), claim_name="mine"),
            "Degraded",
            ("False", "VolumeLost"),
        ),
        (
            ALL_FOUND,
            [],
            replace(STARTING, claim=claim("Bound"), claim_name="mine"),
            "Progressing",
            ("False", "RolloutInProgress"),
        ),
    ],
)
def test_phase_and_ready_follow_the_table(
    facts: Facts,
    problems: list[Problem],
    workload: Workload,
    phase: str,
    ready: tuple[str, str],
) -> None:
    said = status(facts, problems, workload)
    assert said["phase"] == phase
    assert said["phase"] in conditions.PHASES
    assert verdict(said, "Ready") == ready


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


def test_available_is_the_deployments_word_while_a_bad_edit_waits() -> None:
    said = status(problems=[INVALID])
    assert verdict(said, "Available") == ("True", "MinimumReplicasAvailable")
    assert verdict(said, "ConfigValid") == ("False", "InvalidSpec")
    assert said["observedGeneration"] == 3


def test_every_problem_is_told_and_the_first_blocking_one_gives_the_reason() -> None:
    said = status(problems=[NOT_BUILT, INVALID])
    assert verdict(said, "Degraded") == ("True", "InvalidSpec")
    assert condition(said, "Degraded")["message"] == (
        "spec.replicas: found -1. Give 0 or more. spec.ingress.enabled: not built. Leave it out."
    )
    assert condition(said, "Ready")["message"] == "spec.replicas: found -1. Give 0 or more."


@pytest.mark.parametrize("problem", [NO_CLASS, NOT_BUILT])
def test_config_is_valid_when_no_edit_is_needed(problem: Problem) -> None:
    assert verdict(status(problems=[problem]), "ConfigValid") == ("True", "ConfigAccepted")


@pytest.mark.parametrize(
    ("facts", "spec", "expected", "message"),
    [
        (ALL_FOUND, {}, ("True", "AllBackendsResolved"), "1 of 1 resolved."),
        (
            Facts(endpoints=[replace(FOUND, message="2 Services match: uses a, not b")]),
            {},
            ("True", "AllBackendsResolved"),
            "1 of 1 resolved. first: 2 Services match: uses a, not b.",
        ),
        (
            Facts(endpoints=[FOUND, LOST]),
            {},
            ("False", "SomeBackendsUnresolved"),
            "spec.vllmEndpoints[1].backend.service (second): no such Service. "
            "Create it, or correct name and namespace.",
        ),
        (
            Facts(endpoints=[LOST]),
            {},
            ("False", "NoBackendsResolved"),
            "spec.vllmEndpoints[0].backend.service (second): no such Service. "
            "Create it, or correct name and namespace.",
        ),
        (Facts(), {}, ("False", "NoBackends"), "No backends found: spec.vllmEndpoints is empty."),
        (
            Facts(),
            {"config": {"providers": {"models": []}}},
            ("True", "BackendsInConfig"),
            reasons.REASONS["BackendsInConfig"],
        ),
    ],
)
def test_backends_resolved_tells_which_are_not(
    facts: Facts, spec: dict[str, Any], expected: tuple[str, str], message: str
) -> None:
    said = status(facts, owner=router(**spec))
    assert verdict(said, "BackendsResolved") == expected
    assert condition(said, "BackendsResolved")["message"] == message


def test_no_backends_at_all_is_a_fact_and_not_a_fault() -> None:
    assert verdict(status(Facts()), "Degraded") == ("False", "AsExpected")


def test_endpoints_are_listed_with_address_and_explanation() -> None:
    assert status(Facts(endpoints=[LOST]))["endpoints"] == [
        {
            "name": "second",
            "model": "qwen",
            "address": "qwen.apps.svc:8000",
            "ready": False,
            "message": "no such Service",
        }
    ]


def test_a_cluster_that_does_not_answer_takes_nothing_back() -> None:
    before = status(Facts(platform="openshift", endpoints=[FOUND]))
    said = status(Facts(), [UNREADABLE], previous=before)
    assert said["endpoints"] == before["endpoints"]
    assert said["openshiftFeatures"] == {"routesEnabled": False}
    assert verdict(said, "BackendsResolved") == ("Unknown", "DiscoveryFailed")
    assert verdict(said, "ConfigValid") == ("Unknown", "DiscoveryFailed")


def test_openshift_features_appear_on_openshift_only() -> None:
    assert "openshiftFeatures" not in status()
    assert status(Facts(platform="openshift"))["openshiftFeatures"] == {"routesEnabled": False}


def with_route(admitted: str = "", reason: str = "", exists: bool = True) -> Workload:
    said = {"type": "Admitted", "status": admitted, "reason": reason, "message": "it is taken"}
    entry = {"host": "router.example.com", "routerName": "default", "conditions": [said]}
    route = {
        "metadata": {"name": "my-router"},
        "spec": {"tls": {"termination": "edge"}},
        "status": {"ingress": [entry] if admitted else []},
    }
    return replace(ROLLED_OUT, route=route if exists else None, route_name="my-router")


ON_OPENSHIFT = Facts(platform="openshift", endpoints=[FOUND])


def test_nothing_is_said_of_a_route_that_nobody_asked_for() -> None:
    assert "RouteReady" not in {item["type"] for item in status(ON_OPENSHIFT)["conditions"]}


def test_an_admitted_route_is_running_and_its_host_is_told() -> None:
    said = status(ON_OPENSHIFT, workload=with_route("True"))
    assert said["phase"] == "Running"
    assert verdict(said, "RouteReady") == ("True", "RouteAdmitted")
    assert said["openshiftFeatures"] == {
        "routesEnabled": True,
        "routeHostname": "router.example.com",
    }


@pytest.mark.parametrize(
    ("exists", "reason"), [(True, "RouteNotAdmitted"), (False, "RouteMissing")]
)
def test_a_route_that_waits_is_progress_and_no_fault(exists: bool, reason: str) -> None:
    workload = with_route(exists=exists)
    said = status(ON_OPENSHIFT, workload=workload)
    assert said["phase"] == "Progressing"
    assert verdict(said, "RouteReady") == ("False", reason)
    assert verdict(said, "Ready") == ("True", "RouterReady")
    assert verdict(said, "Degraded") == ("False", "AsExpected")
    assert said["openshiftFeatures"] == {"routesEnabled": exists}
    assert conditions.requeue_after(ON_OPENSHIFT, [], workload) == conditions.REQUEUE_PROGRESSING


def test_a_refused_route_degrades_with_the_words_of_the_refusal() -> None:
    said = status(ON_OPENSHIFT, workload=with_route("False", "HostAlreadyClaimed"))
    assert said["phase"] == "Degraded"
    for name, value in (("RouteReady", "False"), ("Degraded", "True")):
        assert verdict(said, name) == (value, "RouteRefused")
        assert "(HostAlreadyClaimed): it is taken." in condition(said, name)["message"]
    assert verdict(said, "Ready") == ("True", "RouterReady")


def test_a_route_outside_openshift_is_the_only_thing_that_is_missing() -> None:
    problems = [discovery.ROUTE_API_MISSING]
    workload = with_route(exists=False)
    said = status(problems=problems, workload=workload)
    assert said["phase"] == "Degraded"
    assert verdict(said, "RouteReady") == ("False", "RouteApiMissing")
    assert verdict(said, "Ready") == ("True", "RouterReady")
    assert "spec.ingress" in condition(said, "RouteReady")["message"]
    assert condition(said, "Degraded")["message"].count("only OpenShift has Routes") == 1
    assert "openshiftFeatures" not in said
    assert conditions.requeue_after(ALL_FOUND, problems, workload) == conditions.REQUEUE_SETTLED


def test_a_route_is_not_judged_by_a_cluster_that_does_not_answer() -> None:
    said = status(Facts(), [UNREADABLE], with_route("True"))
    assert verdict(said, "RouteReady") == ("Unknown", "DiscoveryFailed")


def test_a_route_is_told_as_an_event_when_it_flips_and_not_while_it_begins() -> None:
    waiting = status(ON_OPENSHIFT, workload=with_route())
    admitted = status(ON_OPENSHIFT, workload=with_route("True"))
    refused = status(ON_OPENSHIFT, workload=with_route("False"))
    begun = conditions.transitions(status(ON_OPENSHIFT), waiting)
    assert begun == []
    assert [item["reason"] for item in conditions.transitions(waiting, admitted)] == [
        "RouteAdmitted"
    ]
    assert [item["reason"] for item in conditions.transitions(admitted, refused)] == [
        "RouteRefused"
    ]


@pytest.mark.parametrize("problem", [INVALID, NO_CLASS, UNREADABLE])
def test_what_could_not_be_written_is_not_said_to_be_in_effect(problem: Problem) -> None:
    before = status()
    facts = Facts() if problem is UNREADABLE else ALL_FOUND
    edited = router(generation=4, image={"tag": "v0.3.0"})
    after = status(facts, [problem], previous=before, owner=edited)
    assert (after["observedGeneration"], after["appliedGeneration"]) == (4, 3)
    assert after["config"] == before["config"]
    corrected = status(previous=after, owner=edited)
    assert (corrected["appliedGeneration"], corrected["config"]["contract"]) == (4, "0.3")


def test_transition_times_move_only_when_the_status_flips() -> None:
    before = status(Facts(endpoints=[FOUND, LOST]))
    for item in before["conditions"]:
        item["lastTransitionTime"] = EARLIER
    said = status(ALL_FOUND, previous=before)
    moved = {item["type"] for item in said["conditions"] if item["lastTransitionTime"] == NOW}
    assert moved == {"Degraded", "BackendsResolved"}


def test_a_second_look_at_the_same_things_gives_the_same_bytes() -> None:
    first = status()
    later = conditions.status(router(), ALL_FOUND, [], ROLLED_OUT, "2030-01-01T00:00:00Z", first)
    assert json.dumps(later) == json.dumps(first)


def test_a_first_run_tells_what_is_wrong_and_nothing_else() -> None:
    told = conditions.transitions({}, status(workload=Workload()))
    assert told == []
    told = conditions.transitions({}, status(Facts(endpoints=[LOST]), workload=Workload()))
    assert [item["reason"] for item in told] == ["NoBackendsResolved"]


def test_one_mistake_is_told_once() -> None:
    told = conditions.transitions(status(), status(problems=[INVALID]))
    assert [(item["type"], item["reason"]) for item in told] == [("ConfigValid", "InvalidSpec")]


def test_recovery_is_told() -> None:
    told = conditions.transitions(status(problems=[INVALID]), status())
    assert {item["type"] for item in told} == {"ConfigValid", "Degraded", "Ready"}
    assert all(conditions.is_good(item) for item in told)


# The other two come and go with what asks for them, which is told too.
FLIPPING = [
    kind
    for kind in conditions.CONDITION_TYPES
    if kind not in (conditions.PAUSED, conditions.DRY_RUN)
]


@pytest.mark.parametrize("kind", FLIPPING)
@pytest.mark.parametrize(("before", "after"), [("True", "False"), ("False", "True")])
def test_a_condition_of_any_type_that_flips_is_told(kind: str, before: str, after: str) -> None:
    def of(value: str) -> dict[str, Any]:
        return {"conditions": [{"type": kind, "status": value, "reason": f"Was{value}"}]}

    assert conditions.transitions(of(before), of(after)) == of(after)["conditions"]
    assert conditions.transitions(of(after), of(after)) == []


def test_another_cause_of_the_same_trouble_is_told() -> None:
    def of(reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Degraded", "status": "True", "reason": reason}]}

    told = conditions.transitions(of("StorageClassNotFound"), of("ImagePullFailed"))
    assert told == of("ImagePullFailed")["conditions"]


def test_another_step_of_waiting_is_not_told() -> None:
    def of(reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": "False", "reason": reason}]}

    assert conditions.transitions(of("DeploymentMissing"), of("PodsNotReady")) == []


def test_nothing_is_told_when_nothing_flips() -> None:
    assert conditions.transitions(status(), status()) == []


@pytest.mark.parametrize(
    ("facts", "problems", "workload", "after"),
    [
        (ALL_FOUND, [], ROLLED_OUT, "10m"),
        (ALL_FOUND, [], STARTING, "30s"),
        (ALL_FOUND, [], Workload(), "30s"),
        (Facts(endpoints=[FOUND, LOST]), [], ROLLED_OUT, "15s"),
        (ALL_FOUND, [NO_CLASS], Workload(), "15s"),
        (Facts(), [UNREADABLE], ROLLED_OUT, "15s"),
        # Only an edit cures it, and an edit wakes the operator.
        (ALL_FOUND, [INVALID], Workload(), "10m"),
        (ALL_FOUND, [NOT_BUILT], ROLLED_OUT, "10m"),
    ],
)
def test_what_waiting_may_cure_is_looked_at_soon(
    facts: Facts, problems: list[Problem], workload: Workload, after: str
) -> None:
    assert conditions.requeue_after(facts, problems, workload) == after


def test_the_summary_is_one_line_without_the_users_text() -> None:
    facts = Facts(endpoints=[replace(LOST, message="{{ lookup('pipe', 'id') }}")])
    line = conditions.summary(facts, status(facts))
    assert line == (
        "Degraded (NoBackendsResolved), 2 of 2 replicas ready, 0 of 1 backends resolved; "
        "Failed to discover backend spec.vllmEndpoints[0]: ServiceNotFound; No backends found"
    )


def test_the_log_tells_each_problem_and_then_sums_up() -> None:
    lines = conditions.messages(ALL_FOUND, [INVALID], status(problems=[INVALID]))
    assert lines[0] == "spec.replicas: found -1. Give 0 or more."
    assert lines[1].startswith("Degraded (InvalidSpec)")


def test_messages_are_one_line_and_fit() -> None:
    assert conditions.sanitized("a\n\tb\x1b[31m\u2028c ") == "a b [31m c"
    long = replace(INVALID, found="x" * 40000)
    message = condition(status(problems=[long]), "Degraded")["message"]
    assert len(message) == conditions.MESSAGE_LIMIT
    assert message.endswith("…")


def test_a_reason_that_the_api_server_would_refuse_does_not_cost_the_status() -> None:
    strange = replace(INVALID, reason="not a reason")
    assert verdict(status(problems=[strange]), "Degraded") == ("True", "InvalidSpec")


def _stated_reasons() -> Iterator[tuple[str, str]]:
    """Every literal that becomes a reason, wherever a Problem or a Trouble is made."""
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            values: list[ast.expr] = []
            if called in ("Problem", "Trouble"):
                values += [word.value for word in node.keywords if word.arg == "reason"]
                values += node.args[:1]
            if called == "_condition":
                values += node.args[2:3]
            if called in ("_not_ready", "_unresolved"):
                values += node.args[1:2]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield str(path.relative_to(ROOT)), value.value


def test_every_reason_is_on_the_closed_list() -> None:
    stated = list(_stated_reasons())
    assert len(stated) > 20
    assert [pair for pair in stated if pair[1] not in reasons.REASONS] == []


def test_reasons_are_camel_case_words() -> None:
    assert [word for word in reasons.REASONS if not re.fullmatch(r"[A-Z][A-Za-z]+", word)] == []


def test_a_field_that_no_router_reads_is_named_and_degrades_nothing() -> None:
    ignored = Problem(
        "InvalidConfig",
        "spec.config.semantic_cache.hnsw",
        "no router of contract 0.4 reads it",
        "Remove it",
        blocking=False,
    )
    of = status(problems=[ignored])
    assert condition(of, "ConfigValid")["status"] == "True"
    assert condition(of, "ConfigValid")["reason"] == "FieldsIgnored"
    assert "spec.config.semantic_cache.hnsw" in condition(of, "ConfigValid")["message"]
    assert condition(of, "Degraded")["status"] == "False"
    assert of["phase"] == "Running"


def test_every_reason_of_an_unresolved_backend_has_a_field_and_a_remedy() -> None:
    source = ast.parse((ROOT / "plugins/module_utils/backends.py").read_text())
    used = {
        call.args[1].value
        for call in ast.walk(source)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("_not_ready", "_unresolved")
        and isinstance(call.args[1], ast.Constant)
    }
    assert used
    assert used - {""} == set(reasons._BACKEND_REMEDIES)


def test_a_password_in_plain_text_is_a_warning_that_is_told_once() -> None:
    exposed = Problem("PlainTextCredential", "spec.config.x", "plain", "Hide it", blocking=False)
    ignored = Problem("InvalidConfig", "spec.config.y", "unread", "Remove it", blocking=False)
    warned = status(problems=[ignored, exposed])
    assert verdict(warned, "ConfigValid") == ("True", "PlainTextCredential")
    assert "spec.config.y" in condition(warned, "ConfigValid")["message"]
    assert warned["phase"] == "Running"
    for before in ({}, status(), status(problems=[ignored])):
        told = [item["reason"] for item in conditions.transitions(before, warned)]
        assert told.count("PlainTextCredential") == 1
    assert not conditions.is_good(condition(warned, "ConfigValid"))
    assert conditions.transitions(warned, warned) == []
