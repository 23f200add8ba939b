"""The embedded engine: informers fill work queues, workers run playbooks, until a signal comes."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from wrapper_runner import logs, platform
from wrapper_runner.cluster import Cluster, ClusterError
from wrapper_runner.endpoints import OFF, Answer, Judge, serve
from wrapper_runner.informer import Informer
from wrapper_runner.leader import LeaderElection
from wrapper_runner.listing import Change, concerns_itself, owners_concerned
from wrapper_runner.metrics import CONTENT_TYPE, Metrics
from wrapper_runner.objects import Gone
from wrapper_runner.observer import Observer
from wrapper_runner.playing import Player, PlayError
from wrapper_runner.reconciler import Isolate, ReconcileError, Reconciler, Result
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Watch
from wrapper_runner.workqueue import WorkQueue

# Lists that are not in after this long are waited for while the others are worked on.
FIRST_LISTS = 10.0
# After the grace period: for what is left of ended runs to be read and logged.
LAST_WORDS = 15.0

log = logs.Log("engine")


@dataclass(frozen=True)
class Addresses:
    """metrics_tls, metrics_judge: HTTPS for the metrics, and who may read them."""

    metrics: str
    probes: str
    metrics_tls: ssl.SSLContext | None = None
    metrics_judge: Judge | None = None


class Controller:
    """One watch: its queue, its informers, its workers."""

    def __init__(
        self,
        cluster: Cluster,
        watch: Watch,
        workers: int,
        reconciler: Reconciler,
        metrics: Metrics,
        stop: threading.Event,
    ) -> None:
        self._cluster = cluster
        self._watch = watch
        self._workers = workers
        self._reconciler = reconciler
        self._metrics = metrics
        self._stop = stop
        self._queue = WorkQueue()
        self._threads: list[threading.Thread] = []
        self._itself: list[Informer] = []
        self._observer: Observer

    def start(self, namespaces: Sequence[str]) -> None:
        """Look at what is there, then work; `namespaces` [""] = all."""
        watch = self._watch
        everywhere = list(namespaces) == [""]
        self._observer = Observer(self._cluster, self._queue.hear, everywhere)
        self._itself = [
            Informer(self._cluster, watch.kind, namespace, watch.selector, self._itself_changed)
            for namespace in namespaces
        ]
        informers = [
            *self._itself,
            *(informer for namespace in namespaces for informer in self._dependents(namespace)),
        ]
        for informer in informers:
            threading.Thread(target=informer.run, args=(self._stop,), daemon=True).start()
        deadline = time.monotonic() + FIRST_LISTS
        for informer in informers:
            informer.looked.wait(max(0, deadline - time.monotonic()))
        self._metrics.watch_queue(self._watch.kind, self._workers, lambda: self._queue.depth)
        log.info("Starting workers", kind=str(self._watch.kind), workers=self._workers)
        for take in self._takes():
            thread = threading.Thread(target=self._work, args=(take,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def close(self) -> None:
        self._queue.close()
        self._observer.stop()

    def join(self, deadline: float) -> bool:
        """Wait for running reconciles; whether all have ended."""
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _dependents(self, namespace: str) -> list[Informer]:
        watch = self._watch
        return [
            Informer(
                self._cluster,
                kind,
                namespace,
                watch.dependents_selector,
                self._dependent_changed,
                watch.cluster_scoped_dependents,
                kind in watch.status_ignored,
            )
            for kind in watch.dependents
        ]

    def _itself_changed(self, change: Change) -> None:
        if concerns_itself(change, self._watch.annotations_matter, self._watch.status_manager):
            self._queue.add(change.now.key)

    def _dependent_changed(self, change: Change) -> None:
        for key in owners_concerned(change, self._watch.kind.group, self._watch.kind.kind):
            self._queue.nudge(key)

    def _takes(self) -> list[Callable[[], list[Key]]]:
        """Where each worker's keys come from.

        Isolated keys have a worker of their own: one of them may be what a whole run died of, or
        hung at, and would do so again while all others wait.
        """
        together = partial(self._queue.take, self._watch.batch)
        isolated = [self._queue.take_isolated] if self._watch.batch > 1 else []
        return [together] * self._workers + isolated

    def _work(self, take: Callable[[], list[Key]]) -> None:
        while keys := take():
            with self._metrics.working(self._watch.kind):
                self._reconcile(keys)

    def _reconcile(self, keys: list[Key]) -> None:
        started = time.monotonic()
        left = dict.fromkeys(keys)
        try:
            for key, result in self._reconciler.reconcile(keys, self._population):
                self._settle(key, result, time.monotonic() - started)
                del left[key]
        except Exception as error:
            for key in left:
                self._settle(key, error, time.monotonic() - started)

    def _settle(self, key: Key, result: Result, seconds: float) -> None:
        kind = self._watch.kind
        if isinstance(result, Isolate):
            self._queue.isolate(key)
        elif isinstance(result, Gone):
            self._reconciler.forget(key)
            self._observer.forget(key)
            self._queue.forget(key)
            self._metrics.reconciled(kind, seconds)
            self._metrics.tell(kind, key, ())
        elif isinstance(result, Exception):
            self._metrics.reconciled(kind, seconds, result)
            self._retry(key, result)
        else:
            is_watched = self._observer.follow(key, result.reads)
            after = result.after_if_watched if is_watched else result.after
            self._queue.succeeded(key, after, result.changed)
            # While it ran, nothing of this has woken it.
            self._observer.check(key)
            self._metrics.reconciled(kind, seconds)
            self._metrics.tell(kind, key, result.conditions)

    def _population(self, namespace: str) -> int:
        return sum(informer.count(namespace) for informer in self._itself)

    def _retry(self, key: Key, error: Exception) -> None:
        delay = self._queue.failed(key)
        entry = log.bind(name=key.name, namespace=key.namespace, error=str(error))
        if self._stop.is_set():
            entry.error("Given up for the shutdown; the next start tries again")
        elif isinstance(error, ReconcileError | ClusterError | PlayError | OSError):
            entry.error("Will try again", retry_in=f"{delay:g}s")
        else:
            entry.exception(
                "Will try again after a mistake of the runner", error, retry_in=f"{delay:g}s"
            )


class Engine:
    """Everything that runs, from the first look at the cluster to the last word."""

    def __init__(
        self,
        cluster: Cluster,
        controllers: Sequence[Controller],
        player: Player,
        metrics: Metrics,
        election: LeaderElection | None,
        stop: threading.Event,
        hurry: threading.Event,
    ) -> None:
        """`stop` asks to finish, `hurry` to end what is running as well."""
        self._cluster = cluster
        self._controllers = controllers
        self._player = player
        self._metrics = metrics
        self._election = election
        self._stop = stop
        self._hurry = hurry
        self._ready = threading.Event()
        self._lost = threading.Event()

    def run(self, namespaces: Sequence[str], addresses: Addresses, grace: float) -> bool:
        """Until stopped (True) or until leadership is lost (False)."""
        self._serve(addresses)
        if not platform.announce(self._cluster, self._stop):
            return True
        # A standby is ready too, or a rolling update of two replicas would never end.
        self._ready.set()
        if self._election and not self._election.acquire(self._stop):
            return True
        renewing = threading.Event()
        self._start_renewing(renewing)
        for controller in self._controllers:
            controller.start(namespaces)
        self._stop.wait()
        lost = self._lost.is_set()
        self._finish(0 if lost else grace)
        renewing.set()
        if self._election and not lost:
            self._election.release()
        return not lost

    def _serve(self, addresses: Addresses) -> None:
        if addresses.probes not in OFF:
            probes = {"/healthz": _alive, "/readyz": self._answer_ready}
            log.info("Serving probes", address=serve(addresses.probes, probes))
        if addresses.metrics not in OFF:
            routes = {"/metrics": self._answer_metrics}
            tls, judge = addresses.metrics_tls, addresses.metrics_judge
            log.info("Serving metrics", address=serve(addresses.metrics, routes, tls, judge))

    def _start_renewing(self, stop: threading.Event) -> None:
        """Beyond the stop signal: runs that may still finish must stay the only ones."""
        election = self._election
        if not election:
            return

        def renew() -> None:
            if not election.hold(stop):
                self._metrics.leads(election.lease, False)
                self._lost.set()
                self._hurry.set()
                self._stop.set()

        self._metrics.leads(election.lease, True)
        threading.Thread(target=renew, daemon=True).start()

    def _finish(self, grace: float) -> None:
        log.info("Stopping: letting running reconciles finish", grace=f"{grace:g}s")
        for controller in self._controllers:
            controller.close()
        deadline = time.monotonic() + grace
        while not self._all_ended(time.monotonic() + 0.1):
            if self._hurry.is_set() or time.monotonic() > deadline:
                log.info("Ended running reconciles", count=self._player.end_all())
                self._all_ended(time.monotonic() + LAST_WORDS)
                return

    def _all_ended(self, deadline: float) -> bool:
        ended = [controller.join(deadline) for controller in self._controllers]
        return all(ended)

    def _answer_ready(self) -> Answer:
        if self._ready.is_set():
            return Answer(200, b"ok\n")
        return Answer(503, b"waiting for the API server\n")

    def _answer_metrics(self) -> Answer:
        return Answer(200, self._metrics.text(), CONTENT_TYPE)


def _alive() -> Answer:
    return Answer(200, b"ok\n")
