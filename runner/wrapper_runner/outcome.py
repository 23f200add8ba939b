"""What the events of a run add up to, for its only object or for each of several hosts: pure.

Differs from ansible-operator in one point: a failure that the playbook rescued is not a failure of
the run. ansible-operator goes by events of single tasks; only the closing playbook_on_stats knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wrapper_runner import durations, interests

# The two spellings that ansible-operator knows; one more here would hide a mistake until the pod.
REQUEUE_ACTIONS = ("requeue_after", "operator_sdk.util.requeue_after")
LONGEST_MESSAGE = 1000

Event = Mapping[str, Any]


@dataclass(frozen=True)
class TaskFailure:
    task: str
    message: str


@dataclass
class Outcome:
    """Filled event by event.

    failures: failed tasks, except those with ignore_errors; the last is what ended a failed run.
    messages: what results say to the operator's log, in the key `messages`.
    conditions: of the watched object, as results say in `status.conditions`.
    changed: objects that were written, as results say in `objects`; None when none of them does.
    reads: what of others was read, as results say in `reads` (interests.py has its form).
    reads_suffice: news of them and of the object's own are all that is waited for.
    busy: a task has begun and not ended, by what has been told so far.
    """

    failures: list[TaskFailure] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    conditions: list[Mapping[str, str]] = field(default_factory=list)
    requeue_after: float | None = None
    changed: int | None = None
    reads: interests.Reads = interests.NOTHING
    reads_suffice: bool = False
    stats: Mapping[str, Any] | None = None
    bad_period: str = ""
    busy: bool = False

    def take(self, event: Event) -> None:
        data = event.get("event_data") or {}
        name = event.get("event")
        if isinstance(name, str) and name.startswith("runner_on_"):
            self.busy = name == "runner_on_start"
        match name:
            case "runner_on_ok":
                self._take_result(data)
            case "runner_on_failed" if not data.get("ignore_errors"):
                self.failures.append(TaskFailure(_task(data), _message(data)))
            case "runner_on_unreachable":
                self.failures.append(TaskFailure(_task(data), _message(data)))
            case "playbook_on_stats":
                self.stats = data

    @property
    def succeeded(self) -> bool:
        """Whether the playbook came to its end, whatever it rescued on the way."""
        return self.stats is not None and not (
            self.stats.get("failures") or self.stats.get("dark") or self.bad_period
        )

    @property
    def took_place(self) -> bool:
        """Whether the play came to its end and had at least one task."""
        return bool(self.stats and self.stats.get("processed"))

    @property
    def reason(self) -> str:
        """Why it did not succeed."""
        if self.bad_period:
            return self.bad_period
        if self.failures:
            return f"{self.failures[-1].task}: {self.failures[-1].message}"
        return "the play failed without a failed task"

    @property
    def changed_something(self) -> bool:
        return bool(self.changed or (self.changed is None and self.stats and self.stats["changed"]))

    def _take_result(self, data: Mapping[str, Any]) -> None:
        result = data.get("res")
        if not isinstance(result, Mapping):
            return
        if data.get("task_action") in REQUEUE_ACTIONS:
            self._take_period(str(result.get("period")))
        messages = result.get("messages")
        if isinstance(messages, list):
            self.messages += [_short(item) for item in messages if isinstance(item, str)]
        status = result.get("status")
        if isinstance(status, Mapping) and isinstance(found := status.get("conditions"), list):
            self.conditions = [item for item in found if isinstance(item, Mapping)]
        reads = result.get("reads")
        if isinstance(reads, list):
            self.reads = interests.parse(reads)
            self.reads_suffice = result.get("reads_suffice") is True
        objects = result.get("objects")
        if isinstance(objects, list):
            self.changed = (self.changed or 0) + sum(map(_was_written, objects))

    def _take_period(self, period: str) -> None:
        try:
            self.requeue_after = durations.seconds(period)
        except ValueError as error:
            self.bad_period = f"requeue_after: {error}"


class Outcomes:
    """What became of each host of a run: by its own events and its share of the closing one."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.of = {host: Outcome() for host in hosts}

    def take(self, event: Event) -> None:
        data = event.get("event_data") or {}
        if event.get("event") == "playbook_on_stats":
            for host, outcome in self.of.items():
                outcome.take({**event, "event_data": _share(data, host)})
        elif data.get("host") in self.of:
            self.of[data["host"]].take(event)


def _share(stats: Mapping[str, Any], host: str) -> dict[str, Any]:
    return {
        name: {host: counts[host]} if host in counts else {}
        for name, counts in stats.items()
        if isinstance(counts, Mapping)
    }


def _was_written(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("action", "unchanged") != "unchanged"


def _task(data: Mapping[str, Any]) -> str:
    return str(data.get("task") or data.get("task_action") or "unnamed task")


def _message(data: Mapping[str, Any]) -> str:
    """The result's msg only: its other keys, and the task's arguments, may hold anything."""
    result = data.get("res")
    if not isinstance(result, Mapping):
        return "unknown playbook failure"
    if "censored" in result:
        return "hidden by no_log"
    return _short(str(result.get("msg") or "unknown playbook failure"))


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= LONGEST_MESSAGE else f"{text[:LONGEST_MESSAGE]}..."
