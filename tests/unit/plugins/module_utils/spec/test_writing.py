"""Paused routers and dry runs: what their status says, and what it does not claim."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import writing
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    requeue_after,
    router_status,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

NOW = "2026-11-23T10:00:00Z"
PAUSED = {"vllm.ai/paused": "true"}
DRY = {"vllm.ai/dry-run": "true"}
INVALID = Problem("InvalidSpec", "spec.replicas", "found -1", "Give 0 or more")
UNREADABLE = Problem("DiscoveryFailed", "", "the cluster could not be read", "Wait", retry=True)
RUNS = Workload(
    {
        "metadata": {"name": "my-router", "generation": 1},
        "spec": {
            "replicas": 1,
            "template": {"metadata": {"annotations": {"vllm.ai/config-hash": "abc"}}},
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
            "conditions": [{"type": "Available", "status": "True"}],
        },
    }
)
CHANGE = {
    "kind": "Deployment",
    "name": "my-router",
    "action": "change",
    "fields": ["spec.replicas"],
}
PLAN = {"summary": "1 to change", "changes": [CHANGE]}
NO_PLAN: dict[str, Any] = {"summary": "nothing to do", "changes": []}


def router(generation: int = 3, **annotations: str) -> Router:
    metadata = {
        "name": "my-router",
        "namespace": "apps",
        "generation": generation,
        "annotations": annotations,
    }
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": metadata,
            "spec": {},
        }
    )


def status(
    owner: Router,
    previous: dict[str, Any] | None = None,
    workload: Workload = RUNS,
    problems: list[Problem] | None = None,
    plan: dict[str, Any] | None = None,
) -> dict[str, Any]:
    situation = Situation(owner, Facts(), problems or [], workload)
    return router_status.build(situation, NOW, previous or {}, plan)


def condition(of: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((item for item in of["conditions"] if item["type"] == name), None)


def verdict(of: dict[str, Any], name: str) -> tuple[str, str]:
    found = condition(of, name)
    assert found, f"no condition {name}"
    return found["status"], found["reason"]


def told(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [item["reason"] for item in transitions.between(before, after)]


RUNNING = status(router())


@pytest.mark.parametrize(
    ("annotations", "mode"),
    [
        ({}, "write"),
        ({"vllm.ai/paused": "false", "vllm.ai/dry-run": ""}, "write"),
        ({"vllm.ai/paused": "yes"}, "write"),
        (PAUSED, "paused"),
        (DRY, "dry-run"),
        ({**PAUSED, **DRY}, "dry-run"),
    ],
)
def test_annotations_decide_whether_anything_is_written(
    annotations: dict[str, str], mode: str
) -> None:
    assert writing.mode(router(**annotations)) == mode


@pytest.mark.parametrize("name", ["vllm.ai/paused", "vllm.ai/dry-run"])
def test_a_value_that_means_nothing_is_a_warning_with_a_remedy(name: str) -> None:
    (problem,) = writing.problems(router(**{name: "True"}))
    assert problem.field == f"metadata.annotations[{name}]"
    assert '"true"' in problem.remedy
    said = status(router(**{name: "True"}), RUNNING, problems=[problem])
    assert said["phase"] == "Running"
    assert verdict(said, "ConfigValid") == ("True", "InvalidAnnotation")
    assert told(RUNNING, said) == ["InvalidAnnotation"]
    for fine in ("true", "false", ""):
        assert writing.problems(router(**{name: fine})) == []


class TestPaused:
    def test_the_status_says_so_and_goes_on_to_tell_what_runs(self) -> None:
        said = status(router(**PAUSED), RUNNING)
        assert said["phase"] == "Paused"
        assert verdict(said, "Paused") == ("True", "Paused")
        assert verdict(said, "Ready") == ("True", "RouterReady")
        assert verdict(said, "Available")[0] == "True"
        assert said["config"] == RUNNING["config"]
        assert said["config"].items() >= {"contract": "0.4", "hash": "abc"}.items()
        assert told(RUNNING, said) == ["Paused"]

    def test_an_edit_meanwhile_is_not_ready(self) -> None:
        paused = status(router(**PAUSED), RUNNING)
        edited = status(router(4, **PAUSED), paused)
        assert (edited["observedGeneration"], edited["appliedGeneration"]) == (4, 3)
        assert verdict(edited, "Ready") == ("False", "Paused")
        ready = condition(edited, "Ready")
        assert ready
        assert "Generation 4 is not in effect, generation 3 runs" in ready["message"]
        assert "vllm.ai/paused" in ready["message"]
        assert verdict(edited, "Available")[0] == "True"
        assert told(paused, edited) == ["Paused"]

    def test_pausing_and_editing_at_once_is_not_ready_either(self) -> None:
        assert verdict(status(router(4, **PAUSED), RUNNING), "Ready") == ("False", "Paused")

    def test_what_was_refused_before_the_pause_is_not_ready(self) -> None:
        refused = Problem("ApplyRefused", "spec.x", "refused", "Correct it")
        before = status(router(4), RUNNING, problems=[refused])
        assert before["appliedGeneration"] == 3
        assert verdict(status(router(4, **PAUSED), before), "Ready") == ("False", "Paused")

    def test_created_paused_it_waits_without_looking_again_and_again(self) -> None:
        owner = router(1, **PAUSED)
        said = status(owner, workload=Workload())
        assert said["phase"] == "Paused"
        assert verdict(said, "Ready") == ("False", "DeploymentMissing")
        assert said["appliedGeneration"] == 0
        assert "config" not in said
        assert "Paused" in told({}, said)
        assert requeue_after.period(Situation(owner, Facts())) == "10m"

    def test_going_on_is_told_and_leaves_no_trace(self) -> None:
        paused = status(router(4, **PAUSED), RUNNING)
        resumed = status(router(4), paused)
        assert condition(resumed, "Paused") is None
        assert resumed["appliedGeneration"] == 4
        assert verdict(resumed, "Ready")[0] == "True"
        assert told(paused, resumed)[0] == "Resumed"

    def test_what_was_never_written_is_not_taken_for_written_by_the_next_run(self) -> None:
        refused = Problem("ApplyRefused", "spec.x", "refused", "Correct it")
        before = status(router(1), workload=Workload(), problems=[refused])
        again = status(router(1), before, workload=Workload(), problems=[refused])
        assert (before["appliedGeneration"], again) == (0, before)

    def test_a_status_from_before_this_field_counts_as_written(self) -> None:
        older = {name: value for name, value in RUNNING.items() if name != "appliedGeneration"}
        assert verdict(status(router(**PAUSED), older), "Ready") == ("True", "RouterReady")

    def test_a_mistake_in_a_paused_router_is_still_told(self) -> None:
        said = status(router(4, **PAUSED), RUNNING, problems=[INVALID])
        assert said["phase"] == "Paused"
        assert verdict(said, "Ready") == ("False", "InvalidSpec")
        assert verdict(said, "ConfigValid") == ("False", "InvalidSpec")


class TestDryRun:
    def test_the_plan_is_in_the_status_a_condition_and_an_event(self) -> None:
        said = status(router(4, **DRY), RUNNING, plan=PLAN)
        assert said["phase"] == "Paused"
        assert said["dryRun"] == {"observedGeneration": 4, **PLAN}
        assert verdict(said, "Paused") == ("True", "DryRun")
        assert verdict(said, "DryRun") == ("True", "DryRunChanges")
        planned = condition(said, "DryRun")
        assert planned
        assert planned["message"] == (
            "Generation 4: 1 to change. change Deployment my-router (spec.replicas)."
        )
        assert verdict(said, "Ready") == ("False", "DryRun")
        assert set(told(RUNNING, said)) == {"DryRun", "DryRunChanges"}
        assert all(transitions.is_news(item) for item in said["conditions"][-2:])

    def test_the_same_plan_again_writes_and_tells_nothing(self) -> None:
        first = status(router(4, **DRY), RUNNING, plan=PLAN)
        assert status(router(4, **DRY), first, plan=PLAN) == first
        assert told(first, first) == []

    def test_another_plan_is_told(self) -> None:
        first = status(router(4, **DRY), RUNNING, plan=PLAN)
        second = status(router(5, **DRY), first, plan=NO_PLAN)
        assert verdict(second, "DryRun") == ("True", "DryRunNoChanges")
        assert told(first, second) == ["DryRunNoChanges"]

    def test_a_refusal_is_a_warning_with_its_cause(self) -> None:
        said = status(router(4, **DRY), RUNNING, problems=[INVALID])
        assert verdict(said, "DryRun") == ("True", "DryRunRefused")
        planned = condition(said, "DryRun")
        assert planned
        assert "spec.replicas" in planned["message"]
        assert not transitions.is_news(planned)
        assert said["dryRun"]["changes"] == []

    def test_without_the_annotation_nothing_of_it_is_left(self) -> None:
        planned = status(router(4, **DRY), RUNNING, plan=PLAN)
        done = status(router(4), planned)
        assert "dryRun" not in done
        assert condition(done, "DryRun") is None
        assert told(planned, done)[0] == "Resumed"

    def test_what_is_known_stays_while_the_cluster_cannot_be_read(self) -> None:
        planned = status(router(4, **DRY), RUNNING, plan=PLAN)
        blind = status(router(4, **DRY), planned, problems=[UNREADABLE])
        assert blind["dryRun"] == planned["dryRun"]
        assert "dryRun" not in status(router(4, **DRY), RUNNING, problems=[UNREADABLE])
