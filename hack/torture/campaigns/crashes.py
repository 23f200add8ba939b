"""The operator is killed before and after each of its writes, and started again.

What it makes of it then is compared with what an operator that nobody disturbed has made.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import zip_longest

from control_plane import ControlPlane

from torture import scenarios
from torture.fault_proxy import Passing
from torture.ground import EMBEDDED, HEALED, STOCK, in_time, until
from torture.outcome import Outcome
from torture.proxied import ProxiedGround, proxied_ground
from torture.scenarios import SCENARIOS, Scenario

REACHED = 25.0
LAST_EVENT = 2.0
# How many routers stand at a write when the operator is killed: one worker stands with each, and
# one does what comes meanwhile.
TOGETHER = 8
WORKERS = (f"--max-concurrent-reconciles={TOGETHER + 1}",)
# The stock engine is not told of a verdict on a route; requeue_after.UNTOLD and a run.
UNTOLD = 90.0


@dataclass(frozen=True)
class Point:
    """number: of the write, from 1 on."""

    scenario: Scenario
    number: int
    after: bool


class _Hold:
    """Stops what a scenario writes at one point, until the operator is dead."""

    def __init__(self, point: Point, killed: threading.Event) -> None:
        self.point = point
        self.reached = threading.Event()
        self.writes: list[str] = []
        self._killed = killed

    def at(self, passing: Passing, *, after: bool) -> bool:
        if self.reached.is_set():
            # A write that was sent again, as its answer does not come, would go on with all others.
            return self._stands()
        if after != self.point.after:
            return False
        self.writes.append(passing.called)
        if len(self.writes) != self.point.number:
            return False
        self.reached.set()
        return self._stands()

    def _stands(self) -> bool:
        self._killed.wait(in_time(TOGETHER * REACHED))
        return True


class Campaign:
    def __init__(self, ground: ProxiedGround) -> None:
        self.ground = ground
        self.outcome = Outcome()
        # By scenario: the objects of a router that nobody disturbed, and the writes of them.
        self.undisturbed: dict[str, str] = {}
        self.writes: dict[str, list[str]] = {}
        self.slowest = 0.0
        self.namespaces = 0

    def new_namespace(self) -> str:
        self.namespaces += 1
        return f"crash-{self.namespaces}"

    def remember(self, undisturbed: list[Scenario]) -> None:
        """What is to come out, by an operator that is left alone; and in which writes."""
        of = {self.new_namespace(): scenario for scenario in undisturbed}
        writes: dict[str, list[str]] = {namespace: [] for namespace in of}

        def at(passing: Passing) -> bool:
            if passing.changes and passing.namespace in writes:
                writes[passing.namespace].append(passing.called)
            return False

        for namespace, scenario in of.items():
            scenarios.begin(self.ground, scenario, namespace)
        for namespace, scenario in of.items():
            scenarios.settle(self.ground, scenario, namespace)
        self.ground.proxy.before = at
        for namespace, scenario in of.items():
            scenario.deed(self.ground, namespace)
        for namespace, scenario in of.items():
            if scenario.number is None:
                # All that it writes of a router which is not deleted before.
                self._wait(replace(scenario, number=3), namespace)
                scenario.meanwhile(self.ground, namespace)
            elif scenario.is_refused_first:
                until(partial(scenarios.is_told, self.ground, namespace), in_time())
                scenario.mend(self.ground, namespace)
        for namespace, scenario in of.items():
            self._wait(scenario, namespace)
            self.undisturbed[scenario.name] = scenarios.objects(self.ground, namespace)
            self.writes[scenario.name] = writes[namespace]
            print(f"crashes: {scenario.name}: {', '.join(writes[namespace])}", file=sys.stderr)
            scenarios.delete(self.ground, namespace)
        self.ground.proxy.before = lambda _: False

    def _wait(self, scenario: Scenario, namespace: str) -> None:
        if not until(lambda: self.is_right(scenario, namespace), self.patience(scenario)):
            raise RuntimeError(f"{scenario.name} by itself: {self.seen(scenario, namespace)}")

    def crash(self, points: list[Point]) -> None:
        """All stand at their writes when the operator is killed."""
        namespaces = [self.new_namespace() for _ in points]
        for point, namespace in zip(points, namespaces, strict=True):
            scenarios.begin(self.ground, point.scenario, namespace)
        for point, namespace in zip(points, namespaces, strict=True):
            scenarios.settle(self.ground, point.scenario, namespace)
        killed = threading.Event()
        holds = {
            namespace: _Hold(point, killed)
            for point, namespace in zip(points, namespaces, strict=True)
        }

        def at(passing: Passing, *, after: bool) -> bool:
            hold = holds.get(passing.namespace)
            return hold is not None and passing.changes and hold.at(passing, after=after)

        proxy = self.ground.proxy
        proxy.before = lambda passing: at(passing, after=False)
        proxy.after = lambda passing: at(passing, after=True)
        try:
            for point, namespace in zip(points, namespaces, strict=True):
                # One by one: a run of several would stand still for all of them at the first.
                point.scenario.deed(self.ground, namespace)
                self._reach(point.scenario, namespace, holds[namespace].reached)
                point.scenario.meanwhile(self.ground, namespace)
            self.ground.operator.kill()
        finally:
            killed.set()
            proxy.before = proxy.after = lambda _: False
        for point, namespace in zip(points, namespaces, strict=True):
            point.scenario.mend(self.ground, namespace)
        self.ground.operator.start(*WORKERS)
        started = time.monotonic()
        seconds = self._times(dict(zip(namespaces, points, strict=True)), started)
        for point, namespace in zip(points, namespaces, strict=True):
            # Not reached: an event may be left out, and a status come in two writes or one.
            if holds[namespace].reached.is_set():
                called = holds[namespace].writes[point.number - 1]
                self._judge(point, namespace, called, seconds.get(namespace))
            scenarios.delete(self.ground, namespace)

    def _times(self, points: dict[str, Point], started: float) -> dict[str, float]:
        """After how many seconds each was right; those that were not in time are left out."""
        seconds: dict[str, float] = {}
        left = dict(points)

        def look() -> bool:
            passed = time.monotonic() - started
            for namespace, point in list(left.items()):
                if self.is_right(point.scenario, namespace):
                    seconds[namespace] = passed
                    del left[namespace]
                elif passed > self.patience(point.scenario):
                    del left[namespace]
            return not left

        until(look, in_time(2 * UNTOLD))
        return seconds

    def _reach(self, scenario: Scenario, namespace: str, reached: threading.Event) -> None:
        """Or all is done, and a last event may still come."""
        done = replace(scenario, number=scenario.number or 3)
        if scenario.is_refused_first:
            told = partial(scenarios.is_told, self.ground, namespace)
            until(lambda: reached.is_set() or told(), in_time(REACHED))
            if not reached.is_set():
                scenario.mend(self.ground, namespace)
        until(lambda: reached.is_set() or self.is_right(done, namespace), in_time(REACHED))
        reached.wait(in_time(LAST_EVENT))

    def _judge(self, point: Point, namespace: str, called: str, seconds: float | None) -> None:
        """seconds: until it was right; None when it was not."""
        scenario = point.scenario
        where = f"{'after' if point.after else 'before'} write {point.number} ({called})"
        what = f"{scenario.name}, {where}, {self.ground.operator.engine} engine"
        self.outcome.operations += 1
        if seconds is None:
            seen = self.seen(scenario, namespace)
            self.outcome.violated("right within 30 s of the start", what, seen)
            return
        if not until(lambda: self._is_undisturbed(scenario, namespace), in_time()):
            found = scenarios.objects(self.ground, namespace)
            seen = f"{found}\n instead of {self.undisturbed[scenario.name]}"
            self.outcome.violated("as without a crash", what, seen)
        if not self.is_untold(scenario):
            self.slowest = max(self.slowest, seconds)
        print(f"crashes: {what}: right again after {seconds:.1f} s", file=sys.stderr)

    def _is_undisturbed(self, scenario: Scenario, namespace: str) -> bool:
        return scenarios.objects(self.ground, namespace) == self.undisturbed[scenario.name]

    def is_right(self, scenario: Scenario, namespace: str) -> bool:
        return scenarios.is_right(self.ground, scenario, namespace)

    def seen(self, scenario: Scenario, namespace: str) -> str:
        return scenarios.seen(self.ground, scenario, namespace)

    def patience(self, scenario: Scenario) -> float:
        return in_time(UNTOLD if self.is_untold(scenario) else HEALED)

    def is_untold(self, scenario: Scenario) -> bool:
        return self.ground.operator.engine == STOCK and "Gateway" in scenario.name


def run(
    plane: ControlPlane, seed: int, count: int, deadline: float, engine: str = EMBEDDED
) -> Outcome:
    """Write by write of all scenarios; another seed begins with another scenario."""
    first = seed % len(SCENARIOS)
    order = [*SCENARIOS[first:], *SCENARIOS[:first]]
    with proxied_ground(plane, engine) as ground:
        campaign = Campaign(ground)
        outcome = campaign.outcome
        ground.operator.start(*WORKERS)

        def is_enough() -> bool:
            return outcome.operations >= count or time.monotonic() > deadline

        # A small count has one point of each of a few scenarios.
        campaign.remember(order[:count])
        left = list(_in_turn([_points(campaign, item) for item in order[:count]]))
        while left and not is_enough():
            size = min(TOGETHER, count - outcome.operations)
            points, left = left[:size], left[size:]
            campaign.crash(points)
        ground.operator.stop()
        ground.judge(outcome, "a crash")
        outcome.numbers = {
            "scenarios": len(campaign.undisturbed),
            "writes of them": sum(len(writes) for writes in campaign.writes.values()),
            "seconds to be right at most": round(campaign.slowest, 1),
        }
        return outcome


def _points(campaign: Campaign, scenario: Scenario) -> Iterator[Point]:
    """Around each of the writes that an operator makes which nobody disturbs.

    Before a write is after the one before: a killed process has no other memory than the cluster.
    """
    yield Point(scenario, 1, after=False)
    for number in range(1, len(campaign.writes[scenario.name]) + 1):
        yield Point(scenario, number, after=True)


def _in_turn(kinds: list[Iterator[Point]]) -> Iterator[Point]:
    for turn in zip_longest(*kinds):
        yield from (point for point in turn if point)
