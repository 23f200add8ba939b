"""A leader stands still before one of its writes, and another one takes over; then the write comes.

It is of a generation that is over: the new leader has to undo it, and the old one to end.
"""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import replace

import operator_account
from control_plane import ControlPlane

from torture import scenarios
from torture.fault_proxy import Passing
from torture.ground import HEALED, START_DEADLINE, Operator, in_time, until
from torture.outcome import Outcome
from torture.proxied import ProxiedGround, proxied_ground
from torture.scenarios import SCENARIOS

REACHED = 25.0
# More than the update writes.
LAST_WRITE = 30
LEADER = (
    "--leader-elect",
    "--leader-election-id=torture",
    f"--leader-election-namespace={operator_account.NAMESPACE}",
    "--leader-elect-lease-duration=6s",
    "--leader-elect-renew-deadline=4s",
)
UPDATE = next(item for item in SCENARIOS if item.name == "update")
OVER = replace(UPDATE, name="another update", number=5)


def run(plane: ControlPlane, seed: int, count: int, deadline: float) -> Outcome:
    """Write by write of an update, from the one on that the seed says."""
    outcome = Outcome()
    slowest = 0.0
    with proxied_ground(plane) as ground:
        number = (seed - 1) % 5
        while outcome.operations < count and time.monotonic() < deadline and number < LAST_WRITE:
            number += 1
            seconds = _change(ground, number, outcome)
            if seconds is None:
                break
            slowest = max(slowest, seconds)
            outcome.operations += 1
        ground.judge(outcome, "all of it")
    outcome.numbers = {"seconds to be right at most": round(slowest, 1)}
    return outcome


class _Write:
    """Is held back when it comes, and goes on when somebody says so."""

    def __init__(self, namespace: str, number: int) -> None:
        self.reached, self.late, self.arrived = (threading.Event() for _ in range(3))
        self.called = ""
        self._namespace = namespace
        self._left = number
        self._held: Passing | None = None

    def before(self, passing: Passing) -> bool:
        if passing.changes and passing.namespace == self._namespace:
            self._left -= 1
            if self._left == 0:
                self._held, self.called = passing, passing.called
                self.reached.set()
                self.late.wait(START_DEADLINE + in_time(4 * HEALED))
        return False

    def after(self, passing: Passing) -> bool:
        if passing is self._held:
            self.arrived.set()
        return False


def _change(ground: ProxiedGround, number: int, outcome: Outcome) -> float | None:
    """Seconds until all was right with the late write; None when there is no such write."""
    first, second = (
        Operator(ground.directory / f"{name}-{number}", ground.operator.environment)
        for name in ("first", "second")
    )
    namespace = f"leader-{number}"
    write = _Write(namespace, number)
    try:
        first.start(*LEADER)
        scenarios.begin(ground, UPDATE, namespace)
        scenarios.settle(ground, UPDATE, namespace)
        ground.proxy.before, ground.proxy.after = write.before, write.after
        UPDATE.deed(ground, namespace)
        if not write.reached.wait(in_time(REACHED)):
            return None
        what = f"another leader before write {number} ({write.called})"
        first.pause()
        second.start(*LEADER)
        scenarios.update(5)(ground, namespace)
        if not until(lambda: scenarios.is_right(ground, OVER, namespace), in_time()):
            told = scenarios.seen(ground, OVER, namespace)
            outcome.violated("right with another leader", what, told)
        write.late.set()
        write.arrived.wait(in_time())
        first.resume()
        started = time.monotonic()
        if not until(
            lambda: first.ended and scenarios.is_right(ground, OVER, namespace), in_time()
        ):
            told = f"ended: {first.ended}; {scenarios.seen(ground, OVER, namespace)}"
            outcome.violated("a late write is undone", what, told)
        seconds = time.monotonic() - started
        print(f"leaders: {what}: right again after {seconds:.1f} s", file=sys.stderr)
        scenarios.delete(ground, namespace)
        return seconds
    finally:
        write.late.set()
        ground.proxy.before = ground.proxy.after = lambda _: False
        if not first.ended:
            first.kill()
        second.stop()
        for operator in (first, second):
            if operator.traceback:
                outcome.violated("no traceback", f"write {number}", operator.traceback)
