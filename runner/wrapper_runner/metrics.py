"""What /metrics says: ansible-operator's own names where it has one, else controller-runtime's.

But not ansible_operator_reconciles: ansible-operator takes that time when it has started
ansible-runner, and controller-runtime when the reconcile is over.

The stock engine has neither the failures by cause nor the conditions of the objects: what it lacks
of the latter, config/prometheus/kube-state-metrics.yaml supplies under the same name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind

CONTENT_TYPE = CONTENT_TYPE_LATEST

# Some of controller-runtime's: no run takes less than a tenth of a second.
_SECONDS = (0.1, 0.25, 0.5, 0.7, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30, 40, 50, 60)


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        r = self._registry
        self._duration = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "Length of time per reconciliation per controller.",
            ["controller"],
            buckets=_SECONDS,
            registry=r,
        )
        self._result = Gauge(
            "ansible_operator_reconcile_result",
            "Gauge of reconciles and their results.",
            ["GVK", "result"],
            registry=r,
        )
        self._total = Counter(
            "controller_runtime_reconcile",
            "Total number of reconciliations per controller.",
            ["controller", "result"],
            registry=r,
        )
        self._failures = Counter(
            "ansible_operator_reconcile_failures",
            "Total number of failed reconciles by what failed.",
            ["GVK", "reason"],
            registry=r,
        )
        self._condition = Gauge(
            "ansible_operator_condition",
            "1 for each condition that the status of an object has.",
            ["GVK", "namespace", "name", "type", "status", "reason"],
            registry=r,
        )
        self._told: dict[tuple[Kind, Key], set[tuple[str, str, str]]] = {}
        self._telling = threading.Lock()
        self._active = Gauge(
            "controller_runtime_active_workers",
            "Number of currently used workers per controller.",
            ["controller"],
            registry=r,
        )
        self._workers = Gauge(
            "controller_runtime_max_concurrent_reconciles",
            "Maximum number of concurrent reconciles per controller.",
            ["controller"],
            registry=r,
        )
        self._depth = Gauge("workqueue_depth", "Current depth of workqueue.", ["name"], registry=r)
        self._leader = Gauge(
            "leader_election_master_status",
            "Whether this process is the leader of that lease.",
            ["name"],
            registry=r,
        )

    def watch_queue(self, kind: Kind, workers: int, depth: Callable[[], int]) -> None:
        self._workers.labels(_controller(kind)).set(workers)
        self._depth.labels(_controller(kind)).set_function(depth)

    def leads(self, lease: str, leads: bool) -> None:
        self._leader.labels(lease).set(leads)

    @contextmanager
    def working(self, kind: Kind) -> Iterator[None]:
        """A worker that has something to do, for one object or several."""
        active = self._active.labels(_controller(kind))
        with active.track_inprogress():
            yield

    def reconciled(self, kind: Kind, seconds: float, error: Exception | None = None) -> None:
        """Count one reconcile of one object, which has taken so long from its run's beginning."""
        self._duration.labels(_controller(kind)).observe(seconds)
        if error is None:
            self._count(kind, "succeeded", "success")
        else:
            self._count(kind, "failed", "error")
            self._failures.labels(str(kind), type(error).__name__).inc()

    def tell(self, kind: Kind, key: Key, conditions: Iterable[Mapping[str, str]]) -> None:
        """The conditions that an object has now; none when it is gone."""
        now = {
            (item.get("type", ""), item.get("status", ""), item.get("reason", ""))
            for item in conditions
        }
        labels = (str(kind), key.namespace, key.name)
        with self._telling:
            for gone in self._told.pop((kind, key), set()) - now:
                self._condition.remove(*labels, *gone)
            for found in now:
                self._condition.labels(*labels, *found).set(1)
            if now:
                self._told[kind, key] = now

    def _count(self, kind: Kind, result: str, controller_result: str) -> None:
        self._result.labels(str(kind), result).inc()
        self._total.labels(_controller(kind), controller_result).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _controller(kind: Kind) -> str:
    """As ansible-operator names its controllers."""
    return f"{kind.kind}-{kind.version}-controller".lower()
