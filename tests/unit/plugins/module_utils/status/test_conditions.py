"""Each condition says what is true, from live objects, with a reason and a remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    reasons,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from seen import (
    ALL_FOUND,
    FOUND,
    INVALID,
    LOST,
    NO_CLASS,
    NOT_BUILT,
    NOW,
    condition,
    deployment,
    router,
    status,
    verdict,
)

HOSTED = {"providers": {"models": [{"name": "gpt-4o-mini"}]}}
WITHOUT_ROUTE = (
    "spec.config.providers.models: there is no route to gpt-4o-mini, so requests for it are "
    "answered with 503. Give it an entry in spec.vllmEndpoints, or backend_refs with a base_url."
)
EARLIER = "2026-11-22T10:00:00Z"


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


def test_available_is_the_deployments_word_while_a_bad_edit_waits() -> None:
    said = status(problems=[INVALID])
    assert verdict(said, "Available") == ("True", "MinimumReplicasAvailable")
    assert verdict(said, "ConfigValid") == ("False", "InvalidSpec")
    assert said["observedGeneration"] == 3


def test_nothing_is_available_without_a_ready_pod_though_all_may_be_missing_in_a_rollout() -> None:
    workload = Workload(deployment(1, existing=1, updated=1, ready=0, available="True"))
    said = status(workload=workload)
    assert verdict(said, "Available") == ("False", "MinimumReplicasUnavailable")
    assert condition(said, "Available")["message"] == "0 of 1 pods available."


def test_every_problem_is_told_and_the_first_blocking_one_gives_the_reason() -> None:
    said = status(problems=[NOT_BUILT, INVALID])
    assert verdict(said, "Degraded") == ("True", "InvalidSpec")
    assert condition(said, "Degraded")["message"] == (
        "spec.replicas: found -1. Give 0 or more. spec.ingress.enabled: not built. Leave it out."
    )
    assert condition(said, "Ready")["message"] == "spec.replicas: found -1. Give 0 or more."


REFUSED = Problem("ApplyRefused", "", "Ingress my-router is refused: no", "Correct it")


@pytest.mark.parametrize(
    "problem",
    [
        NO_CLASS,
        NOT_BUILT,
        replace(REFUSED, retry=True),
        Problem("Forbidden", "spec.replicas", "a policy says no", "Ask", retry=True),
        Problem("ReconcileFailed", "", "a defect", "Report it"),
    ],
)
def test_config_is_valid_when_no_edit_is_needed_and_is_not_said_to_be_in_effect(
    problem: Problem,
) -> None:
    said = status(problems=[problem])
    assert verdict(said, "ConfigValid") == ("True", "ConfigAccepted")
    assert condition(said, "ConfigValid")["message"] == (
        "Every field of the spec is understood. "
        "Ready and Degraded say what keeps it from being in effect."
    )


def test_config_is_in_effect_when_nothing_is_in_the_way() -> None:
    assert condition(status(), "ConfigValid")["message"] == reasons.REASONS["ConfigAccepted"]
    paused = router()
    paused.resource["metadata"]["annotations"] = {"vllm.ai/paused": "true"}
    message = condition(status(owner=paused), "ConfigValid")["message"]
    assert message != reasons.REASONS["ConfigAccepted"]


def test_config_is_not_valid_when_an_edit_is_needed_and_no_field_is_known_to_be_wrong() -> None:
    said = status(problems=[REFUSED])
    assert verdict(said, "ConfigValid") == ("False", "ApplyRefused")
    assert condition(said, "ConfigValid")["message"] == str(REFUSED)


@pytest.mark.parametrize(
    ("facts", "spec", "expected", "message"),
    [
        (ALL_FOUND, {}, ("True", "AllBackendsResolved"), "1 of 1 resolved."),
        (
            Facts(endpoints=[replace(FOUND, remark="2 Services match: uses a, not b")]),
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
            {"config": {"providers": {"defaults": {"model": "hosted"}}}},
            ("False", "NoBackends"),
            "No backends found: spec.vllmEndpoints is empty.",
        ),
        (
            ALL_FOUND,
            {"config": HOSTED},
            ("False", "ModelsWithoutRoute"),
            WITHOUT_ROUTE,
        ),
        (
            Facts(),
            {"config": HOSTED},
            ("False", "ModelsWithoutRoute"),
            WITHOUT_ROUTE,
        ),
        (
            Facts(endpoints=[FOUND, LOST]),
            {"config": HOSTED},
            ("False", "SomeBackendsUnresolved"),
            "spec.vllmEndpoints[1].backend.service (second): no such Service. "
            f"Create it, or correct name and namespace. {WITHOUT_ROUTE}",
        ),
        (
            Facts(),
            {"config": HOSTED, "gateway": {"existingRef": {"name": "a", "namespace": "b"}}},
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


def test_a_model_without_a_route_degrades_and_alone_it_makes_no_router_ready() -> None:
    beside = status(ALL_FOUND, owner=router(config=HOSTED))
    assert beside["phase"] == "Degraded"
    assert verdict(beside, "Degraded") == ("True", "ModelsWithoutRoute")
    assert verdict(beside, "Ready")[0] == "True"
    alone = status(Facts(), owner=router(config=HOSTED))
    assert verdict(alone, "Ready") == ("False", "ModelsWithoutRoute")


def test_no_backends_at_all_is_a_fact_and_not_a_fault() -> None:
    assert verdict(status(Facts()), "Degraded") == ("False", "AsExpected")


def test_transition_times_move_only_when_the_status_flips() -> None:
    before = status(Facts(endpoints=[FOUND, LOST]))
    for item in before["conditions"]:
        item["lastTransitionTime"] = EARLIER
    said = status(ALL_FOUND, previous=before)
    moved = {item["type"] for item in said["conditions"] if item["lastTransitionTime"] == NOW}
    assert moved == {"Degraded", "BackendsResolved"}


def test_messages_are_one_line_and_fit() -> None:
    assert conditions.sanitized("a\n\tb\x1b[31m\u2028c ") == "a b [31m c"
    long = replace(INVALID, found="x" * 40000)
    message = condition(status(problems=[long]), "Degraded")["message"]
    assert len(message) == conditions.MESSAGE_LIMIT
    assert message.endswith("…")


def test_a_reason_that_the_api_server_would_refuse_does_not_cost_the_status() -> None:
    strange = replace(INVALID, reason="not a reason")
    assert verdict(status(problems=[strange]), "Degraded") == ("True", "InvalidSpec")


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


def test_a_password_in_plain_text_is_a_warning_that_is_told_once() -> None:
    exposed = Problem("PlainTextCredential", "spec.config.x", "plain", "Hide it", blocking=False)
    ignored = Problem("InvalidConfig", "spec.config.y", "unread", "Remove it", blocking=False)
    warned = status(problems=[ignored, exposed])
    assert verdict(warned, "ConfigValid") == ("True", "PlainTextCredential")
    assert "spec.config.y" in condition(warned, "ConfigValid")["message"]
    assert warned["phase"] == "Running"
    for before in ({}, status(), status(problems=[ignored])):
        told = [item["reason"] for item in transitions.between(before, warned)]
        assert told.count("PlainTextCredential") == 1
    assert not conditions.is_good(condition(warned, "ConfigValid"))
    assert transitions.between(warned, warned) == []


def test_what_is_given_up_without_envoy_is_said_and_is_no_fault() -> None:
    alone = router(gateway={"mode": "router"})
    said = status(owner=alone)

    assert said["gatewayMode"] == "router"
    assert verdict(said, "RouterServesAlone") == ("True", "NoEnvoyInPod")
    for word in ("retry", "headers", "memory", "spec.auth.jwt", "spec.cors", "ext_proc"):
        assert word in condition(said, "RouterServesAlone")["message"]
    assert (said["phase"], verdict(said, "Degraded")[0]) == ("Running", "False")


@pytest.mark.parametrize("gateway", [{}, {"mode": "envoy"}])
def test_nothing_is_given_up_where_envoy_is(gateway: dict[str, Any]) -> None:
    said = status(owner=router(gateway=gateway))

    assert "RouterServesAlone" not in [each["type"] for each in said["conditions"]]
    assert said["gatewayMode"] == "standalone"


def test_a_mode_that_is_refused_is_not_said_to_be_in_effect() -> None:
    said = status(owner=router(gateway={"mode": "router"}), problems=[INVALID])

    assert "RouterServesAlone" not in [each["type"] for each in said["conditions"]]


def test_a_release_that_nobody_knows_is_said_once_and_is_no_error() -> None:
    unknown = status(owner=router(image={"tag": "v0.9.1"}))
    assert verdict(unknown, "ReleaseAssumed") == ("True", "ReleaseAssumed")
    assert "v0.9.1" in condition(unknown, "ReleaseAssumed")["message"]
    assert unknown["config"]["assumed"] == condition(unknown, "ReleaseAssumed")["message"]
    assert unknown["phase"] == "Running"
    assert verdict(unknown, "ConfigValid") == ("True", "ConfigAccepted")
    told = transitions.between({}, unknown)
    assert "ReleaseAssumed" in [item["type"] for item in told]
    assert all(conditions.is_good(item) for item in told)
    assert transitions.between(unknown, unknown) == []


def test_of_a_known_release_nothing_is_said() -> None:
    known = status(owner=router(image={"tag": "v0.4.0"}))
    assert "ReleaseAssumed" not in {item["type"] for item in known["conditions"]}
    assert "assumed" not in known["config"]
