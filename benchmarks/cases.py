"""What is measured of each subject; yields rows as they are known."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
# Their log says of each reconcile that it has ended.
OURS = ("warm", "cold")


@dataclass(frozen=True)
class Size:
    """How much is measured.

    cases: of single runs, for subjects that do not go through all; counts: routers at once, each as
    often as it stands there;
    memory_at, settled_at: with how many routers memory is looked at after many reconciles, and an
    operator is idle and started again; reconciles: after how many the memory is looked at.
    many: models of one router, and endpoints of each.
    """

    runs: int
    cases: dict[str, tuple[str, ...]]
    counts: dict[str, tuple[int, ...]]
    memory_at: int
    settled_at: tuple[int, ...]
    reconciles: tuple[int, ...]
    idle_seconds: float
    many: tuple[int, int]


QUICK = Size(
    runs=1,
    # One of the conventional takes as long as all of the others.
    cases={"conventional": (bars.CREATE,)},
    counts={"warm": (1, 2), "cold": (1,), "conventional": (), "stock": (1,), "peer": (1,)},
    memory_at=2,
    settled_at=(2,),
    reconciles=(5, 10),
    idle_seconds=5.0,
    many=(20, 2),
)
FULL = Size(
    runs=5,
    cases={},
    # The slow ones take minutes for 50, and nothing is learnt from 200.
    counts={
        "warm": (1, 10, 50, 50, 50, 200, 1000),
        "cold": (1, 10, 50),
        "conventional": (1, 10, 50),
        "stock": (1, 10, 50, 200),
        "peer": (1, 10, 50, 50, 50, 200),
    },
    memory_at=50,
    settled_at=(50, 200, 1000),
    reconciles=(200, 1000),
    idle_seconds=60.0,
    many=(200, 5),
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
                yield from _costs(subject, case, measured)

    def many(self, subject: Subject) -> Iterator[Row]:
        """create and no-op of a router with many models, on Services that answer."""
        models, of_each = self.size.many
        self.say(f"{subject.name}: {models} models on {models * of_each} endpoints")
        costs: dict[str, list[Cost]] = {bars.CREATE: [], bars.NO_OP: []}
        name = f"{subject.name}-many"
        with routers.namespace(self.cluster, self.kubectl, name) as namespace:
            namespace.create_services(models, of_each)
            for number in range(self.size.runs):
                cr = namespace.create_with_models(f"run-{number}", models, of_each)
                steps = _reconciled(subject, namespace, cr)
                for case, cost in itertools.islice(steps, len(costs)):
                    costs[case].append(cost)
        for step, measured in costs.items():
            case = bars.MANY.format(models, models * of_each, step)
            yield from _costs(subject, case, measured)

    def operators(self, commands: Sequence[Command]) -> Iterator[Row]:
        """N routers at once, the operators in turn; with many: idle, and woken again and again."""
        counts = self.size.counts
        measured = {count for command in commands for count in counts[command.name]}
        for count in sorted(measured):
            turns = {command.name: counts[command.name].count(count) for command in commands}
            for turn in range(max(turns.values())):
                for command in commands:
                    if turn < turns[command.name]:
                        is_last = turn == turns[command.name] - 1
                        yield from self._turn(command, count, turn, is_last)

    def _turn(self, command: Command, count: int, turn: int, is_last: bool) -> Iterator[Row]:
        self.say(f"{command.name}: {count} at once")
        name = f"{command.name}-{count}-{turn}"
        with (
            # Around the namespace, which a peer with finalizers must see go.
            running(command, self.site.directory / f"{name}.log") as operator,
            routers.namespace(self.cluster, self.kubectl, name) as namespace,
        ):
            yield from self._load(operator, namespace, count)
            if not is_last:
                return
            if count in self.size.settled_at:
                yield from self._idle(operator, count)
            if count == self.size.memory_at and command.name == "warm":
                yield from self._churn(operator, namespace, count)
            if count in self.size.settled_at and command.name in OURS:
                operator.stop()
                yield from self._restart(command, count)

    def _load(self, operator: Operator, namespace: Namespace, count: int) -> Iterator[Row]:
        subject = operator.command.name
        for kind, value in processes.memory(operator.pid).items():
            yield Row(subject, bars.IDLE.format(kind), "MiB", (value,))
        loads = [
            operator.load(namespace, count, f"load-{number}", self._plane)
            for number in range(self.size.runs if count == 1 else 1)
        ]
        seconds = tuple(load.available_seconds for load in loads)
        yield Row(subject, bars.AVAILABLE.format(count), "s", seconds)
        if operator.command.writes_phase:
            seconds = tuple(load.running_seconds for load in loads)
            yield Row(subject, bars.RUNNING.format(count), "s", seconds)
        cpu = tuple(load.cpu_seconds / count for load in loads)
        yield Row(subject, bars.LOAD_CPU.format(count), "s", cpu)
        cpu = tuple(load.plane_cpu_seconds / count for load in loads)
        yield Row(subject, bars.PLANE_CPU.format(count), "s", cpu)
        for kind in loads[0].peak:
            peaks = tuple(load.peak[kind] for load in loads)
            yield Row(subject, bars.PEAK.format(kind, count), "MiB", peaks)

    @property
    def _plane(self) -> list[int]:
        return list(self.site.plane.processes.values())

    def _idle(self, operator: Operator, count: int) -> Iterator[Row]:
        subject = operator.command.name
        self.say(f"{subject}: {self.size.idle_seconds:g} idle seconds with {count} routers")
        log = self.site.plane.audit_log
        while True:
            offset = log.stat().st_size
            time.sleep(SETTLED_SECONDS)
            if not self._writes(log, offset):
                break
        offset, cpu = log.stat().st_size, processes.cpu_seconds(operator.pid)
        time.sleep(self.size.idle_seconds)
        minute = 60 / self.size.idle_seconds
        writes = self._writes(log, offset) * minute
        yield Row(subject, bars.IDLE_WRITES.format(count), "writes", (writes,))
        cpu = (processes.cpu_seconds(operator.pid) - cpu) * minute
        yield Row(subject, bars.IDLE_CPU.format(count), "s", (cpu,))
        for kind, value in processes.memory(operator.pid).items():
            yield Row(subject, bars.SETTLED.format(kind, count), "MiB", (value,))

    def _restart(self, command: Command, count: int) -> Iterator[Row]:
        """Started again over routers that are settled, until it has looked at all of them."""
        self.say(f"{command.name}: started again over {count} routers")
        log = self.site.directory / f"{command.name}-{count}-again.log"
        with running(command, log) as operator:
            seconds = operator.wait_for_reconciles(count)
            cpu = processes.cpu_seconds(operator.pid)
        yield Row(command.name, bars.RESTART.format(count), "s", (seconds,))
        yield Row(command.name, bars.CPU.format(bars.RESTART.format(count)), "s", (cpu,))

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


def _costs(subject: Subject, case: str, measured: Sequence[Cost]) -> Iterator[Row]:
    yield Row(subject.name, case, "s", tuple(cost.seconds for cost in measured))
    cpu = tuple(cost.cpu_seconds for cost in measured)
    yield Row(subject.name, bars.CPU.format(case), "s", cpu)
    requests = tuple(float(cost.requests) for cost in measured)
    yield Row(subject.name, bars.REQUESTS.format(case), "requests", requests)


def _one_router(subject: Subject, namespace: Namespace, name: str) -> Iterator[tuple[str, Cost]]:
    if subject.name == "floor":
        # Its playbook does nothing, whatever the case.
        yield bars.CREATE, subject.run(routers.router(name, namespace.name))
        return
    yield from _reconciled(subject, namespace, namespace.create(name))


def _reconciled(
    subject: Subject, namespace: Namespace, cr: dict[str, Any]
) -> Iterator[tuple[str, Cost]]:
    name = cr["metadata"]["name"]
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
