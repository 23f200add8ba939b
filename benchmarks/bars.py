"""What the project promises about its speed, as ratios within one run. Never moved to be met."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.rows import Bar, Row, median_of

CREATE = "create: CR to all objects written"
NO_OP = "no-op: nothing to do"
UPDATE = "update: one field"
RUNNING = "{} at once to all Running"
IDLE_WRITES = "writes in an idle minute, {} routers"
CPU = "CPU seconds, {}"
REQUESTS = "API requests, {}"
LOAD_CPU = "CPU seconds a router, {} at once to Running"
# Rss counts a page once for each process that has it, Pss shares it out among them.
IDLE = "{} of the process tree, idle"
PEAK = "{} of the process tree, peak with {} routers"
AFTER = "{} of the process tree, after {} reconciles"


# One reconcile, one router after the other.
SINGLE = (CREATE, NO_OP, UPDATE)


def judge(rows: Sequence[Row]) -> list[Bar]:
    """The bars for which there are measurements."""
    return list(_judge(rows))


def _judge(rows: Sequence[Row]) -> Iterator[Bar]:
    yield from _ratio(rows, CREATE, "warm", "conventional", 1 / 20)
    yield from _ratio(rows, NO_OP, "warm", "conventional", 1 / 40)
    floor, no_op = median_of(rows, "floor", CREATE), median_of(rows, "warm", NO_OP)
    if floor and no_op is not None:
        yield Bar("warm no-op / floor", no_op / floor, 1 / 4)
    yield from _ratio(rows, CREATE, "cold", "floor", 2)
    fifty = RUNNING.format(50)
    yield from _ratio(rows, fifty, "warm", "conventional", 1 / 10)
    seconds, more = (median_of(rows, "warm", RUNNING.format(n)) for n in (50, 200))
    if seconds is not None:
        yield Bar("warm, 50 routers at once to all Running, in seconds", seconds, 12)
    if seconds and more is not None:
        yield Bar("warm, 200 routers / 4 x 50 routers", more / (4 * seconds), 1.3)
    writes = median_of(rows, "warm", IDLE_WRITES.format(50))
    if writes is not None:
        yield Bar("warm, writes in an idle minute", writes, 0)
    peak = median_of(rows, "warm", PEAK.format("Rss", 50))
    if peak is not None:
        yield Bar("warm, Rss of the process tree at 50 routers, in MiB", peak, 350)
    start, end = (median_of(rows, "warm", AFTER.format("Rss", n)) for n in (200, 1000))
    if start and end is not None:
        yield Bar("warm, Rss after 1,000 reconciles / after 200", end / start, 1.05)


def _ratio(rows: Sequence[Row], case: str, subject: str, other: str, limit: float) -> Iterator[Bar]:
    value, base = median_of(rows, subject, case), median_of(rows, other, case)
    if value is not None and base:
        yield Bar(f"{subject} / {other}, {case}", value / base, limit)
