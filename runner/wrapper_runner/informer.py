"""Keeps up with the objects of one kind: list, watch, and begin again when the watch is lost.

One thread per kind and namespace. It never gives up: a kind that is not served yet, a missing
permission or an API server that is away are reasons to look again later, with growing patience.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from wrapper_runner import logs, metadata
from wrapper_runner.cluster import Cluster, ClusterError, Resource
from wrapper_runner.listing import Change, Listing
from wrapper_runner.metadata import BOOKMARK, GONE, LONGEST_RETRY, NOT_SERVED_RETRY
from wrapper_runner.selectors import Selector
from wrapper_runner.watches import Kind

log = logs.Log("informer")


class Informer:
    """Tells `on_change` about the objects of `kind` in `namespace` ("" = everywhere)."""

    def __init__(
        self,
        cluster: Cluster,
        kind: Kind,
        namespace: str,
        selector: Selector,
        on_change: Callable[[Change], None],
        cluster_scoped: bool = True,
        ignores_status: bool = False,
    ) -> None:
        self._cluster = cluster
        self._kind = kind
        self._namespace = namespace
        self._selector = selector
        self._on_change = on_change
        self._cluster_scoped = cluster_scoped
        self._listing = Listing(ignores_status)
        self._failures = 0
        self._said_not_served = False
        self._log = log.bind(kind=str(kind), **({"in": namespace} if namespace else {}))
        # Set once the first list is in, or cannot be had for now: nobody should wait longer.
        self.looked = threading.Event()

    def count(self, namespace: str) -> int:
        """How many objects there are in a namespace, as far as is known."""
        return self._listing.count(namespace)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                pause = self._keep_up(stop)
            except ClusterError as error:
                pause = self._after_error(error)
            except Exception as mistake:
                self._log.exception("This kind's watch broke down; it starts again", mistake)
                pause = LONGEST_RETRY
            self.looked.set()
            stop.wait(metadata.spread(pause))

    def _keep_up(self, stop: threading.Event) -> float:
        """List, then watch for as long as it lasts; the seconds to pause before the next time."""
        resource = self._cluster.resource(self._kind)
        if resource is None:
            return self._not_served()
        if not resource.namespaced and not self._cluster_scoped:
            self._log.info("Not watched: it has no namespace, see watchClusterScopedResources")
            stop.wait()
            return 0
        self._said_not_served = False
        version = self._list(resource)
        self.looked.set()
        self._failures = 0
        while not stop.is_set():
            version = self._watch(resource, version, stop)
        return 0

    def _list(self, resource: Resource) -> str:
        listed = metadata.listed(self._cluster, resource.path(self._namespace), self._selection)
        self._tell(self._listing.replace(listed.items))
        return listed.version

    def _watch(self, resource: Resource, version: str, stop: threading.Event) -> str:
        """Until the server ends the watch; the resourceVersion to go on from."""
        path = resource.path(self._namespace)
        for event in metadata.watched(self._cluster, path, self._selection, version):
            if stop.is_set():
                break
            version = event.metadata["resourceVersion"]
            if event.type != BOOKMARK:
                change = self._listing.update(event.type, event.metadata)
                self._tell([change] if change else [])
        return version

    @property
    def _selection(self) -> dict[str, str]:
        return {"labelSelector": self._selector.query} if self._selector.requirements else {}

    def _tell(self, changes: list[Change]) -> None:
        for change in changes:
            self._on_change(change)

    def _not_served(self) -> float:
        if not self._said_not_served:
            self._log.info("The cluster does not serve this kind yet; looking again regularly")
            self._said_not_served = True
        self._tell(self._listing.replace(()))
        return NOT_SERVED_RETRY

    def _after_error(self, error: ClusterError) -> float:
        if error.status == GONE:
            self._log.debug("The watch is too far behind; listing again")
            return 0
        self._failures += 1
        # A watch that is cut off is everyday life; only when listing fails too is it worth a line.
        if self._failures > 1 or error.status:
            self._log.error("Cannot watch this kind; trying again", error=str(error))
        return metadata.patience(self._failures)
