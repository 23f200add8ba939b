"""What has to be run, when: the decisions of a work queue, without threads and without a clock.

Every call says what time it is. A key is handed out to one worker at a time; what happens to it in
the meantime makes one more run afterwards, however often it happened. Keys may be handed out
together, for one run; one that was isolated is handed out by itself until it has succeeded.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import NamedTuple

FIRST_RETRY = 1.0
# What was wrong with the cluster for an hour is over at some moment, and users are promised to have
# what they asked for 30 s later. Many that fail share the time, so that one that will never succeed
# costs little.
PROMPT_RETRY = 15.0
SHARE_OF_RETRIES = 0.2
LONGEST_RETRY = 300.0
# Dependents change in bursts (a rollout is a dozen status updates): one run sees them all.
BURST = 0.1
# A rollout goes on after the run that began it; its first steps are looked at together as well.
SETTLE = 0.5
# Others' objects may change all the time. A run for their sake waits so long after the one before,
# and after each that has changed nothing twice as long.
FIRST_PATIENCE = 2.0
LONGEST_PATIENCE = 60.0
# A look that only time calls for may come this part of its delay early, to share another's run.
SLACK = 0.1


class Key(NamedTuple):
    """An object to reconcile; the namespace of a cluster-scoped one is ""."""

    namespace: str
    name: str


class _Due(NamedTuple):
    """When a key has to run, and from when on it may."""

    moment: float
    early: float


class Schedule:
    def __init__(self) -> None:
        self._ready: deque[Key] = deque()
        self._ready_isolated: deque[Key] = deque()
        self._isolated: set[Key] = set()
        self._waiting: set[Key] = set()  # the keys of _ready and _ready_isolated
        self._running: set[Key] = set()
        self._again: set[Key] = set()  # running ones that have to be run once more
        self._nudged: set[Key] = set()  # the same, unless the run fails
        self._due: dict[Key, _Due] = {}
        self._heap: list[tuple[float, Key]] = []  # may hold stale entries; _due is the truth
        self._failures: dict[Key, int] = {}
        self._ended: dict[Key, float] = {}  # when the last run did
        self._heard: set[Key] = set()  # what others' objects have a run for
        self._patience: dict[Key, float] = {}  # with news of those

    def add(self, key: Key) -> None:
        """Something about the object itself: run as soon as possible, failed before or not."""
        if key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._due.pop(key, None)
            (self._ready_isolated if key in self._isolated else self._ready).append(key)
            self._waiting.add(key)

    def nudge(self, key: Key, now: float) -> None:
        """Something of the object's changed: look soon, but let a failing object wait its turn.

        A run that writes and then fails would otherwise wake itself up for ever.
        """
        if key in self._running:
            self._nudged.add(key)
        elif key not in self._failures and key not in self._waiting:
            moment = max(now + BURST, self._ended.get(key, -math.inf) + SETTLE)
            if key not in self._due or moment < self._due[key].moment:
                self._at(key, moment)

    def hear(self, key: Key, now: float) -> None:
        """Something of others that its last run has read has changed: look soon.

        Not while it runs: what that run has seen is compared afterwards.
        """
        if key in self._running or key in self._waiting or key in self._failures:
            return
        ended = self._ended.get(key, -math.inf)
        if now - ended > LONGEST_PATIENCE:
            self._patience.pop(key, None)
        moment = max(now + BURST, ended + self._patience.get(key, SETTLE))
        self._heard.add(key)
        if key not in self._due or moment < self._due[key].moment:
            self._at(key, moment)

    def take(self, now: float, most: int = 1) -> list[Key]:
        """The next keys to run, together, at most so many: all that are ready, never more waiting.

        Their worker must end each with succeeded, failed, forget or isolate.
        """
        self._collect_due(now)
        room = most - len(self._ready)
        if self._ready and room > 0:
            self._collect_early(now, room)
        return [self._handed_out(self._ready) for _ in range(min(most, len(self._ready)))]

    def take_isolated(self, now: float) -> list[Key]:
        """The next isolated key, if any, for a run by itself."""
        self._collect_due(now)
        return [self._handed_out(self._ready_isolated)] if self._ready_isolated else []

    def succeeded(self, key: Key, now: float, after: float | None, changed: bool = True) -> None:
        """Run again after so many seconds; None = only when something happens.

        changed: the run has written something.
        """
        self._failures.pop(key, None)
        self._isolated.discard(key)
        if key in self._heard:
            self._heard.discard(key)
            longer = min(2 * self._patience.get(key, FIRST_PATIENCE / 2), LONGEST_PATIENCE)
            self._patience[key] = FIRST_PATIENCE if changed else longer
        if key in self._nudged and (after is None or after > SETTLE):
            self._at(key, now + SETTLE)
        elif after is not None:
            self._at(key, now + after, early=now + after * (1 - SLACK))
        self._ended[key] = now
        self._stop_running(key)

    def failed(self, key: Key, now: float) -> float:
        """Retry with doubled patience, and say in how many seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        longest = max(PROMPT_RETRY, SHARE_OF_RETRIES * len(self._failures))
        delay = min(FIRST_RETRY * 2.0 ** min(failures - 1, 32), longest, LONGEST_RETRY)
        self._at(key, now + delay)
        self._stop_running(key)
        return delay

    def forget(self, key: Key) -> None:
        """The object is gone; what happened to it during the run still counts."""
        self._failures.pop(key, None)
        self._isolated.discard(key)
        self._ended.pop(key, None)
        self._heard.discard(key)
        self._patience.pop(key, None)
        self._stop_running(key)

    def isolate(self, key: Key) -> None:
        """Nothing has come of its run with others: run it by itself, as soon as possible."""
        self._isolated.add(key)
        self._again.add(key)
        self._stop_running(key)

    def next_due(self, now: float) -> float | None:
        """Seconds until `take` may have something that it does not have now; None = unknown."""
        while self._heap and not self._holds(*self._heap[0]):
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - now) if self._heap else None

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def _at(self, key: Key, moment: float, early: float | None = None) -> None:
        self._due[key] = _Due(moment, moment if early is None else early)
        heapq.heappush(self._heap, (moment, key))

    def _holds(self, moment: float, key: Key) -> bool:
        return key in self._due and self._due[key].moment == moment

    def _collect_due(self, now: float) -> None:
        while self._heap and self._heap[0][0] <= now:
            moment, key = heapq.heappop(self._heap)
            if self._holds(moment, key):
                self.add(key)

    def _collect_early(self, now: float, room: int) -> None:
        """What may share a run that takes place anyway, the most urgent first."""
        may = ((due.moment, key) for key, due in self._due.items() if due.early <= now)
        for _, key in heapq.nsmallest(room, may):
            self.add(key)

    def _handed_out(self, ready: deque[Key]) -> Key:
        key = ready.popleft()
        self._waiting.discard(key)
        self._running.add(key)
        return key

    def _stop_running(self, key: Key) -> None:
        self._running.discard(key)
        self._nudged.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
