"""A Schedule that threads share: workers wait here for something to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from wrapper_runner.schedule import Key, Schedule


class WorkQueue:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._schedule = Schedule()
        self._changed = threading.Condition()
        self._closed = False

    def add(self, key: Key) -> None:
        with self._changed:
            self._schedule.add(key)
            self._changed.notify_all()

    def nudge(self, key: Key) -> None:
        with self._changed:
            self._schedule.nudge(key, self._clock())
            self._changed.notify_all()

    def hear(self, key: Key) -> None:
        with self._changed:
            self._schedule.hear(key, self._clock())
            self._changed.notify_all()

    def take(self, most: int) -> list[Key]:
        """Wait for keys to run together; none once the queue is closed."""
        return self._wait_for(lambda now: self._schedule.take(now, most))

    def take_isolated(self) -> list[Key]:
        """Wait for one to run by itself; none once the queue is closed."""
        return self._wait_for(self._schedule.take_isolated)

    def succeeded(self, key: Key, after: float | None, changed: bool = True) -> None:
        with self._changed:
            self._schedule.succeeded(key, self._clock(), after, changed)
            self._changed.notify_all()

    def failed(self, key: Key) -> float:
        with self._changed:
            self._changed.notify_all()
            return self._schedule.failed(key, self._clock())

    def forget(self, key: Key) -> None:
        with self._changed:
            self._schedule.forget(key)
            self._changed.notify_all()

    def isolate(self, key: Key) -> None:
        with self._changed:
            self._schedule.isolate(key)
            self._changed.notify_all()

    def close(self) -> None:
        """No more work is handed out; what is running is not touched."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def depth(self) -> int:
        with self._changed:
            return self._schedule.depth

    def _wait_for(self, take: Callable[[float], list[Key]]) -> list[Key]:
        with self._changed:
            while not self._closed:
                now = self._clock()
                keys = take(now)
                if keys:
                    return keys
                self._changed.wait(self._schedule.next_due(now))
        return []
