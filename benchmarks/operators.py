"""Many routers at once, through an operator: ours in an engine of ours, or any other."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import processes
from benchmarks.processes import MemoryPeak
from benchmarks.routers import BenchmarkError, Namespace, wait

START_DEADLINE = 60.0
STOP_DEADLINE = 60.0
RUNNING_DEADLINE = 1800.0
# Each look lists all routers, which the API server has to do beside its other work.
POLL_INTERVAL = 0.2
RECONCILED = b'"Reconciled"'


@dataclass(frozen=True)
class Command:
    """How an operator is started.

    writes_phase: whether it says of its routers that they are Running.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    writes_phase: bool = True


@dataclass(frozen=True)
class Load:
    """What N routers at once took, until their Deployments had their pods and until their statuses
    said so too; CPU of the operator and of the control plane until then."""

    available_seconds: float
    running_seconds: float
    cpu_seconds: float
    plane_cpu_seconds: float
    peak: Mapping[str, float]


class Operator:
    """A running operator; everything that it starts is below it."""

    def __init__(self, command: Command, log: Path) -> None:
        self.command = command
        self._log = log
        self._started = time.monotonic()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command.arguments,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def reconciles(self) -> int:
        """How many have ended well, by its log."""
        return self._log.read_bytes().count(RECONCILED)

    def wait_until_started(self) -> None:
        """Until it says that it works; a peer may say so in its own words."""
        words = (b"Starting workers", b"starting workers")
        wait(lambda: self._said(words), START_DEADLINE, f"{self.command.name} to start")

    def load(self, namespace: Namespace, count: int, prefix: str, plane: Sequence[int]) -> Load:
        """Create routers at once and wait until all of them run; plane: its processes."""
        cpu, plane_cpu = processes.cpu_seconds(self.pid), _cpu_seconds(plane)
        available, running = namespace.available() + count, namespace.running() + count
        with MemoryPeak(self.pid) as memory:
            started = time.monotonic()
            for number in range(count):
                namespace.create(f"{prefix}-{number}")
            self._wait(lambda: namespace.available() >= available, f"{count} Deployments")
            available_seconds = time.monotonic() - started
            if self.command.writes_phase:
                self._wait(lambda: namespace.running() >= running, f"{count} routers to run")
            running_seconds = time.monotonic() - started
        return Load(
            available_seconds,
            running_seconds,
            processes.cpu_seconds(self.pid) - cpu,
            _cpu_seconds(plane) - plane_cpu,
            memory.peak,
        )

    def wait_for_reconciles(self, count: int) -> float:
        """Until so many have ended well; seconds since this operator was started."""
        self._wait(lambda: self.reconciles() >= count, f"{count} reconciles")
        return time.monotonic() - self._started

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        wait(condition, RUNNING_DEADLINE, what, POLL_INTERVAL)

    def churn(self, namespace: Namespace, names: Sequence[str], until: int) -> None:
        """Wake it for one router after the other, as fast as it can, for `until` reconciles."""
        ring = itertools.cycle(names)
        asked = itertools.count()
        target = self.reconciles() + until
        while self.reconciles() < target:
            behind = target - self.reconciles()
            for name in itertools.islice(ring, min(len(names), behind)):
                # It is in the router's own group: with any other, a run may end as soon as it sees
                # that nothing has changed, and that is not what is measured.
                annotations = {"vllm.ai/benchmark-round": str(next(asked))}
                namespace.edit(name, {"metadata": {"annotations": annotations}})
            self._wait_for_more_than(self.reconciles())

    def _wait_for_more_than(self, before: int) -> None:
        wait(lambda: self.reconciles() > before, START_DEADLINE, "a reconcile")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _said(self, words: Sequence[bytes]) -> bool:
        said = self._log.read_bytes()
        if self._process.poll() is not None:
            text = said[-4000:].decode(errors="replace")
            raise BenchmarkError(f"{self.command.name} ended by itself: {text}")
        return any(word in said for word in words)


def _cpu_seconds(pids: Sequence[int]) -> float:
    return sum(processes.cpu_seconds(pid) for pid in pids)


@contextmanager
def running(command: Command, log: Path) -> Iterator[Operator]:
    operator = Operator(command, log)
    try:
        operator.wait_until_started()
        yield operator
    finally:
        operator.stop()
