"""One reconcile of one object: read it fresh, run its playbook, keep the finalizer's promise."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from wrapper_runner import durations, logs
from wrapper_runner.cluster import Cluster, ClusterError, Json, Resource
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.outcome import Outcome
from wrapper_runner.parameters import extra_vars
from wrapper_runner.playing import Play, Player
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Watch

_PREFIX = "ansible.sdk.operatorframework.io"
ANNOTATION_PERIOD = f"{_PREFIX}/reconcile-period"
ANNOTATION_VERBOSITY = f"{_PREFIX}/verbosity"
ANNOTATION_ARTIFACTS = f"{_PREFIX}/max-runner-artifacts"
# The object was deleted while its playbook ran: the finalizer's turn comes soon.
FINALIZE_SOON = 5.0

log = logs.Log("reconciler")


class ReconcileError(Exception):
    """The object is not in its desired state; the message says why. Try again, later."""


class Gone(Exception):
    """The object does not exist any more, or is none of ours any more."""


class Reconciled(NamedTuple):
    """after: seconds until the next time, None = when something happens.

    conditions: what the playbook said of the object; as it has just written them, nobody has to
    read them again.
    """

    after: float | None
    conditions: Sequence[Mapping[str, str]] = ()


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
        self._cluster = cluster
        self._watch = watch
        self._limits = limits
        self._player = player
        self._kubeconfig = kubeconfig
        kind = watch.kind
        self._directory = directory / kind.group / kind.version / kind.kind
        self._resource: Resource | None = None
        self._said: dict[Key, list[str]] = {}

    def reconcile(self, key: Key) -> Reconciled:
        """Run the playbook; Gone, ReconcileError."""
        cr = self._read(key)
        ident = str(random.getrandbits(63))
        entry = log.bind(name=key.name, namespace=key.namespace, job=ident)
        finalizer = self._watch.finalizer
        finalizing = _deleted(cr)
        if finalizing and not (finalizer and finalizer.name in _finalizers(cr)):
            entry.info("Being deleted, and not waiting for us: nothing to run")
            return Reconciled(None)
        if finalizer and not finalizing and finalizer.name not in _finalizers(cr):
            cr = self._set_finalizers(cr, [*_finalizers(cr), finalizer.name])
        outcome = self._play(key, cr, ident, finalizing, entry)
        return Reconciled(self._next_time(key, cr, finalizing, outcome, entry), outcome.conditions)

    def _next_time(
        self, key: Key, cr: Json, finalizing: bool, outcome: Outcome, entry: logs.Log
    ) -> float | None:
        if outcome.requeue_after is not None:
            return _period(outcome.requeue_after)
        if finalizing:
            self._release(key)
        elif self._watch.finalizer and _deleted(self._read(key)):
            return FINALIZE_SOON
        return _period(self._annotated_period(cr, entry))

    def forget(self, key: Key) -> None:
        """Keep nothing of an object that is gone."""
        self._said.pop(key, None)
        self._input(key).remove()

    def _read(self, key: Key) -> Json:
        self._resource = self._resource or self._cluster.resource(self._watch.kind)
        if self._resource is None:
            raise Gone
        try:
            cr = self._cluster.get(self._resource.path(key.namespace, key.name))
        except ClusterError as error:
            if error.status == 404:
                raise Gone from error
            raise
        if not self._watch.selector.matches(cr["metadata"].get("labels") or {}):
            raise Gone
        return cr

    def _play(self, key: Key, cr: Json, ident: str, finalizing: bool, entry: logs.Log) -> Outcome:
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
            ident=ident,
            artifacts=_annotated_number(cr, ANNOTATION_ARTIFACTS, self._watch.artifacts),
            verbosity=_annotated_number(cr, ANNOTATION_VERBOSITY, self._limits.verbosity),
            timeout=self._limits.timeout,
        )
        entry.info("Finalizing" if finalizing else "Reconciling", playbook=playbook.name)
        return self._watched(key, play, entry)

    def _watched(self, key: Key, play: Play, entry: logs.Log) -> Outcome:
        """Run a play and say how it went."""
        outcome = Outcome()
        started = time.monotonic()
        try:
            for event in self._player.events(play, self._kubeconfig):
                outcome.take(event)
        finally:
            self._repeat_messages(key, outcome.messages, entry)
        for failure in outcome.failures:
            write = entry.info if outcome.succeeded else entry.error
            write(
                "Task failed, and the playbook went on" if outcome.succeeded else "Task failed",
                task=failure.task,
                error=failure.message,
            )
        fields = {
            "duration": f"{time.monotonic() - started:.2f}s",
            **({"objects_changed": outcome.changed} if outcome.changed is not None else {}),
        }
        if not outcome.succeeded:
            entry.error("Reconcile failed", result="failed", **fields)
            raise ReconcileError(outcome.reason)
        result = "changed" if outcome.changed_something else "ok"
        entry.info("Reconciled", result=result, **fields)
        return outcome

    def _repeat_messages(self, key: Key, messages: list[str], entry: logs.Log) -> None:
        """Into the log, unless the previous run of this object has said the same already."""
        said_before = self._said.get(key, [])
        for message in dict.fromkeys(messages):
            if message not in said_before:
                entry.info(message)
        self._said[key] = messages

    def _set_finalizers(self, cr: Json, finalizers: list[str]) -> Json:
        metadata = cr["metadata"]
        # With the version that was read: a finalizer that somebody added since must not be lost.
        patch = {
            "metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}
        }
        assert self._resource is not None  # noqa: S101 the object was read from there
        path = self._resource.path(metadata.get("namespace", ""), metadata["name"])
        return self._cluster.merge(path, patch)

    def _release(self, key: Key) -> None:
        """The finalizer has done its work: let the object go."""
        cr = self._read(key)
        finalizer = self._watch.finalizer
        ours = finalizer.name if finalizer else ""
        self._set_finalizers(cr, [name for name in _finalizers(cr) if name != ours])

    def _annotated_period(self, cr: Json, entry: logs.Log) -> float:
        text = _annotations(cr).get(ANNOTATION_PERIOD)
        if text is not None:
            try:
                return durations.seconds(text)
            except ValueError as error:
                entry.error(f"Annotation {ANNOTATION_PERIOD} is ignored", error=str(error))
        return self._watch.period or self._limits.period

    def _input(self, key: Key) -> InputDirectory:
        return InputDirectory(self._directory / key.namespace / key.name)


def _annotations(cr: Json) -> Mapping[str, str]:
    return cr["metadata"].get("annotations") or {}


def _annotated_number(cr: Json, annotation: str, default: int) -> int:
    text = _annotations(cr).get(annotation, "")
    return int(text) if text.isdecimal() else default


def _finalizers(cr: Json) -> list[str]:
    finalizers: list[Any] = cr["metadata"].get("finalizers") or []
    return finalizers


def _deleted(cr: Json) -> bool:
    return "deletionTimestamp" in cr["metadata"]


def _period(seconds: float) -> float | None:
    return seconds if seconds > 0 else None
