"""Converged says of each router's configuration what it said itself, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    requeue_after,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    NOT_TOLD,
    OUTSIDE,
    ROLLING_OUT,
    UNREACHABLE,
    Convergence,
    Told,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from seen import ALL_FOUND, INVALID, ROLLED_OUT, condition, router, status, verdict

NEW, OLD = "a" * 64, "b" * 64
FRESH, STALE = Told("router-1", NEW), Told("router-2", OLD)
SILENT = Told("router-3", reason=NOT_TOLD, why="the router does not say (404)")
FAR = Told("router-4", reason=UNREACHABLE, why="port 8181 is out of reach")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Convergence(NEW, [FRESH]), ("True", "ConfigActive")),
        (Convergence(NEW, [FRESH, STALE, FAR, SILENT]), ("False", "ConfigNotActive")),
        (Convergence(NEW, [FRESH, SILENT, FAR]), ("Unknown", "PodsUnreachable")),
        (Convergence(NEW, [FRESH, SILENT]), ("Unknown", "ActiveConfigNotTold")),
        (Convergence(NEW, [FRESH], left_out=1), ("Unknown", "ActiveConfigNotTold")),
        (Convergence(NEW), ("Unknown", "PodsUnreachable")),
        (Convergence(NEW, unasked=OUTSIDE), ("Unknown", "OperatorOutsideCluster")),
        (Convergence(NEW, unasked=ROLLING_OUT), ("False", "RolloutInProgress")),
    ],
)
def test_it_is_true_only_when_every_ready_pod_has_said_so(
    found: Convergence, expected: tuple[str, str]
) -> None:
    assert verdict(status(convergence=found), "Converged") == expected


def test_there_is_nothing_to_say_without_a_pod() -> None:
    said = status()
    assert "Converged" not in {item["type"] for item in said["conditions"]}
    assert "activeConfig" not in said


def test_a_stale_pod_is_named_with_its_hash_and_holds_up_ready_but_is_no_fault() -> None:
    said = status(convergence=Convergence(NEW, [FRESH, STALE]))
    assert said["activeConfig"] == {
        "desired": NEW,
        "pods": [{"name": "router-1", "hash": NEW}, {"name": "router-2", "hash": OLD}],
    }
    assert f"router-2 ({OLD[:12]})" in condition(said, "Converged")["message"]
    assert "router-1" not in condition(said, "Converged")["message"]
    assert verdict(said, "Ready") == ("False", "ConfigNotActive")
    assert verdict(said, "Reconciling") == ("True", "ConfigNotActive")
    assert verdict(said, "Degraded") == ("False", "AsExpected")
    assert said["phase"] == "Progressing"


@pytest.mark.parametrize("unasked", [OUTSIDE, NOT_TOLD, UNREACHABLE])
def test_who_cannot_be_asked_changes_nothing_else(unasked: str) -> None:
    said = status(convergence=Convergence(NEW, unasked=unasked))
    assert verdict(said, "Ready") == ("True", "RouterReady")
    assert said["phase"] == "Running"


def test_a_pod_that_does_not_say_is_listed_with_the_reason() -> None:
    said = status(convergence=Convergence(NEW, [SILENT]))
    assert said["activeConfig"]["pods"] == [{"name": "router-3", "message": SILENT.why}]


@pytest.mark.parametrize(
    ("found", "after", "suffice"),
    [
        (Convergence(NEW, [FRESH]), "10m", True),
        (Convergence(NEW, [SILENT]), "10m", True),
        (Convergence(NEW, unasked=OUTSIDE), "10m", True),
        (Convergence(NEW, [FAR]), "10m", False),
        (Convergence(NEW, [FRESH, STALE]), "30s", False),
    ],
)
def test_it_is_looked_at_again_soon_until_it_has_converged_and_then_no_more(
    found: Convergence, after: str, suffice: bool
) -> None:
    owner = router(persistence={"enabled": False})
    situation = Situation(owner, ALL_FOUND, [], ROLLED_OUT, found)
    assert requeue_after.period(situation) == after
    assert requeue_after.reads_suffice(situation) is suffice


def test_a_mistake_that_waits_says_more_than_a_pod_that_lags() -> None:
    said = status(problems=[INVALID], convergence=Convergence(NEW, [STALE]))
    assert verdict(said, "Ready") == ("False", "InvalidSpec")
    assert said["phase"] == "Degraded"


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["type"], item["reason"]) for item in transitions.between(before, after)]


def test_a_lagging_pod_is_one_event_and_a_later_look_none() -> None:
    well = status(convergence=Convergence(NEW, [FRESH]))
    lagging = status(convergence=Convergence(NEW, [STALE]), previous=well)
    assert [reason for _, reason in told(well, lagging)] == ["ConfigNotActive"]
    again = status(convergence=Convergence(NEW, [STALE]), previous=lagging)
    assert again == lagging
    assert told(lagging, again) == []
