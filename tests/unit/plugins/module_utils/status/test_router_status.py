"""A status says what is true, from live objects, without a cluster and without a clock."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import router_status
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from seen import (
    ALL_FOUND,
    FOUND,
    INVALID,
    LOST,
    NO_CLASS,
    NOT_BUILT,
    NOW,
    ROLLED_OUT,
    STARTING,
    UNREADABLE,
    deployment,
    router,
    status,
    verdict,
)


def test_a_router_with_all_pods_and_backends_is_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_config, "schema_version", lambda contract: f"{contract}.0")
    said = status()
    assert {key: said[key] for key in said if key not in ("conditions", "endpoints")} == {
        "phase": "Running",
        "replicas": 2,
        "readyReplicas": 2,
        "selector": "app.kubernetes.io/instance=my-router,app.kubernetes.io/name=semantic-router",
        "observedGeneration": 3,
        "appliedGeneration": 3,
        "config": {"contract": "0.4", "schema": "vllm-sr 0.4.0"},
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


def test_a_router_whose_document_nothing_was_held_against_names_no_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(router_config, "schema_version", lambda _: None)
    assert status()["config"] == {"contract": "0.4"}


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
    assert said["phase"] in router_status.PHASES
    assert verdict(said, "Ready") == ready


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


def test_an_endpoint_whose_certificate_is_not_verified_is_listed_as_such() -> None:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}}
    entries = [
        {"name": FOUND.name, "model": "m", "backend": {**backend, "tls": tls}}
        for tls in ({"insecureSkipVerify": True}, {"caRef": {"name": "ca"}})
    ]
    facts = Facts(endpoints=[replace(FOUND, scheme="https")])
    skipped, verified = (
        status(facts, owner=router(vllmEndpoints=[entry]))["endpoints"] for entry in entries
    )
    assert [item["insecureSkipVerify"] for item in skipped] == [True]
    assert [item.get("insecureSkipVerify") for item in verified] == [None]


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


def test_a_second_look_at_the_same_things_gives_the_same_bytes() -> None:
    first = status()
    situation = Situation(router(), ALL_FOUND, [], ROLLED_OUT)
    later = router_status.build(situation, "2030-01-01T00:00:00Z", first)
    assert json.dumps(later) == json.dumps(first)


def test_the_summary_is_one_line_without_the_users_text() -> None:
    facts = Facts(endpoints=[replace(LOST, message="{{ lookup('pipe', 'id') }}")])
    line = router_status.summary(facts, status(facts))
    assert line == (
        "Degraded (NoBackendsResolved), 2 of 2 replicas ready, 0 of 1 backends resolved; "
        "Failed to discover backend spec.vllmEndpoints[0]: ServiceNotFound; No backends found"
    )


def test_the_log_tells_each_problem_and_then_sums_up() -> None:
    situation = Situation(router(), ALL_FOUND, [INVALID], ROLLED_OUT)
    lines = router_status.messages(situation, status(problems=[INVALID]))
    assert lines[0] == "spec.replicas: found -1. Give 0 or more."
    assert lines[1].startswith("Degraded (InvalidSpec)")


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


def test_what_is_in_effect_stays_so_however_often_a_mistake_is_looked_at() -> None:
    edited = router(generation=4)
    once = status(problems=[INVALID], previous=status(), owner=edited)
    again = status(problems=[INVALID], previous=once, owner=edited)
    assert (again["observedGeneration"], again["appliedGeneration"]) == (4, 3)


def test_what_a_dry_run_found_stays_while_the_cluster_cannot_be_read() -> None:
    resource = router().resource
    annotated = {**resource["metadata"], "annotations": {"vllm.ai/dry-run": "true"}}
    asked = Router({**resource, "metadata": annotated})
    change = {"kind": "Service", "name": "my-router", "action": "change", "fields": ["spec.type"]}
    plan = {"summary": "1 to change", "changes": [change]}
    found = router_status.build(Situation(asked, ALL_FOUND, [], ROLLED_OUT), NOW, {}, plan)
    blind = router_status.build(Situation(asked, Facts(), [UNREADABLE]), NOW, found)
    assert blind["dryRun"] == found["dryRun"] == {"observedGeneration": 3, **plan}
