"""Frees what is being deleted of the finalizers of operators that are gone.

For the stock engine, which leaves alone what is being deleted. The embedded one does it by itself.
"""

from __future__ import annotations

from wrapper_runner import logs
from wrapper_runner.cluster import Cluster, ClusterError
from wrapper_runner.listing import Change, News
from wrapper_runner.objects import Gone, Objects, is_deleted
from wrapper_runner.watches import Watch
from wrapper_runner.workqueue import WorkQueue

log = logs.Log("deletions")


class Deletions:
    """Of the objects of one watch."""

    def __init__(self, cluster: Cluster, watch: Watch) -> None:
        self._objects = Objects(cluster, watch)
        self._queue = WorkQueue()

    def hear(self, change: Change) -> None:
        if change.now.deleting and change.news is not News.DELETED:
            self._queue.add(change.now.key)

    def work(self) -> None:
        """One after the other, until closed; what is refused is tried again, later and later."""
        while keys := self._queue.take(1):
            (key,) = keys
            entry = log.bind(name=key.name, namespace=key.namespace)
            try:
                cr = self._objects.read(key)
                if is_deleted(cr):
                    self._objects.freed(cr, entry)
            except Gone:
                self._queue.forget(key)
            except ClusterError as error:
                after = self._queue.failed(key)
                entry.error("Cannot take off a finalizer", error=str(error), again_in=after)
            else:
                self._queue.succeeded(key, None)

    def close(self) -> None:
        self._queue.close()
