"""Watches for the stock engine what its runs have read: `python -m wrapper_runner.companion`.

That engine hears of a router's own objects only, and not of those whose status moves all the time.
So its runs tell this process what they have read (plugins/callback/runner_reads.py) and which
object of the router's own is its doorbell: another value of an annotation there, and the engine
runs the router. docs/adr/0019 says why so.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from wrapper_runner import environment, exits, interests, logs, watches
from wrapper_runner.cluster import Cluster, ClusterError, connect
from wrapper_runner.deletions import Deletions
from wrapper_runner.handed import CALLBACK_PLUGINS
from wrapper_runner.informer import Informer
from wrapper_runner.inputdir import PLUGINS
from wrapper_runner.listing import Change, owners_concerned
from wrapper_runner.observer import Observer
from wrapper_runner.problems import StartError
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind, Watch
from wrapper_runner.workqueue import WorkQueue

SOCKET = "WRAPPER_RUNNER_READS"
FIELD_MANAGER = "wrapper-runner"
LARGEST_MESSAGE = 1 << 20
PARENT_PERIOD = 1.0

log = logs.Log("companion")


def start(given: environment.Environment, watches_file: Path) -> dict[str, str]:
    """Of the process that is about to become the engine; what its runs need to know."""
    directory = tempfile.mkdtemp(prefix="wrapper-runner-reads-")
    path = os.path.join(directory, "socket")
    program = [sys.executable, "-P", "-m", __name__]
    command = [*program, str(os.getpid()), directory, str(watches_file)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        subprocess.Popen(
            command, stdin=listener.fileno(), stdout=subprocess.DEVNULL, env=dict(given)
        )
    plugins = filter(None, (str(PLUGINS / "callback"), given.get(CALLBACK_PLUGINS, "")))
    return {SOCKET: path, CALLBACK_PLUGINS: os.pathsep.join(plugins)}


class Companion:
    def __init__(self, cluster: Cluster, everywhere: bool) -> None:
        """everywhere: the engine is there for all namespaces."""
        self._cluster = cluster
        self._queue = WorkQueue()
        self._observer = Observer(cluster, self._queue.hear, everywhere)
        self._doorbells: dict[Key, Mapping[str, str]] = {}
        # Whether the run that a ring was for has changed something.
        self._changed: dict[Key, bool] = {}
        self._deletions: list[Deletions] = []
        self._stop = threading.Event()

    def watch(self, entry: Watch, namespaces: Sequence[str]) -> None:
        """The dependents that the engine is not told of, and deletions that it leaves alone."""
        informers = [
            Informer(
                self._cluster,
                kind,
                namespace,
                entry.dependents_selector,
                partial(self._dependent_changed, entry.kind),
                entry.cluster_scoped_dependents,
                ignores_status=True,
            )
            for kind in entry.status_ignored
            for namespace in namespaces
        ]
        if entry.former_finalizers:
            deletions = Deletions(self._cluster, entry)
            self._deletions.append(deletions)
            threading.Thread(target=deletions.work, daemon=True).start()
            informers += [
                Informer(self._cluster, entry.kind, namespace, entry.selector, deletions.hear)
                for namespace in namespaces
            ]
        for informer in informers:
            threading.Thread(target=informer.run, args=(self._stop,), daemon=True).start()

    def take(self, message: bytes) -> None:
        """What a run has told."""
        told: dict[str, Any] = json.loads(message)
        key = Key(told["object"]["namespace"], told["object"]["name"])
        self._doorbells[key] = told.get("doorbell") or {}
        self._changed[key] = bool(told.get("changed"))
        self._observer.follow(key, interests.parse(told["reads"]))
        self._observer.check(key)

    def work(self) -> None:
        """Ring for whom there is news, until closed."""
        while keys := self._queue.take(1):
            for key in keys:
                self._ring(key)
                self._queue.succeeded(key, None, self._changed.pop(key, False))

    def close(self) -> None:
        self._stop.set()
        for deletions in self._deletions:
            deletions.close()
        self._queue.close()
        self._observer.stop()

    def _dependent_changed(self, owner: Kind, change: Change) -> None:
        for key in owners_concerned(change, owner.group, owner.kind):
            self._queue.hear(key)

    def _ring(self, key: Key) -> None:
        doorbell = self._doorbells.get(key)
        if not doorbell:
            return
        patch = {"metadata": {"annotations": {doorbell["annotation"]: str(time.time_ns())}}}
        try:
            self._cluster.merge(doorbell["path"], patch, {"fieldManager": FIELD_MANAGER})
        except ClusterError as error:
            if error.status == 404:
                # It went with its router.
                self._doorbells.pop(key)
                self._observer.forget(key)
                return
            log.error(
                "Cannot tell the engine of a change; it looks by itself, later",
                name=key.name,
                namespace=key.namespace,
                error=str(error),
            )


def main(parent: int, directory: str, watches_file: str) -> None:
    """As long as the parent lives, whichever program it has become."""
    logs.start("info", "json")
    namespaces = environment.namespaces(os.environ)
    try:
        companion = Companion(connect(environment.kubeconfig(os.environ)), namespaces == [""])
    except ClusterError as error:
        log.error("Others' objects are not watched", error=str(error))
        return
    for entry in _entries(Path(watches_file)):
        companion.watch(entry, namespaces)
    listener = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    for work in (companion.work, lambda: _listen(listener, companion)):
        threading.Thread(target=work, daemon=True).start()
    while os.getppid() == parent:
        time.sleep(PARENT_PERIOD)
    companion.close()
    shutil.rmtree(Path(directory), ignore_errors=True)
    exits.leave(0)


def _entries(watches_file: Path) -> list[Watch]:
    try:
        return watches.load(watches_file)
    except StartError as error:
        # The engine takes more than this: roles, say.
        log.info("No dependents are watched beside the engine", error=str(error))
        return []


def _listen(listener: socket.socket, companion: Companion) -> None:
    while True:
        message = listener.recv(LARGEST_MESSAGE)
        try:
            companion.take(message)
        except Exception as mistake:
            log.exception("What a run has told is not understood", mistake)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
