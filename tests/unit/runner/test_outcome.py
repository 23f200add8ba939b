"""Events, as ansible-runner prints them, become a result."""

from __future__ import annotations

from typing import Any

import pytest
from wrapper_runner.outcome import LONGEST_MESSAGE, Outcome, Outcomes, TaskFailure

STATS: dict[str, Any] = {
    "event": "playbook_on_stats",
    "event_data": {"ok": {"localhost": 1}, "changed": {}, "failures": {}, "dark": {}},
}
FAILED_STATS: dict[str, Any] = {
    "event": "playbook_on_stats",
    "event_data": {"ok": {}, "changed": {}, "failures": {"localhost": 1}, "dark": {}},
}


def ok(action: str = "vllm.semantic_router.apply", **result: Any) -> dict[str, Any]:
    data = {"task": "A task", "task_action": action, "res": result}
    return {"event": "runner_on_ok", "event_data": data}


def failed(action: str = "assert", ignored: bool = False, **result: Any) -> dict[str, Any]:
    data = {"task": "Check", "task_action": action, "ignore_errors": ignored, "res": result}
    return {"event": "runner_on_failed", "event_data": {**data, "task_args": "password=hunter2"}}


def outcome(*events: dict[str, Any]) -> Outcome:
    result = Outcome()
    for event in events:
        result.take(event)
    return result


def test_play_that_came_to_its_end_succeeded() -> None:
    assert outcome(ok(), STATS).succeeded


def test_play_without_its_closing_event_did_not_succeed() -> None:
    assert not outcome(ok()).succeeded


def test_failed_task_fails_the_run_and_says_why_without_its_arguments() -> None:
    result = outcome(failed(msg="no permit"), FAILED_STATS)
    assert not result.succeeded
    assert result.reason == "Check: no permit"
    assert "hunter2" not in repr(result)


def test_rescued_failure_is_kept_but_does_not_fail_the_run() -> None:
    result = outcome(failed(msg="no permit"), ok(), STATS)
    assert result.succeeded
    assert result.failures == [TaskFailure("Check", "no permit")]


def test_ignored_failure_is_none() -> None:
    assert outcome(failed(ignored=True, msg="so what"), STATS).failures == []


def test_unreachable_host_fails_the_run() -> None:
    data = {"task": "Look", "res": {"msg": "no route"}}
    stats = {"event": "playbook_on_stats", "event_data": {"dark": {"localhost": 1}, "changed": {}}}
    result = outcome({"event": "runner_on_unreachable", "event_data": data}, stats)
    assert not result.succeeded
    assert result.reason == "Look: no route"


@pytest.mark.parametrize("action", ["requeue_after", "operator_sdk.util.requeue_after"])
def test_requeue_after_sets_the_next_run(action: str) -> None:
    assert outcome(ok(action, period="1m15s"), STATS).requeue_after == 75


def test_other_action_with_a_period_sets_nothing() -> None:
    assert outcome(ok("vllm.semantic_router.status", period="15s"), STATS).requeue_after is None


def test_requeue_after_that_failed_sets_nothing() -> None:
    result = outcome(failed("operator_sdk.util.requeue_after", msg="bad"), FAILED_STATS)
    assert result.requeue_after is None


@pytest.mark.parametrize("period", [None, "soon", 15])
def test_period_that_is_no_duration_fails_the_run(period: Any) -> None:
    result = outcome(ok("requeue_after", period=period), STATS)
    assert not result.succeeded
    assert result.reason.startswith("requeue_after: ")


def test_messages_of_all_results_are_collected() -> None:
    result = outcome(ok(messages=["one", 2]), ok(messages=["three"]), ok(messages="four"), STATS)
    assert result.messages == ["one", "three"]


def test_written_objects_are_counted() -> None:
    objects = [{"action": "created"}, {"action": "unchanged"}, {"action": "pruned"}, "odd"]
    result = outcome(ok(objects=objects), STATS)
    assert result.changed == 2
    assert result.changed_something


def test_without_objects_the_changed_tasks_decide() -> None:
    changed = {"event": "playbook_on_stats", "event_data": {"changed": {"localhost": 1}}}
    assert outcome(ok(), changed).changed is None
    assert outcome(ok(), changed).changed_something
    assert not outcome(ok(), STATS).changed_something


def test_censored_result_stays_hidden() -> None:
    result = outcome(failed(censored="by no_log", msg="hunter2"), FAILED_STATS)
    assert result.reason == "Check: hidden by no_log"


@pytest.mark.parametrize("result", [None, "text", {}, {"msg": ""}])
def test_failure_without_words_is_one(result: Any) -> None:
    event = failed()
    event["event_data"]["res"] = result
    assert outcome(event, FAILED_STATS).reason == "Check: unknown playbook failure"


def test_endless_message_is_cut() -> None:
    result = outcome(failed(msg="x" * 100_000), FAILED_STATS)
    assert len(result.failures[0].message) == LONGEST_MESSAGE + 3


@pytest.mark.parametrize("event", [{}, {"event": "verbose"}, {"event": "runner_on_ok"}])
def test_event_without_content_is_no_problem(event: dict[str, Any]) -> None:
    assert outcome(event, STATS).succeeded


def test_conditions_are_those_of_the_status_that_was_said_last() -> None:
    ready = {"type": "Ready", "status": "True", "reason": "Ready"}
    result = outcome(ok(status={"conditions": []}), ok(status={"conditions": [ready]}), ok())
    assert result.conditions == [ready]


@pytest.mark.parametrize("status", [None, "running", {}, {"conditions": {}}, {"conditions": [1]}])
def test_status_of_another_form_has_no_conditions(status: Any) -> None:
    assert outcome(ok(status=status)).conditions == []


def on(host: str, event: dict[str, Any]) -> dict[str, Any]:
    return {**event, "event_data": {**event["event_data"], "host": host}}


def closing(**counts: dict[str, int]) -> dict[str, Any]:
    empty: dict[str, dict[str, int]] = {"changed": {}, "failures": {}, "dark": {}, "processed": {}}
    return {"event": "playbook_on_stats", "event_data": {**empty, **counts}}


def test_each_host_has_its_own_outcome() -> None:
    outcomes = Outcomes(["anna", "ben", "cleo"])
    ready = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}
    for event in (
        on("anna", ok(messages=["one"], objects=[{"action": "created"}], status=ready)),
        on("ben", failed(msg="no permit")),
        on("anna", ok("requeue_after", period="15s")),
        on("stranger", ok(messages=["from elsewhere"])),
        closing(processed={"anna": 2, "ben": 1}, failures={"ben": 1}, changed={"anna": 1}),
    ):
        outcomes.take(event)
    anna, ben, cleo = outcomes.of.values()
    assert (anna.succeeded, anna.requeue_after, anna.changed) == (True, 15, 1)
    assert (anna.messages, anna.conditions) == (["one"], ready["conditions"])
    assert (ben.succeeded, ben.reason, ben.messages) == (False, "Check: no permit", [])
    assert ben.requeue_after is None
    assert not ben.changed_something
    assert [outcome.took_place for outcome in (anna, ben, cleo)] == [True, True, False]


def test_period_that_is_none_fails_its_own_host_only() -> None:
    outcomes = Outcomes(["anna", "ben"])
    for event in (
        on("anna", ok("requeue_after", period="soon")),
        on("ben", ok("requeue_after", period="5s")),
        closing(processed={"anna": 1, "ben": 1}),
    ):
        outcomes.take(event)
    assert [outcome.succeeded for outcome in outcomes.of.values()] == [False, True]


def test_host_is_busy_from_the_beginning_of_a_task_to_its_end() -> None:
    outcomes = Outcomes(["anna", "ben", "cleo"])
    start: dict[str, Any] = {"event": "runner_on_start", "event_data": {}}
    for host in ("anna", "ben"):
        outcomes.take(on(host, start))
    outcomes.take(on("anna", ok()))
    assert [outcome.busy for outcome in outcomes.of.values()] == [False, True, False]


READS = [{"collection": "/api/v1/namespaces/ai/services", "seen": {"vllm": "7"}}]


def test_what_was_read_is_taken_from_the_result() -> None:
    result = outcome(ok(reads=READS, reads_suffice=True), ok("debug"), STATS)
    [interest] = result.reads.interests
    assert interest.seen == {"vllm": "7"}
    assert result.reads.complete
    assert result.reads_suffice


@pytest.mark.parametrize("more", [{}, {"reads_suffice": "yes"}])
def test_reads_alone_do_not_say_that_they_suffice(more: dict[str, Any]) -> None:
    assert not outcome(ok(reads=READS, **more), STATS).reads_suffice
