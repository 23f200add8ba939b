"""What `kubectl sr wait` waits for, and what it says on the way."""

from __future__ import annotations

import sys
from io import StringIO
from typing import Any

import pytest
from examples import resource
from semantic_router_cli.motion import ProgressLine
from semantic_router_cli.rollout import Goal, GoalError, Progress, models, progress


def router(status: str = "False", observed: int = 2, generation: int = 2) -> dict[str, Any]:
    condition = {
        "type": "Ready", "status": status, "reason": "RolloutInProgress",
        "message": "1 of 2 pods updated.", "observedGeneration": observed,
    }  # fmt: skip
    found = resource()
    found["metadata"]["generation"] = generation
    found["status"] = {"replicas": 2, "readyReplicas": 1, "conditions": [condition]}
    return found


@pytest.mark.parametrize(
    ("text", "goal"),
    [
        ("ready", Goal("Ready")),
        ("backends", Goal("BackendsResolved")),
        ("condition=Degraded", Goal("Degraded")),
        ("condition=Ready=False", Goal("Ready", "False")),
        ("deleted", Goal("")),
    ],
)
def test_a_goal_is_spelled_as_a_word_or_as_kubectl_wait_spells_it(text: str, goal: Goal) -> None:
    assert Goal.parse(text) == goal


@pytest.mark.parametrize("text", ["", "soon", "condition="])
def test_another_goal_is_refused_with_the_ways_there_are(text: str) -> None:
    with pytest.raises(GoalError, match="ready, available, backends, route, deleted"):
        Goal.parse(text)


def test_a_rollout_tells_its_pods_and_its_reason() -> None:
    said = progress(router(), Goal("Ready"))

    assert (said.reached, said.pods_ready, said.pods) == (False, 1, 2)
    assert said.step == "RolloutInProgress: 1 of 2 pods updated."


def test_what_the_pods_say_of_their_models_says_more() -> None:
    assert "2 of 5 models" in progress(router(), Goal("Ready"), "2 of 5 models").step


def test_a_goal_of_an_earlier_generation_is_not_reached() -> None:
    assert not progress(router("True", observed=1), Goal("Ready")).reached
    assert progress(router("True"), Goal("Ready")).reached


def test_a_router_that_is_not_there_is_gone_or_not_yet_there() -> None:
    assert progress(None, Goal("")).reached
    assert not progress(None, Goal("Ready")).reached
    assert not progress(router("True"), Goal("")).reached


@pytest.mark.parametrize("goal", [Goal(""), Goal("Ready")])
def test_what_holds_a_deletion_is_named(goal: Goal) -> None:
    found = router()
    found["metadata"] |= {"deletionTimestamp": "2026-01-01T11:00:00Z", "finalizers": ["a/b", "c"]}
    said = progress(found, goal)

    assert (said.reached, said.step) == (False, "is being deleted, held by finalizers a/b, c")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({}, ""),
        ({"total_models": 5, "ready_models": 2, "downloading_model": "mom"},
         "2 of 5 models, downloading mom"),
        ({"message": "warming up"}, "warming up"),
    ],
)  # fmt: skip
def test_the_routers_account_of_its_start_becomes_one_line(said: dict[str, Any], line: str) -> None:
    assert models(said) == line


def test_a_condition_that_there_is_not_is_no_reason_to_wait_for_the_operator() -> None:
    found = router()
    found["status"]["observedGeneration"] = 2
    said = progress(found, Goal("Redy"))

    assert (said.reached, said.step) == (False, "there is no condition Redy, but Ready")


def test_letters_of_a_goal_may_be_small_as_with_kubectl_wait() -> None:
    assert progress(router(status="True"), Goal("ready", "true")).reached


@pytest.mark.parametrize("columns", ["60", "100"])
def test_a_long_message_leaves_name_bar_and_pods_their_room(
    monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    screen = StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", screen)
    for name, value in {"COLUMNS": columns, "TERM": "xterm", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    with ProgressLine("my-router") as show:
        show(Progress(False, 1, 2, "NoBackendsResolved: " + "and more of it " * 20))

    shown = screen.getvalue().replace("\r", "\n").splitlines()
    assert [line for line in shown if "my-router" in line and "1/2 pods" in line and "NoBa" in line]
