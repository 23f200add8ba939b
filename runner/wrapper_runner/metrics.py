"""What /metrics says: ansible-operator's own names where it has one, else controller-runtime's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from wrapper_runner.watches import Kind

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        r = self._registry
        self._duration = Histogram(
            "ansible_operator_reconciles",
            "How long in seconds a reconcile takes.",
            ["GVK"],
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
    def reconcile(self, kind: Kind) -> Iterator[None]:
        """Time a reconcile; one that raises has failed."""
        gvk = str(kind)
        active = self._active.labels(_controller(kind))
        active.inc()
        try:
            with self._duration.labels(gvk).time():
                yield
        except BaseException:
            self._count(kind, "failed", "error")
            raise
        else:
            self._count(kind, "succeeded", "success")
        finally:
            active.dec()

    def _count(self, kind: Kind, result: str, controller_result: str) -> None:
        self._result.labels(str(kind), result).inc()
        self._total.labels(_controller(kind), controller_result).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)


def _controller(kind: Kind) -> str:
    """As ansible-operator names its controllers."""
    return f"{kind.kind}-{kind.version}-controller".lower()
