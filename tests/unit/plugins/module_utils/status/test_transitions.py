"""What is worth an Event, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from seen import (
    INVALID,
    LOST,
    ON_OPENSHIFT,
    status,
    with_route,
)


def test_a_route_is_told_as_an_event_when_it_flips_and_not_while_it_begins() -> None:
    waiting = status(ON_OPENSHIFT, workload=with_route())
    admitted = status(ON_OPENSHIFT, workload=with_route("True"))
    refused = status(ON_OPENSHIFT, workload=with_route("False"))
    begun = transitions.between(status(ON_OPENSHIFT), waiting)
    assert begun == []
    assert [item["reason"] for item in transitions.between(waiting, admitted)] == ["RouteAdmitted"]
    assert [item["reason"] for item in transitions.between(admitted, refused)] == ["RouteRefused"]


def test_a_first_run_tells_what_is_wrong_and_nothing_else() -> None:
    told = transitions.between({}, status(workload=Workload()))
    assert told == []
    told = transitions.between({}, status(Facts(endpoints=[LOST]), workload=Workload()))
    assert [item["reason"] for item in told] == ["NoBackendsResolved"]


def test_one_mistake_is_told_once() -> None:
    told = transitions.between(status(), status(problems=[INVALID]))
    assert [(item["type"], item["reason"]) for item in told] == [("ConfigValid", "InvalidSpec")]


def test_recovery_is_told() -> None:
    told = transitions.between(status(problems=[INVALID]), status())
    assert {item["type"] for item in told} == {"ConfigValid", "Degraded", "Ready"}
    assert all(conditions.is_good(item) for item in told)


# The others come and go with what asks for them, or with what Ready says, which is told too.
FLIPPING = [
    kind
    for kind in conditions.CONDITION_TYPES
    if kind
    not in (
        conditions.PAUSED,
        conditions.DRY_RUN,
        conditions.RECONCILING,
        conditions.STALLED,
        conditions.RELEASE_ASSUMED,
        conditions.ROUTER_SERVES_ALONE,
    )
]


@pytest.mark.parametrize("kind", FLIPPING)
@pytest.mark.parametrize(("before", "after"), [("True", "False"), ("False", "True")])
def test_a_condition_of_any_type_that_flips_is_told(kind: str, before: str, after: str) -> None:
    def of(value: str) -> dict[str, Any]:
        return {"conditions": [{"type": kind, "status": value, "reason": f"Was{value}"}]}

    assert transitions.between(of(before), of(after)) == of(after)["conditions"]
    assert transitions.between(of(after), of(after)) == []


def test_another_cause_of_the_same_trouble_is_told() -> None:
    def of(reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Degraded", "status": "True", "reason": reason}]}

    told = transitions.between(of("StorageClassNotFound"), of("ImagePullFailed"))
    assert told == of("ImagePullFailed")["conditions"]


def test_another_step_of_waiting_is_not_told() -> None:
    def of(reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "Ready", "status": "False", "reason": reason}]}

    assert transitions.between(of("DeploymentMissing"), of("PodsNotReady")) == []


def test_nothing_is_told_when_nothing_flips() -> None:
    assert transitions.between(status(), status()) == []


@pytest.mark.parametrize("reason", ["PlainTextCredential", "InvalidAnnotation", "FieldsIgnored"])
def test_a_new_warning_is_told_once_though_nothing_is_bad(reason: str) -> None:
    def of(reason: str) -> dict[str, Any]:
        return {"conditions": [{"type": "ConfigValid", "status": "True", "reason": reason}]}

    assert transitions.between(of("Valid"), of(reason)) == of(reason)["conditions"]
    assert transitions.between(of(reason), of(reason)) == []
    assert transitions.between(of(reason), of("Valid")) == []
