"""A reconcile of one object, or of several in one run, each a host of its play.

Reads them fresh, runs the playbook, keeps the finalizer's promise.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wrapper_runner import durations, logs
from wrapper_runner.cluster import Cluster, Json
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.interests import NOTHING, Reads
from wrapper_runner.objects import Objects, Population, annotations_of, finalizers_of, is_deleted
from wrapper_runner.outcome import Outcome, Outcomes
from wrapper_runner.parameters import ALL, HOSTS, extra_vars, host_name, host_vars
from wrapper_runner.playing import Play, Player, PlayError, Stopping
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Watch

_PREFIX = "ansible.sdk.operatorframework.io"
ANNOTATION_PERIOD = f"{_PREFIX}/reconcile-period"
ANNOTATION_VERBOSITY = f"{_PREFIX}/verbosity"
ANNOTATION_ARTIFACTS = f"{_PREFIX}/max-runner-artifacts"
# The object was deleted while its playbook ran: the finalizer's turn comes soon.
FINALIZE_SOON = 5.0
# The time for a run of several. Who needs more has a run by itself afterwards, and --run-timeout
# for it.
SECONDS_FOR_EACH = 15.0
# No namespace has such a name.
BATCHES = "_batches"

log = logs.Log("reconciler")


class ReconcileError(Exception):
    """The object is not in its desired state; the message says why. Try again, later."""


class Isolate(Exception):
    """This object needs a run by itself, and has had none yet."""


class Reconciled(NamedTuple):
    """after: seconds until the next time, None = when something happens.

    conditions: what the playbook said of the object; as it has just written them, nobody has to
    read them again. reads: of others' objects. after_if_watched: as after, where all of these are
    watched. changed: the run has written something.
    """

    after: float | None
    conditions: Sequence[Mapping[str, str]] = ()
    reads: Reads = NOTHING
    after_if_watched: float | None = None
    changed: bool = True


# Not raised: each of several objects has a result of its own.
Result = Reconciled | Exception


@dataclass(frozen=True)
class Limits:
    """What the command line says about every run."""

    period: float
    verbosity: int
    timeout: float
    ansible_args: str


class Reconciler:
    """For the objects of one watch; used by all its workers."""

    def __init__(
        self,
        cluster: Cluster,
        watch: Watch,
        limits: Limits,
        player: Player,
        kubeconfig: Mapping[str, str],
        directory: Path,
    ) -> None:
        self._objects = Objects(cluster, watch)
        self._watch = watch
        self._limits = limits
        self._player = player
        self._kubeconfig = kubeconfig
        kind = watch.kind
        self._directory = directory / kind.group / kind.version / kind.kind
        self._batches = _Directories(self._directory / BATCHES)
        self._said: dict[Key, list[str]] = {}

    def reconcile(
        self, keys: Sequence[Key], population: Population
    ) -> Iterator[tuple[Key, Result]]:
        """Run the playbook, for all of them together that can be; what has come of each."""
        together: dict[Key, Json] = {}
        for key, found in self._objects.read_all(keys, population).items():
            if isinstance(found, Exception):
                yield key, found
            elif len(keys) > 1 and self._needs_a_run_of_its_own(found):
                yield key, Isolate()
            else:
                together[key] = found
        if len(together) > 1:
            yield from self._reconcile_together(together)
        else:
            yield from ((key, self._reconcile_one(key, cr)) for key, cr in together.items())

    def forget(self, key: Key) -> None:
        """Keep nothing of an object that is gone."""
        self._said.pop(key, None)
        self._input(key).remove()

    def _needs_a_run_of_its_own(self, cr: Json) -> bool:
        finalizer = self._watch.finalizer
        return (
            is_deleted(cr)
            or (finalizer is not None and finalizer.name not in finalizers_of(cr))
            or not annotations_of(cr)
            .keys()
            .isdisjoint((ANNOTATION_VERBOSITY, ANNOTATION_ARTIFACTS))
        )

    def _reconcile_one(self, key: Key, cr: Json) -> Result:
        job = _job()
        entry = log.bind(name=key.name, namespace=key.namespace, job=job)
        try:
            return self._run(key, cr, job, entry)
        except Exception as error:
            return error

    def _run(self, key: Key, cr: Json, job: str, entry: logs.Log) -> Reconciled:
        finalizer = self._watch.finalizer
        finalizing = is_deleted(cr)
        if finalizing:
            cr = self._objects.freed(cr, entry)
        if finalizing and not (finalizer and finalizer.name in finalizers_of(cr)):
            entry.info("Being deleted, and not waiting for us: nothing to run")
            return Reconciled(None)
        if finalizer and not finalizing and finalizer.name not in finalizers_of(cr):
            cr = self._objects.set_finalizers(cr, [*finalizers_of(cr), finalizer.name])
        outcome = Outcome()
        started = time.monotonic()
        try:
            self._play(key, cr, job, finalizing, entry, outcome)
        finally:
            self._repeat_messages(key, outcome.messages, entry)
        self._report(outcome, time.monotonic() - started, entry)
        return self._reconciled(key, cr, finalizing, outcome, entry)

    def _play(
        self, key: Key, cr: Json, job: str, finalizing: bool, entry: logs.Log, outcome: Outcome
    ) -> None:
        playbook, variables = self._watch.playbook, dict(self._watch.vars)
        if finalizing and self._watch.finalizer:
            playbook = self._watch.finalizer.playbook
            variables |= self._watch.finalizer.vars
        directory = self._input(key)
        parameters = extra_vars(self._watch.kind, cr, variables, self._watch.mark_unsafe)
        directory.write(playbook, parameters, self._kubeconfig, self._limits.ansible_args)
        play = Play(
            directory=directory.path,
            playbook=playbook,
            ident=job,
            artifacts=_annotated_number(cr, ANNOTATION_ARTIFACTS, self._watch.artifacts),
            verbosity=_annotated_number(cr, ANNOTATION_VERBOSITY, self._limits.verbosity),
            timeout=self._limits.timeout,
        )
        entry.info("Finalizing" if finalizing else "Reconciling", playbook=playbook.name)
        for event in self._player.events(play, self._kubeconfig):
            outcome.take(event)

    def _reconcile_together(self, crs: Mapping[Key, Json]) -> Iterator[tuple[Key, Result]]:
        job = _job()
        entries = {key: log.bind(name=key.name, namespace=key.namespace, job=job) for key in crs}
        outcomes = Outcomes(host_name(key) for key in crs)
        for entry in entries.values():
            entry.info("Reconciling", playbook=self._watch.playbook.name, together=len(crs))
        started = time.monotonic()
        try:
            self._play_together(crs, job, outcomes)
        except Stopping as error:
            yield from ((key, error) for key in crs)
            return
        except PlayError as error:
            log.error(
                "A run of several did not come to its end; now each has one by itself",
                job=job,
                error=str(error),
            )
            # Last those whose task was under way: others need not wait for what may hang again.
            for key in sorted(crs, key=lambda key: outcomes.of[host_name(key)].busy):
                yield key, Isolate()
            return
        seconds = time.monotonic() - started
        for key, cr in crs.items():
            outcome = outcomes.of[host_name(key)]
            yield key, self._result(key, cr, outcome, seconds, entries[key])

    def _play_together(self, crs: Mapping[Key, Json], job: str, outcomes: Outcomes) -> None:
        watch = self._watch
        hosts = {host_name(key): host_vars(watch.kind, cr) for key, cr in crs.items()}
        with self._batches.one() as directory:
            variables = {**self._kubeconfig, **directory.write_objects(hosts)}
            parameters = {**watch.vars, HOSTS: ALL}
            directory.write(
                watch.playbook, parameters, variables, self._limits.ansible_args, hosts=hosts
            )
            play = Play(
                directory=directory.path,
                playbook=watch.playbook,
                ident=job,
                artifacts=watch.artifacts,
                verbosity=self._limits.verbosity,
                timeout=min(self._limits.timeout, SECONDS_FOR_EACH * len(crs)),
                limit=f"the limit of {len(crs)} together",
            )
            for event in self._player.events(play, variables):
                outcomes.take(event)

    def _result(
        self, key: Key, cr: Json, outcome: Outcome, seconds: float, entry: logs.Log
    ) -> Result:
        """What became of an object whose run with others has come to its end."""
        if not outcome.took_place:
            entry.error("The play has left this one out; now it has a run by itself")
            return Isolate()
        self._repeat_messages(key, outcome.messages, entry)
        try:
            self._report(outcome, seconds, entry)
            return self._reconciled(key, cr, False, outcome, entry)
        except Exception as error:
            return error

    def _report(self, outcome: Outcome, seconds: float, entry: logs.Log) -> None:
        """Say how a run went; ReconcileError if it failed."""
        for failure in outcome.failures:
            write = entry.info if outcome.succeeded else entry.error
            write(
                "Task failed, and the playbook went on" if outcome.succeeded else "Task failed",
                task=failure.task,
                error=failure.message,
            )
        fields = {
            "duration": f"{seconds:.2f}s",
            **({"objects_changed": outcome.changed} if outcome.changed is not None else {}),
        }
        if not outcome.succeeded:
            entry.error("Reconcile failed", result="failed", **fields)
            raise ReconcileError(outcome.reason)
        result = "changed" if outcome.changed_something else "ok"
        entry.info("Reconciled", result=result, **fields)

    def _repeat_messages(self, key: Key, messages: list[str], entry: logs.Log) -> None:
        """Into the log, unless the previous run of this object has said the same already."""
        said_before = self._said.get(key, [])
        for message in dict.fromkeys(messages):
            if message not in said_before:
                entry.info(message)
        self._said[key] = messages

    def _reconciled(
        self, key: Key, cr: Json, finalizing: bool, outcome: Outcome, entry: logs.Log
    ) -> Reconciled:
        after = self._next_time(key, cr, finalizing, outcome, entry)
        return Reconciled(
            after,
            outcome.conditions,
            outcome.reads,
            self._watched_period(cr, outcome) or after,
            outcome.changed_something,
        )

    def _watched_period(self, cr: Json, outcome: Outcome) -> float | None:
        if not outcome.reads_suffice or ANNOTATION_PERIOD in annotations_of(cr):
            return None
        # Jitter, or what one restart has looked at together would be looked at together for ever.
        return _period(self._watch.watched_period * random.uniform(0.8, 1))  # noqa: S311 no secret

    def _next_time(
        self, key: Key, cr: Json, finalizing: bool, outcome: Outcome, entry: logs.Log
    ) -> float | None:
        if outcome.requeue_after is not None:
            return _period(outcome.requeue_after)
        if finalizing:
            self._release(key)
        elif self._watch.finalizer and is_deleted(self._objects.read(key)):
            return FINALIZE_SOON
        return _period(self._annotated_period(cr, entry))

    def _release(self, key: Key) -> None:
        """The finalizer has done its work: let the object go."""
        cr = self._objects.read(key)
        finalizer = self._watch.finalizer
        ours = finalizer.name if finalizer else ""
        self._objects.set_finalizers(cr, [name for name in finalizers_of(cr) if name != ours])

    def _annotated_period(self, cr: Json, entry: logs.Log) -> float:
        text = annotations_of(cr).get(ANNOTATION_PERIOD)
        if text is not None:
            try:
                return durations.seconds(text)
            except ValueError as error:
                entry.error(f"Annotation {ANNOTATION_PERIOD} is ignored", error=str(error))
        return self._watch.period or self._limits.period

    def _input(self, key: Key) -> InputDirectory:
        return InputDirectory(self._directory / key.namespace / key.name)


class _Directories:
    """Input directories for runs of several: one for each that runs at a time."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[InputDirectory]:
        with self._lock:
            number = next(n for n in range(len(self._taken) + 1) if n not in self._taken)
            self._taken.add(number)
        directory = InputDirectory(self._base / str(number))
        try:
            yield directory
        finally:
            directory.remove_objects()
            with self._lock:
                self._taken.discard(number)


def _job() -> str:
    return str(random.getrandbits(63))


def _annotated_number(cr: Json, annotation: str, default: int) -> int:
    text = annotations_of(cr).get(annotation, "")
    return int(text) if text.isdecimal() else default


def _period(seconds: float) -> float | None:
    return seconds if seconds > 0 else None
