from __future__ import annotations

from wrapper_runner.metrics import Metrics
from wrapper_runner.reconciler import ReconcileError
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind

KIND = Kind("example.com", "v1", "Widget")
KEY = Key("team", "one")


def condition(status: str, reason: str) -> dict[str, str]:
    return {"type": "Ready", "status": status, "reason": reason, "message": "any"}


def lines(metrics: Metrics, name: str) -> list[str]:
    return [line for line in metrics.text().decode().splitlines() if line.startswith(f"{name}{{")]


def conditions(metrics: Metrics) -> list[str]:
    return lines(metrics, "ansible_operator_condition")


def test_a_condition_is_a_series_of_its_object() -> None:
    metrics = Metrics()
    metrics.tell(KIND, KEY, [condition("True", "AllWell")])
    (line,) = conditions(metrics)
    for label in (
        'GVK="example.com/v1, Kind=Widget"', 'namespace="team"', 'name="one"', 'type="Ready"',
        'status="True"', 'reason="AllWell"',
    ):  # fmt: skip
        assert label in line
    assert line.endswith(" 1.0")


def test_a_condition_that_changed_has_no_other_series() -> None:
    metrics = Metrics()
    metrics.tell(KIND, KEY, [condition("False", "Waiting")])
    metrics.tell(KIND, KEY, [condition("True", "AllWell")])
    (line,) = conditions(metrics)
    assert 'reason="AllWell"' in line


def test_the_series_go_with_the_object_and_others_stay() -> None:
    metrics = Metrics()
    other = Key("team", "two")
    for key in (KEY, other):
        metrics.tell(KIND, key, [condition("True", "AllWell")])
    metrics.tell(KIND, KEY, [])
    (line,) = conditions(metrics)
    assert 'name="two"' in line
    metrics.tell(KIND, other, [])
    assert conditions(metrics) == []


def test_failures_are_counted_by_what_failed() -> None:
    metrics = Metrics()
    metrics.reconciled(KIND, 1, ReconcileError("a task failed"))
    (line,) = lines(metrics, "ansible_operator_reconcile_failures_total")
    assert 'reason="ReconcileError"' in line
    assert line.endswith(" 1.0")
    metrics.reconciled(KIND, 1)
    assert len(lines(metrics, "ansible_operator_reconcile_failures_total")) == 1
