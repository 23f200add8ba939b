"""Who runs when. Every test tells the time itself."""

from __future__ import annotations

import pytest
from wrapper_runner.schedule import (
    BURST,
    FIRST_PATIENCE,
    LONGEST_PATIENCE,
    LONGEST_RETRY,
    PROMPT_RETRY,
    SETTLE,
    Key,
    Schedule,
)

ANNA, BEN = Key("ai", "anna"), Key("ai", "ben")


@pytest.fixture
def schedule() -> Schedule:
    return Schedule()


def fail(schedule: Schedule, times: int) -> float:
    """Let ANNA fail so often, each time as soon as it may; the moment after the last time."""
    now = 0.0
    schedule.add(ANNA)
    for _ in range(times):
        assert schedule.take(now) == [ANNA]
        now += schedule.failed(ANNA, now)
    return now


def test_keys_are_handed_out_in_the_order_of_their_arrival(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.add(BEN)
    assert (schedule.take(0), schedule.take(0), schedule.take(0)) == ([ANNA], [BEN], [])


def test_key_that_waits_is_there_once(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.add(ANNA)
    assert schedule.depth == 1


def test_key_is_with_one_worker_at_a_time_and_runs_once_more_afterwards(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.add(ANNA)
    schedule.add(ANNA)
    assert schedule.take(0) == []
    schedule.succeeded(ANNA, 0, None)
    assert schedule.take(0) == [ANNA]
    schedule.succeeded(ANNA, 0, None)
    assert schedule.take(0) == []


def test_success_schedules_the_next_run(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 5, 15)
    assert schedule.next_due(5) == 15
    assert schedule.take(19.9) == []
    assert schedule.take(20) == [ANNA]


def test_run_in_between_replaces_the_scheduled_one(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 0, 15)
    schedule.add(ANNA)
    assert schedule.take(10) == [ANNA]
    schedule.succeeded(ANNA, 10, 15)
    assert schedule.take(15) == []
    assert schedule.take(25) == [ANNA]


def test_patience_with_failures_doubles_up_to_a_limit(schedule: Schedule) -> None:
    schedule.add(ANNA)
    delays = []
    now = 0.0
    for _ in range(12):
        assert schedule.take(now) == [ANNA]
        delays.append(schedule.failed(ANNA, now))
        assert schedule.take(now + delays[-1] - 0.001) == []
        now += delays[-1]
    assert delays == [1, 2, 4, 8, *[PROMPT_RETRY] * 8]


@pytest.mark.parametrize(
    ("many", "longest"), [(20, PROMPT_RETRY), (300, 60), (2000, LONGEST_RETRY)]
)
def test_of_many_that_fail_each_waits_longer(schedule: Schedule, many: int, longest: float) -> None:
    for number in range(many):
        schedule.add(Key("ai", f"router-{number}"))
    now = 0.0
    for _ in range(11):
        delays = {schedule.failed(key, now) for key in schedule.take(now, most=many)}
        now += max(delays)

    assert delays == {longest}


def test_success_restores_the_patience(schedule: Schedule) -> None:
    now = fail(schedule, 5)
    assert schedule.take(now) == [ANNA]
    schedule.succeeded(ANNA, now, None)
    schedule.add(ANNA)
    schedule.take(now)
    assert schedule.failed(ANNA, now) == 1


def test_change_of_a_failing_object_itself_does_not_wait(schedule: Schedule) -> None:
    now = fail(schedule, 5)
    schedule.add(ANNA)
    assert schedule.take(now - 10) == [ANNA]


def test_change_of_a_failing_object_during_its_run_does_not_wait_either(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.add(ANNA)
    schedule.failed(ANNA, 0)
    assert schedule.take(0) == [ANNA]


def test_dependents_of_a_failing_object_wait_for_its_retry(schedule: Schedule) -> None:
    now = fail(schedule, 5)
    schedule.nudge(ANNA, now - 10)
    assert schedule.take(now - 1) == []


def test_run_that_writes_and_fails_does_not_wake_itself_up(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.nudge(ANNA, 0)
    delay = schedule.failed(ANNA, 0)
    assert schedule.take(delay - 0.1) == []


def test_dependent_that_changes_during_a_run_makes_one_more(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.nudge(ANNA, 0)
    schedule.succeeded(ANNA, 3, 600)
    assert schedule.take(3 + SETTLE / 2) == []
    assert schedule.take(3 + SETTLE) == [ANNA]
    schedule.succeeded(ANNA, 4, 600)
    assert schedule.take(5) == []


def test_burst_of_dependents_makes_one_run(schedule: Schedule) -> None:
    for moment in (0.0, BURST / 2, BURST):
        schedule.nudge(ANNA, moment)
    assert schedule.take(BURST / 2) == []
    assert schedule.take(BURST) == [ANNA]
    schedule.succeeded(ANNA, 1, None)
    assert schedule.take(10) == []


def test_rollout_that_goes_on_after_its_run_makes_one_more(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.nudge(ANNA, 1)
    schedule.succeeded(ANNA, 1, 600)
    for step in (0.1, 0.2, 0.3):
        schedule.nudge(ANNA, 1 + step)
    assert schedule.take(1 + SETTLE - 0.01) == []
    assert schedule.take(1 + SETTLE) == [ANNA]
    schedule.succeeded(ANNA, 2, 600)
    assert schedule.take(600) == []


def test_change_of_an_object_itself_does_not_wait_for_a_rollout(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 1, 600)
    schedule.nudge(ANNA, 1)
    schedule.add(ANNA)
    assert schedule.take(1) == [ANNA]


def test_nudge_comes_before_a_later_period(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 0, 600)
    schedule.nudge(ANNA, 5)
    assert schedule.next_due(5) == pytest.approx(BURST)


def test_forgotten_key_does_not_come_back_by_itself(schedule: Schedule) -> None:
    now = fail(schedule, 3)
    assert schedule.take(now) == [ANNA]
    schedule.forget(ANNA)
    assert schedule.take(now + 10_000) == []
    assert schedule.next_due(now) is None


def test_object_that_is_made_again_while_it_is_forgotten_is_not_lost(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.add(ANNA)
    schedule.forget(ANNA)
    assert schedule.take(0) == [ANNA]


def test_nothing_to_do_has_no_time(schedule: Schedule) -> None:
    assert schedule.next_due(0) is None


def test_all_that_are_ready_are_handed_out_together_up_to_a_number(schedule: Schedule) -> None:
    keys = [Key("ai", str(number)) for number in range(5)]
    for key in keys:
        schedule.add(key)
    assert schedule.take(0, 3) == keys[:3]
    assert schedule.take(0, 3) == keys[3:]
    assert schedule.take(0, 3) == []


def test_key_that_runs_with_others_is_not_handed_out_again(schedule: Schedule) -> None:
    schedule.add(ANNA)
    assert schedule.take(0, 3) == [ANNA]
    schedule.add(ANNA)
    schedule.add(BEN)
    assert schedule.take(0, 3) == [BEN]
    schedule.succeeded(ANNA, 1, None)
    assert schedule.take(1, 3) == [ANNA]


def test_look_that_will_soon_be_due_shares_a_run_that_takes_place_anyway(
    schedule: Schedule,
) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 0, 600)
    schedule.add(BEN)
    assert schedule.take(539, 2) == [BEN]
    schedule.succeeded(BEN, 539, None)
    assert schedule.take(540, 2) == []
    schedule.add(BEN)
    assert schedule.take(540, 2) == [BEN, ANNA]
    schedule.succeeded(ANNA, 541, None)
    assert schedule.take(600, 2) == []


def test_those_that_are_due_first_share_a_run_first(schedule: Schedule) -> None:
    later, sooner = Key("ai", "later"), Key("ai", "sooner")
    for key, now in ((sooner, 0), (later, 10)):
        schedule.add(key)
        schedule.take(now)
        schedule.succeeded(key, now, 600)
    schedule.add(ANNA)
    assert schedule.take(590, 2) == [ANNA, sooner]


def test_look_of_a_run_by_itself_is_not_early(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 0, 600)
    schedule.add(BEN)
    assert schedule.take(599) == [BEN]
    assert schedule.take(599) == []


def test_neither_a_retry_nor_a_rollout_is_looked_at_early(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.failed(ANNA, 0)
    schedule.add(BEN)
    schedule.take(0)
    schedule.nudge(BEN, 0)
    schedule.succeeded(BEN, 0, 600)
    other = Key("ai", "other")
    schedule.add(other)
    assert schedule.take(SETTLE - 0.01, 3) == [other]


def test_isolated_key_is_handed_out_by_itself_until_it_has_succeeded(schedule: Schedule) -> None:
    for key in (ANNA, BEN):
        schedule.add(key)
    assert schedule.take(0, 2) == [ANNA, BEN]
    assert schedule.take_isolated(0) == []
    schedule.isolate(ANNA)
    schedule.succeeded(BEN, 0, None)
    assert schedule.depth == 1
    assert schedule.take(0, 2) == []
    assert schedule.take_isolated(0) == [ANNA]
    delay = schedule.failed(ANNA, 0)
    assert schedule.take(delay, 2) == []
    assert schedule.take_isolated(delay) == [ANNA]
    schedule.succeeded(ANNA, 5, None)
    schedule.add(ANNA)
    assert schedule.take_isolated(5) == []
    assert schedule.take(5, 2) == [ANNA]


def test_object_that_is_made_again_is_not_isolated_any_more(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0, 2)
    schedule.isolate(ANNA)
    schedule.take_isolated(0)
    schedule.add(ANNA)
    schedule.forget(ANNA)
    assert schedule.take(0, 2) == [ANNA]


def hear_and_run(schedule: Schedule, now: float, changed: bool) -> float:
    """Let ANNA hear news the moment its last run has ended, and run; when that run began."""
    schedule.hear(ANNA, now)
    due = schedule.next_due(now)
    assert due is not None
    assert schedule.take(now + due - 0.001) == []
    assert schedule.take(now + due) == [ANNA]
    schedule.succeeded(ANNA, now + due, 600, changed)
    return now + due


def test_first_news_of_others_does_not_wait(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.succeeded(ANNA, 0, 600)
    assert hear_and_run(schedule, 100, changed=True) == pytest.approx(100 + BURST)


def test_patience_with_news_that_change_nothing_doubles_up_to_a_limit(schedule: Schedule) -> None:
    now = hear_and_run(schedule, 100, changed=False)
    gaps = []
    for _ in range(7):
        began = hear_and_run(schedule, now, changed=False)
        gaps.append(began - now)
        now = began
    assert gaps == pytest.approx([2, 4, 8, 16, 32, LONGEST_PATIENCE, LONGEST_PATIENCE])


def test_news_that_changed_something_restores_the_patience(schedule: Schedule) -> None:
    now = 100.0
    for _ in range(5):
        now = hear_and_run(schedule, now, changed=False)
    now = hear_and_run(schedule, now, changed=True)
    assert hear_and_run(schedule, now, changed=True) - now == pytest.approx(FIRST_PATIENCE)


def test_news_after_a_quiet_time_does_not_wait(schedule: Schedule) -> None:
    now = 100.0
    for _ in range(5):
        now = hear_and_run(schedule, now, changed=False)
    quiet = now + LONGEST_PATIENCE + 1
    now = hear_and_run(schedule, quiet, changed=False)
    assert now == pytest.approx(quiet + BURST)
    assert hear_and_run(schedule, now, changed=False) - now == pytest.approx(FIRST_PATIENCE)


def test_news_during_a_run_is_left_to_the_comparison_after_it(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.take(0)
    schedule.hear(ANNA, 0)
    schedule.succeeded(ANNA, 1, 600)
    assert schedule.take(500) == []


def test_news_of_others_does_not_shorten_a_retry(schedule: Schedule) -> None:
    now = fail(schedule, 5)
    schedule.hear(ANNA, now - 10)
    assert schedule.take(now - 1) == []


def test_what_waits_already_is_not_run_once_more_for_a_nudge(schedule: Schedule) -> None:
    schedule.add(ANNA)
    schedule.nudge(ANNA, 0)
    assert schedule.take(0) == [ANNA]
    schedule.succeeded(ANNA, 0, None)
    assert schedule.next_due(0) is None
