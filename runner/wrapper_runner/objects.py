"""The objects of one watch, as the API server has them at this moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from wrapper_runner import logs, nesting
from wrapper_runner.cluster import Cluster, ClusterError, Json, Resource
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Watch

# So many of a namespace are read by one list, unless it would hold far more than are wanted.
MANY = 4

# How many objects there are in a namespace.
Population = Callable[[str], int]


class Gone(Exception):
    """The object does not exist any more, or is none of ours any more."""


class Objects:
    def __init__(self, cluster: Cluster, watch: Watch) -> None:
        self._cluster = cluster
        self._watch = watch
        self._found: Resource | None = None

    def read(self, key: Key) -> Json:
        try:
            cr = self._cluster.get(self._resource.path(key.namespace, key.name))
        except ClusterError as error:
            if error.status == 404:
                raise Gone from error
            raise
        return self._ours(cr)

    def read_all(
        self, keys: Iterable[Key], population: Population
    ) -> dict[Key, Json | Gone | ClusterError]:
        """What has become of each: the object, or why there is none."""
        found: dict[Key, Json | Gone | ClusterError] = {}
        groups: dict[str, list[Key]] = defaultdict(list)
        for key in keys:
            groups[key.namespace].append(key)
        for namespace, group in groups.items():
            listed = len(group) >= MANY and population(namespace) <= MANY * len(group)
            try:
                read = self._listed(namespace) if listed else self.read
            except (Gone, ClusterError) as error:
                found |= dict.fromkeys(group, error)
                continue
            for key in group:
                try:
                    found[key] = read(key)
                except (Gone, ClusterError) as error:
                    found[key] = error
        return found

    def set_finalizers(self, cr: Json, finalizers: list[str]) -> Json:
        metadata = cr["metadata"]
        # With the version that was read: a finalizer that somebody added since must not be lost.
        patch = {
            "metadata": {"finalizers": finalizers, "resourceVersion": metadata["resourceVersion"]}
        }
        path = self._resource.path(metadata.get("namespace", ""), metadata["name"])
        return self._cluster.merge(path, patch)

    def freed(self, cr: Json, entry: logs.Log) -> Json:
        """Without the finalizers of operators that are not there to take them off."""
        found = finalizers_of(cr)
        former = [name for name in found if name in self._watch.former_finalizers]
        if not former:
            return cr
        entry.info("Freed of a former operator's finalizer", finalizers=", ".join(former))
        return self.set_finalizers(cr, [name for name in found if name not in former])

    def _listed(self, namespace: str) -> Callable[[Key], Json]:
        items = self._cluster.items(self._resource.path(namespace)).items
        by_name = {item["metadata"]["name"]: item for item in items}

        def read(key: Key) -> Json:
            if key.name not in by_name:
                raise Gone
            kind = self._watch.kind
            # Which the items of a list need not say.
            return self._ours(
                {"apiVersion": kind.api_version, "kind": kind.kind, **by_name[key.name]}
            )

        return read

    def _ours(self, cr: Json) -> Json:
        if not self._watch.selector.matches(cr["metadata"].get("labels") or {}):
            raise Gone
        kept: Json = nesting.within(cr)
        return kept

    @property
    def _resource(self) -> Resource:
        self._found = self._found or self._cluster.resource(self._watch.kind)
        if self._found is None:
            raise Gone
        return self._found


def annotations_of(cr: Json) -> Mapping[str, str]:
    return cr["metadata"].get("annotations") or {}


def finalizers_of(cr: Json) -> list[str]:
    found: list[Any] = cr["metadata"].get("finalizers") or []
    return found


def is_deleted(cr: Json) -> bool:
    return "deletionTimestamp" in cr["metadata"]
