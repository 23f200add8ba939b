"""What waiting may cure is looked at soon, and the rest as often as its owner wants."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import requeue_after
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.reasons import REASONS
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
    ON_OPENSHIFT,
    ROLLED_OUT,
    STARTING,
    UNREADABLE,
    router,
    with_route,
)

WATCHES = Path(requeue_after.__file__).parents[3] / "watches.yaml"


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
    assert requeue_after.period(Situation(router(), facts, problems, workload)) == after


UNREAD = replace(LOST, reason="BackendUnreadable")
FORBIDDEN = Problem("Forbidden", "", "no right", "Grant it", retry=True)
OTHERS_CLAIM = replace(ROLLED_OUT, claim_name="of-the-user")


@pytest.mark.parametrize(
    ("facts", "problems", "workload", "enough"),
    [
        (ALL_FOUND, [], ROLLED_OUT, True),
        # The Service that is missing has been read, and it comes before anybody looks again.
        (Facts(endpoints=[FOUND, LOST]), [], ROLLED_OUT, True),
        (ALL_FOUND, [INVALID], Workload(), True),
        (Facts(endpoints=[UNREAD]), [], ROLLED_OUT, False),
        (ALL_FOUND, [], STARTING, False),
        # So has the list of StorageClasses.
        (ALL_FOUND, [NO_CLASS], Workload(), True),
        (ALL_FOUND, [NO_CLASS, FORBIDDEN], Workload(), False),
        (Facts(), [UNREADABLE], ROLLED_OUT, False),
        (ALL_FOUND, [], OTHERS_CLAIM, False),
    ],
)
def test_news_of_what_was_read_is_enough_where_nothing_else_is_waited_for(
    facts: Facts, problems: list[Problem], workload: Workload, enough: bool
) -> None:
    situation = Situation(router(), facts, problems, workload)
    assert requeue_after.reads_suffice(situation) is enough


def test_every_problem_that_is_of_reads_is_one_that_there_is() -> None:
    assert set(REASONS) >= requeue_after.OF_READS


@pytest.mark.parametrize("period", ["1h", requeue_after.SETTLED])
def test_whoever_annotates_the_router_has_it_looked_at_whatever_is_watched(period: str) -> None:
    situation = Situation(annotated(period), ALL_FOUND, [], ROLLED_OUT)
    assert not requeue_after.reads_suffice(situation)


def annotated(period: str) -> Router:
    resource = {**router().resource}
    resource["metadata"] = {
        **resource["metadata"],
        "annotations": {requeue_after.ANNOTATION: period},
    }
    return Router(resource)


@pytest.mark.parametrize("is_told_of_status", [True, False])
@pytest.mark.parametrize("workload", [ROLLED_OUT, with_route("True")])
def test_whoever_wants_to_know_earlier_annotates_the_router(
    workload: Workload, is_told_of_status: bool
) -> None:
    situation = Situation(annotated("1m30s"), ON_OPENSHIFT, [], workload)
    assert requeue_after.period(situation, is_told_of_status) == "1m30s"


def test_what_is_waited_for_is_looked_at_sooner_than_the_annotation_says() -> None:
    assert requeue_after.period(Situation(annotated("1h"), ALL_FOUND, [], STARTING)) == "30s"


def test_an_annotation_that_is_no_duration_counts_as_none() -> None:
    assert requeue_after.by_itself(annotated("soon")) == requeue_after.SETTLED


def test_without_annotation_it_is_the_period_of_the_watch() -> None:
    (watch,) = yaml.safe_load(WATCHES.read_text(encoding="utf-8"))
    assert watch["reconcilePeriod"] == requeue_after.SETTLED
    assert requeue_after.by_itself(router()) == requeue_after.SETTLED
