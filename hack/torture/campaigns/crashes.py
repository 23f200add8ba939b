"""The operator is killed before and after each of its writes, and started again.

What it makes of it then is compared with what an operator that nobody disturbed has made.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from control_plane import ControlPlane

from torture import scenarios
from torture.fault_proxy import Passing
from torture.ground import EMBEDDED, START_DEADLINE, STOCK, Operator, until
from torture.outcome import Outcome
from torture.proxied import HEALED, ProxiedGround, proxied_ground
from torture.scenarios import SCENARIOS, Scenario

REACHED = 25.0
# The stock engine is not told of a verdict on a route; requeue_after.UNTOLD and a run.
UNTOLD = 90.0
LEADER = (
    "--leader-elect",
    "--leader-election-id=torture",
    "--leader-election-namespace=semantic-router-operator-system",
    "--leader-elect-lease-duration=6s",
    "--leader-elect-renew-deadline=4s",
)


class Campaign:
    def __init__(self, ground: ProxiedGround) -> None:
        self.ground = ground
        self.outcome = Outcome()
        # By scenario: the objects of a router that nobody disturbed, and the writes of them.
        self.undisturbed: dict[str, str] = {}
        self.writes: dict[str, list[str]] = {}
        self.slowest = 0.0
        self.namespaces = 0

    def prepare(self, scenario: Scenario) -> str:
        self.namespaces += 1
        namespace = f"crash-{self.namespaces}"
        scenarios.prepare(self.ground, scenario, namespace)
        return namespace

    def remember(self, scenario: Scenario) -> None:
        """What is to come out, by an operator that is left alone; and in which writes."""
        namespace = self.prepare(scenario)
        writes: list[str] = []

        def at(passing: Passing) -> bool:
            writes.append(passing.called)
            return False

        with self._at_writes(namespace, at):
            scenario.deed(self.ground, namespace)
            scenario.mend(self.ground, namespace)
            # Its end would come of itself; how many writes there are until then, would not.
            lasting = replace(scenario, number=3) if scenario.number is None else scenario
            if not until(lambda: self.is_right(lasting, namespace), self.patience(scenario)):
                raise RuntimeError(f"{scenario.name} by itself: {self.seen(lasting, namespace)}")
            scenario.meanwhile(self.ground, namespace)
            until(lambda: self.is_right(scenario, namespace), HEALED)
        self.undisturbed[scenario.name] = scenarios.objects(self.ground, namespace)
        self.writes[scenario.name] = writes
        scenarios.delete(self.ground, namespace)

    @contextmanager
    def _at_writes(
        self, namespace: str, do: Callable[[Passing], bool], *, after: bool = False
    ) -> Iterator[None]:
        """Events of a write that is late, of a namespace before, are none of this one."""
        proxy = self.ground.proxy

        def at(passing: Passing) -> bool:
            return passing.changes and passing.namespace == namespace and do(passing)

        setattr(proxy, "after" if after else "before", at)
        try:
            yield
        finally:
            proxy.before = proxy.after = lambda _: False

    def crash(self, scenario: Scenario, number: int, *, after: bool) -> None:
        """number: of the write, from 1 on."""
        namespace = self.prepare(scenario)
        reached, killed = threading.Event(), threading.Event()
        writes: list[str] = []

        def at(passing: Passing) -> bool:
            writes.append(passing.called)
            if len(writes) != number or reached.is_set():
                return False
            reached.set()
            killed.wait(REACHED)
            return True

        try:
            with self._at_writes(namespace, at, after=after):
                scenario.deed(self.ground, namespace)
                is_reached = reached.wait(REACHED)
                scenario.meanwhile(self.ground, namespace)
                self.ground.operator.kill()
        finally:
            killed.set()
        scenario.mend(self.ground, namespace)
        self.ground.operator.start()
        if not is_reached:
            # An event may be left out, and a status come in two writes or one.
            scenarios.delete(self.ground, namespace)
            return
        where = f"{'after' if after else 'before'} write {number} ({writes[number - 1]})"
        self._judge(scenario, namespace, f"{scenario.name}, {where}")

    def _judge(self, scenario: Scenario, namespace: str, what: str) -> None:
        started = time.monotonic()
        what = f"{what}, {self.ground.operator.engine} engine"
        if not until(lambda: self.is_right(scenario, namespace), self.patience(scenario)):
            self.outcome.violated(
                "right within 30 s of the start", what, self.seen(scenario, namespace)
            )
        elif not until(lambda: self._is_undisturbed(scenario, namespace), HEALED):
            found = scenarios.objects(self.ground, namespace)
            seen = f"{found}\n instead of {self.undisturbed[scenario.name]}"
            self.outcome.violated("as without a crash", what, seen)
        seconds = time.monotonic() - started
        if scenario.number is None or self.patience(scenario) == HEALED:
            self.slowest = max(self.slowest, seconds)
        self.outcome.operations += 1
        print(f"crashes: {what}: right again after {seconds:.1f} s", file=sys.stderr)
        scenarios.delete(self.ground, namespace)

    def _is_undisturbed(self, scenario: Scenario, namespace: str) -> bool:
        return scenarios.objects(self.ground, namespace) == self.undisturbed[scenario.name]

    def change_leader(self, number: int) -> None:
        """The leader stands still before a write, another takes over, and then the write comes.

        It is of a generation that is over: the new leader has to undo it, and the old one to end.
        """
        ground = self.ground
        ground.operator.stop()
        first, second = (
            Operator(ground.directory / f"{name}-{number}", ground.environment)
            for name in ("first", "second")
        )
        reached, late, arrived = threading.Event(), threading.Event(), threading.Event()
        writes: list[str] = []
        held: list[Passing] = []

        def at(passing: Passing) -> bool:
            writes.append(passing.called)
            if len(writes) == number and not reached.is_set():
                held.append(passing)
                reached.set()
                late.wait(START_DEADLINE + 4 * HEALED)
            return False

        def done(passing: Passing) -> bool:
            if any(passing is item for item in held):
                arrived.set()
            return False

        update = next(item for item in SCENARIOS if item.name == "update")
        over = replace(update, name="leader", number=5)
        try:
            first.start(*LEADER)
            namespace = self.prepare(update)
            with self._at_writes(namespace, at):
                ground.proxy.after = done
                update.deed(ground, namespace)
                if not reached.wait(REACHED):
                    return
                what = f"change of the leader before write {number} ({writes[number - 1]})"
                first.pause()
                second.start(*LEADER)
                scenarios.update(5)(ground, namespace)
                if not until(lambda: self.is_right(over, namespace), HEALED):
                    told = self.seen(over, namespace)
                    self.outcome.violated("right with another leader", what, told)
                late.set()
                arrived.wait(HEALED)
                first.resume()
                started = time.monotonic()
                if not until(lambda: first.ended and self.is_right(over, namespace), HEALED):
                    told = f"ended: {first.ended}; {self.seen(over, namespace)}"
                    self.outcome.violated("a late write is undone", what, told)
            seconds = time.monotonic() - started
            self.slowest = max(self.slowest, seconds)
            self.outcome.operations += 1
            print(f"crashes: {what}: right again after {seconds:.1f} s", file=sys.stderr)
            scenarios.delete(ground, namespace)
        finally:
            late.set()
            if not first.ended:
                first.kill()
            second.stop()
            ground.operator.start()

    def is_right(self, scenario: Scenario, namespace: str) -> bool:
        return scenarios.is_right(self.ground, scenario, namespace)

    def seen(self, scenario: Scenario, namespace: str) -> str:
        return scenarios.seen(self.ground, scenario, namespace)

    def patience(self, scenario: Scenario) -> float:
        is_untold = self.ground.operator.engine == STOCK and "Gateway" in scenario.name
        return UNTOLD if is_untold else HEALED


def run(
    plane: ControlPlane, seed: int, count: int, deadline: float, engine: str = EMBEDDED
) -> Outcome:
    """Scenario by scenario, write by write; another seed begins with another scenario."""
    first = seed % len(SCENARIOS)
    order = [*SCENARIOS[first:], *SCENARIOS[:first]]
    with proxied_ground(plane, engine) as ground:
        campaign = Campaign(ground)
        outcome = campaign.outcome
        ground.operator.start()

        def is_enough() -> bool:
            return outcome.operations >= count or time.monotonic() > deadline

        # A small count has some of every scenario.
        left = {item.name: iter(_points(campaign, item)) for item in order[:count]}
        while left and not is_enough():
            for scenario in [item for item in order if item.name in left]:
                if is_enough():
                    break
                point = next(left[scenario.name], None)
                if point is None:
                    del left[scenario.name]
                else:
                    campaign.crash(scenario, point[0], after=point[1])
        # Two of the stock engine cannot run on one machine: its playbooks' proxy has one port.
        for number in range(1, len(campaign.writes.get("update", ())) + 1):
            if engine == EMBEDDED and not is_enough():
                campaign.change_leader(number)
        ground.operator.stop()
        if ground.operator.tracebacks:
            text = ground.operator.text
            outcome.violated("no traceback", "a crash", text[text.index("Traceback") :][:2000])
        for missed in sorted(ground.rights_missed):
            outcome.violated("the rights of config/default suffice", "a crash", missed)
        outcome.numbers = {
            "scenarios": len(campaign.undisturbed),
            "writes of them": sum(len(writes) for writes in campaign.writes.values()),
            "seconds to be right at most": round(campaign.slowest, 1),
        }
        return outcome


def _points(campaign: Campaign, scenario: Scenario) -> Iterator[tuple[int, bool]]:
    """Around each of the writes that an operator makes which nobody disturbs.

    Before a write is after the one before: a killed process has no other memory than the cluster.
    """
    campaign.remember(scenario)
    yield 1, False
    for number in range(1, len(campaign.writes[scenario.name]) + 1):
        yield number, True
