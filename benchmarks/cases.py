"""What is measured of each subject; yields rows as they are known."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from control_plane import Kubectl, audit
from wrapper_runner.cluster import Cluster, connect

from benchmarks import bars, processes, routers
from benchmarks.operators import Command, Operator, running
from benchmarks.plays import Cost, Subject
from benchmarks.routers import BenchmarkError, Namespace, wait
from benchmarks.rows import Row
from benchmarks.subjects import USER, Site

AVAILABLE_DEADLINE = 120.0
# Without a write for so long, an operator is done.
SETTLED_SECONDS = 3.0


@dataclass(frozen=True)
class Size:
    """How much is measured.

    cases: of single runs, for subjects that do not go through all; counts: routers at once;
    reconciles: after how many the memory is looked at.
    """

    runs: int
    cases: dict[str, tuple[str, ...]]
    counts: dict[str, tuple[int, ...]]
    memory_at: int
    reconciles: tuple[int, ...]
    idle_seconds: float


QUICK = Size(
    runs=1,
    # One of the conventional takes as long as all of the others.
    cases={"conventional": (bars.CREATE,)},
    counts={"warm": (1, 2), "cold": (1,), "conventional": (), "stock": (1,), "peer": (1,)},
    memory_at=2,
    reconciles=(5, 10),
    idle_seconds=5.0,
)
FULL = Size(
    runs=5,
    cases={},
    # The slow ones take minutes for 50, and nothing is learnt from 200.
    counts={
        "warm": (1, 10, 50, 200),
        "cold": (1, 10, 50),
        "conventional": (1, 10, 50),
        "stock": (1, 10, 50, 200),
        "peer": (1, 10, 50, 200),
    },
    memory_at=50,
    reconciles=(200, 1000),
    idle_seconds=60.0,
)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    site: Site
    cluster: Cluster
    kubectl: Kubectl
    size: Size
    say: Say

    @classmethod
    def of(cls, site: Site, size: Size, say: Say) -> Bench:
        kubectl = Kubectl(site.plane.kubectl, site.plane.env)
        return cls(site, connect(str(site.plane.kubeconfig)), kubectl, size, say)

    def singles(self, subject: Subject) -> Iterator[Row]:
        """create, no-op and update of one router after the other."""
        cases = self.size.cases.get(subject.name, bars.SINGLE)
        self.say(f"{subject.name}: {self.size.runs} x {', '.join(cases)}")
        costs: dict[str, list[Cost]] = {case: [] for case in cases}
        with routers.namespace(self.cluster, self.kubectl, f"{subject.name}-single") as namespace:
            for number in range(self.size.runs):
                steps = _one_router(subject, namespace, f"run-{number}")
                for case, cost in itertools.islice(steps, len(cases)):
                    costs[case].append(cost)
        for case, measured in costs.items():
            if measured:
                yield Row(subject.name, case, "s", tuple(cost.seconds for cost in measured))
                cpu = tuple(cost.cpu_seconds for cost in measured)
                yield Row(subject.name, bars.CPU.format(case), "s", cpu)
                requests = tuple(float(cost.requests) for cost in measured)
                yield Row(subject.name, bars.REQUESTS.format(case), "requests", requests)

    def operator(self, command: Command) -> Iterator[Row]:
        """N routers at once; and with many of them: idle, and woken again and again."""
        for count in self.size.counts[command.name]:
            self.say(f"{command.name}: {count} at once")
            name = f"{command.name}-{count}"
            with (
                routers.namespace(self.cluster, self.kubectl, name) as namespace,
                running(command, self.site.directory / f"{name}.log") as operator,
            ):
                yield from self._load(operator, namespace, count)
                if count == self.size.memory_at:
                    yield self._idle(command, count)
                    if command.name == "warm":
                        yield from self._churn(operator, namespace, count)

    def _load(self, operator: Operator, namespace: Namespace, count: int) -> Iterator[Row]:
        subject = operator.command.name
        for kind, value in processes.memory(operator.pid).items():
            yield Row(subject, bars.IDLE.format(kind), "MiB", (value,))
        loads = [
            operator.load(namespace, count, f"load-{number}")
            for number in range(self.size.runs if count == 1 else 1)
        ]
        seconds = tuple(load.seconds for load in loads)
        yield Row(subject, bars.RUNNING.format(count), "s", seconds)
        cpu = tuple(load.cpu_seconds / count for load in loads)
        yield Row(subject, bars.LOAD_CPU.format(count), "s", cpu)
        for kind in loads[0].peak:
            peaks = tuple(load.peak[kind] for load in loads)
            yield Row(subject, bars.PEAK.format(kind, count), "MiB", peaks)

    def _idle(self, command: Command, count: int) -> Row:
        self.say(f"{command.name}: {self.size.idle_seconds:g} idle seconds with {count} routers")
        log = self.site.plane.audit_log
        while True:
            offset = log.stat().st_size
            time.sleep(SETTLED_SECONDS)
            if not self._writes(log, offset):
                break
        offset = log.stat().st_size
        time.sleep(self.size.idle_seconds)
        per_minute = self._writes(log, offset) * 60 / self.size.idle_seconds
        return Row(command.name, bars.IDLE_WRITES.format(count), "writes", (per_minute,))

    def _churn(self, operator: Operator, namespace: Namespace, count: int) -> Iterator[Row]:
        names = [f"load-0-{number}" for number in range(count)]
        done = 0
        for goal in self.size.reconciles:
            self.say(f"{operator.command.name}: up to {goal} reconciles")
            operator.churn(namespace, names, goal - done)
            done = goal
            for kind, value in processes.memory(operator.pid).items():
                case = bars.AFTER.format(kind, goal)
                yield Row(operator.command.name, case, "MiB", (value,))

    def _writes(self, log: Path, offset: int) -> int:
        return sum(request.user == USER for request in audit.writes(log, offset))


def _one_router(subject: Subject, namespace: Namespace, name: str) -> Iterator[tuple[str, Cost]]:
    if subject.name == "floor":
        # Its playbook does nothing, whatever the case.
        yield bars.CREATE, subject.run(routers.router(name, namespace.name))
        return
    cr = namespace.create(name)
    yield bars.CREATE, subject.run(cr)
    wanted = {f"Deployment/{name}", f"Service/{name}", f"ConfigMap/{name}-config"}
    if not wanted <= namespace.objects(name):
        raise BenchmarkError(f"{subject.name} made only {namespace.objects(name)}")
    wait(lambda: namespace.is_available(name), AVAILABLE_DEADLINE, f"{name} to be available")
    # Ours writes what has become of the pods; the next run then has nothing to do.
    subject.run(namespace.read(name))
    yield bars.NO_OP, subject.run(namespace.read(name))
    changed = namespace.edit(name, {"spec": {"podAnnotations": {"revision": "2"}}})
    yield bars.UPDATE, subject.run(changed)
    if namespace.revision(name) != "2":
        raise BenchmarkError(f"{subject.name} did not carry out the change")
