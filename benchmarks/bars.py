"""What the project promises about its speed, as ratios within one run. Never moved to be met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.rows import Bar, Row, median_of

CREATE = "create: CR to all objects written"
NO_OP = "no-op: nothing to do"
UPDATE = "update: one field"
AVAILABLE = "{} at once to all Deployments available"
RUNNING = "{} at once to all Running"
RESTART = "started again over {} settled routers, to all looked at"
IDLE_WRITES = "writes in an idle minute, {} routers"
IDLE_CPU = "CPU seconds in an idle minute, {} routers"
CPU = "CPU seconds, {}"
REQUESTS = "API requests, {}"
LOAD_CPU = "CPU seconds of the operator a router, {} at once"
PLANE_CPU = "CPU seconds of the control plane a router, {} at once"
# Rss counts a page once for each process that has it, Pss shares it out among them.
IDLE = "{} of the process tree, idle"
PEAK = "{} of the process tree, peak with {} routers"
SETTLED = "{} of the process tree, idle with {} routers"
AFTER = "{} of the process tree, after {} reconciles"
# One reconcile of a router with many models.
MANY = "{} models on {} endpoints, {}"


# One reconcile, one router after the other.
SINGLE = (CREATE, NO_OP, UPDATE)


def judge(rows: Sequence[Row]) -> list[Bar]:
    """The bars for which there are measurements."""
    return list(_judge(rows))


def _judge(rows: Sequence[Row]) -> Iterator[Bar]:
    fifty, two_hundred = RUNNING.format(50), RUNNING.format(200)
    yield from _ratio(rows, CREATE, "warm", "conventional", 0.025)
    yield from _ratio(rows, NO_OP, "warm", "conventional", 0.014)
    yield from _ratio(rows, CREATE, "cold", "floor", 2)
    seconds, conventional = (
        median_of(rows, subject, case)
        for subject, case in (("warm", fifty), ("conventional", AVAILABLE.format(50)))
    )
    if seconds is not None and conventional:
        yield Bar(f"warm / conventional, {fifty}", seconds / conventional, 1 / 25)
    yield from _ratio(rows, fifty, "warm", "peer", 1)
    yield from _ratio(rows, PLANE_CPU.format(50), "warm", "peer", 1)
    for case, limit in (
        (MANY.format(200, 1000, CREATE), 8),
        (MANY.format(200, 1000, NO_OP), 2.5),
        (fifty, 12),
        (LOAD_CPU.format(50), 0.12),
        (two_hundred, 50),
        (RESTART.format(200), 7),
        (PEAK.format("Pss", 50), 150),
        (IDLE_WRITES.format(1000), 0),
        # What a clock of 10 ms ticks cannot tell from nothing.
        (IDLE_CPU.format(1000), 0.05),
    ):
        value = median_of(rows, "warm", case)
        if value is not None:
            yield Bar(f"warm, {case}", value, limit)
    start, end = (median_of(rows, "warm", AFTER.format("Pss", n)) for n in (200, 1000))
    if start and end is not None:
        yield Bar("warm, Pss after 1,000 reconciles / after 200", end / start, 1.05)


def _ratio(rows: Sequence[Row], case: str, subject: str, other: str, limit: float) -> Iterator[Bar]:
    value, base = median_of(rows, subject, case), median_of(rows, other, case)
    if value is not None and base:
        yield Bar(f"{subject} / {other}, {case}", value / base, limit)
