"""Workers wait for something to do, and for nothing once the queue is closed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

import pytest
from wrapper_runner.schedule import FIRST_RETRY, Key
from wrapper_runner.workqueue import WorkQueue

ANNA, BERT = Key("ai", "anna"), Key("ai", "bert")
LONG = 20.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def waiting(pool: ThreadPoolExecutor, take: Callable[[], list[Key]]) -> Future[list[Key]]:
    """A worker that has found nothing to do."""
    worker = pool.submit(take)
    with pytest.raises(NotYet):
        worker.result(0.1)
    return worker


def test_who_waits_is_woken_by_what_is_added() -> None:
    queue = WorkQueue()
    with ThreadPoolExecutor(1) as pool:
        worker = waiting(pool, lambda: queue.take(16))
        queue.add(ANNA)
        assert worker.result(LONG) == [ANNA]


def test_who_waits_is_woken_by_a_nudge_when_its_burst_is_over() -> None:
    queue = WorkQueue()
    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(queue.take, 16)
        queue.nudge(ANNA)
        assert worker.result(LONG) == [ANNA]


@pytest.mark.parametrize("isolated", [False, True])
def test_closing_sends_everybody_home(isolated: bool) -> None:
    queue = WorkQueue()
    with ThreadPoolExecutor(1) as pool:
        worker = waiting(pool, queue.take_isolated if isolated else lambda: queue.take(16))
        queue.close()
        assert worker.result(LONG) == []
    queue.add(ANNA)
    assert queue.take(16) == []


def test_an_isolated_one_wakes_the_worker_for_these() -> None:
    queue = WorkQueue()
    queue.add(ANNA)
    assert queue.take(16) == [ANNA]
    with ThreadPoolExecutor(1) as pool:
        worker = waiting(pool, queue.take_isolated)
        queue.isolate(ANNA)
        assert worker.result(LONG) == [ANNA]


def test_a_run_that_ends_wakes_who_waits_for_its_time() -> None:
    queue = WorkQueue()
    queue.add(ANNA)
    queue.take(16)
    with ThreadPoolExecutor(1) as pool:
        worker = waiting(pool, lambda: queue.take(16))
        queue.succeeded(ANNA, 0.2)
        assert worker.result(LONG) == [ANNA]


def test_time_is_the_queues_clock() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    queue.add(ANNA)
    queue.take(16)
    assert queue.failed(ANNA) == FIRST_RETRY
    queue.add(BERT)
    assert queue.take(16) == [BERT]
    clock.now = FIRST_RETRY
    assert queue.take(16) == [ANNA]
    queue.forget(ANNA)
    queue.add(ANNA)
    assert queue.depth == 1
    assert queue.take(16) == [ANNA]
    assert queue.failed(ANNA) == FIRST_RETRY
