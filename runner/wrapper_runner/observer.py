"""Watches what runs have read of others' objects, and tells whose run has become news.

Narrow watches of metadata, which come and go with the runs' reads. What is compared is the version
that the run saw with the one that is there now: so nothing is missed that happens between a run and
its watch, or while a watch is away, and nothing is told twice. What is refused stays unwatched, and
those that read it are looked at as often as before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wrapper_runner import interests, logs, metadata
from wrapper_runner.cluster import Cluster, ClusterError, Json
from wrapper_runner.interests import GROUPS, NOTHING, Demand, Interest, Reads, Scope, Thing
from wrapper_runner.metadata import BOOKMARK, GONE, LONGEST_RETRY, NOT_SERVED_RETRY
from wrapper_runner.schedule import Key

# No right, no such verb, or nothing that the API server takes for a selector.
REFUSALS = (400, 403, 405)
# Rights are granted by people.
REFUSED_RETRY = 600.0
# An API group comes with an installation.
GROUPS_PERIOD = 30.0

log = logs.Log("observer")


@dataclass
class _Followed:
    """One watch. things: by collection and name. synced: they are all that there are."""

    stop: threading.Event = field(default_factory=threading.Event)
    things: dict[str, dict[str, Thing]] = field(default_factory=dict)
    synced: bool = False


class Observer:
    """For the objects of one watch of watches.yaml; used by all its workers."""

    def __init__(
        self, cluster: Cluster, on_news: Callable[[Key], None], everywhere: bool = True
    ) -> None:
        """everywhere: this operator is there for all namespaces."""
        self._cluster = cluster
        self._on_news = on_news
        self._everywhere = everywhere
        self._lock = threading.Lock()
        self._reads: dict[Key, Reads] = {}
        self._interested: dict[Demand, dict[Key, Interest]] = {}
        # Of these by kind the demands, and what is watched for each; by collection the lists.
        self._plans: dict[str, dict[Demand, Scope]] = {}
        self._lists: dict[str, set[Demand]] = {}
        self._followed: dict[Scope, _Followed] = {}
        self._refused: set[Scope] = set()
        self._said: set[str] = set()

    def follow(self, key: Key, reads: Reads) -> bool:
        """From now on watch what the last run has read; whether all of it is, or will be."""
        with self._lock:
            before = self._reads.get(key, NOTHING).interests
            wanted = {interest.demand: interest for interest in reads.interests}
            changed = [self._drop(key, old.demand) for old in before if old.demand not in wanted]
            changed += [self._take(key, interest) for interest in wanted.values()]
            for kind in set(filter(None, changed)):
                self._plan(kind)
            kept = tuple(self._interested[demand][key] for demand in wanted)
            self._reads[key] = Reads(kept, reads.complete)
            return reads.complete and not any(
                self._plans[demand.kind][demand] in self._refused for demand in wanted
            )

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self.follow(key, NOTHING)
        with self._lock:
            self._reads.pop(key, None)

    def check(self, key: Key) -> None:
        """Tell of what has changed since it was read; later changes are told when they happen."""
        with self._lock:
            is_news = any(
                self._is_news_to(interest) for interest in self._reads.get(key, NOTHING).interests
            )
        if is_news:
            self._on_news(key)

    def stop(self) -> None:
        with self._lock:
            for followed in self._followed.values():
                followed.stop.set()

    def replace(self, followed: _Followed, scope: Scope, found: Iterable[Json]) -> None:
        """A complete list."""
        with self._lock:
            followed.things = {}
            for item in found:
                collection = interests.collection_of(scope.kind, item)
                followed.things.setdefault(collection, {})[item["name"]] = Thing.of(item)
            followed.synced = True
            self._refused.discard(scope)
            news = {
                key
                for demand, planned in self._plans.get(scope.kind, {}).items()
                if planned == scope
                for key, interest in self._interested[demand].items()
                if self._is_news_to(interest)
            }
        self._tell(followed, news)

    def update(self, followed: _Followed, scope: Scope, event: metadata.Event) -> None:
        """One event of a watch."""
        name = event.metadata["name"]
        with self._lock:
            collection = interests.collection_of(scope.kind, event.metadata)
            things = followed.things.setdefault(collection, {})
            thing = None if event.type == "DELETED" else Thing.of(event.metadata)
            if thing is None:
                things.pop(name, None)
            else:
                things[name] = thing
            demands = (Demand(collection, name), *self._lists.get(collection, ()))
            news = {
                key
                for demand in demands
                # Where several watches have the object, each answers for its own demands.
                if self._plans.get(scope.kind, {}).get(demand) == scope
                for key, interest in self._interested[demand].items()
                if interest.is_news(name, thing)
            }
        self._tell(followed, news)

    def refuse(self, scope: Scope, reason: str) -> None:
        """This cannot be watched: do it another way, or leave it to the period."""
        with self._lock:
            known = scope in self._refused
            self._refused.add(scope)
            plan = self._plans.get(scope.kind, {})
            concerned = [demand for demand, planned in plan.items() if planned == scope]
            self._plan(scope.kind)
            lost = {
                key
                for demand in concerned
                if self._plans[scope.kind].get(demand) == scope
                for key in self._interested[demand]
            }
            say = bool(lost) and scope.kind not in self._said
            if say:
                self._said.add(scope.kind)
        if say:
            log.info(
                "May not watch this: what reads it is looked at after each reconcilePeriod",
                path=scope.kind,
                error=reason,
            )
        if not known:
            # Their next run is planned as if it were watched.
            for key in lost:
                self._on_news(key)

    def _take(self, key: Key, interest: Interest) -> str:
        """The kind whose plan has to change, if any."""
        demand = interest.demand
        keys = self._interested.setdefault(demand, {})
        # Most see the same: one object for all of them.
        known = next(iter(keys.values()), None)
        keys[key] = known if known == interest else interest
        if known:
            return ""
        if not demand.name:
            self._lists.setdefault(demand.collection, set()).add(demand)
        plan = self._plans.setdefault(demand.kind, {})
        whole = Scope(demand.kind)
        if whole in self._followed and interests.requirements(demand.selector) is not None:
            # To plan for a thousand anew with each of them would take its time.
            plan[demand] = whole
            return ""
        plan[demand] = demand
        return demand.kind

    def _drop(self, key: Key, demand: Demand) -> str:
        """The same."""
        keys = self._interested[demand]
        keys.pop(key, None)
        if keys:
            return ""
        del self._interested[demand]
        self._lists.get(demand.collection, set()).discard(demand)
        self._plans[demand.kind].pop(demand)
        return demand.kind

    def _plan(self, kind: str) -> None:
        may_be_wide = self._everywhere and Scope(kind) not in self._refused
        self._plans[kind] = interests.plan(self._plans.get(kind, {}), kind, may_be_wide)
        wanted = set(self._plans[kind].values())
        for scope in [scope for scope in self._followed if scope.kind == kind]:
            if scope not in wanted:
                self._followed.pop(scope).stop.set()
        for scope in wanted - self._followed.keys():
            self._followed[scope] = followed = _Followed()
            follower = _Poller if scope.collection == GROUPS else _Follower
            started = follower(self._cluster, self, scope, followed)
            threading.Thread(target=started.run, daemon=True).start()

    def _is_news_to(self, interest: Interest) -> bool:
        demand = interest.demand
        followed = self._followed[self._plans[demand.kind][demand]]
        return followed.synced and interest.differs(followed.things.get(demand.collection, {}))

    def _tell(self, followed: _Followed, keys: Iterable[Key]) -> None:
        if not followed.stop.is_set():
            for key in keys:
                self._on_news(key)


class _Follower:
    """Keeps up with one scope: lists, watches, and begins again when the watch is lost."""

    def __init__(
        self, cluster: Cluster, observer: Observer, scope: Scope, followed: _Followed
    ) -> None:
        self._cluster = cluster
        self._observer = observer
        self._scope = scope
        self._followed = followed
        self._failures = 0

    def run(self) -> None:
        stop = self._followed.stop
        while not stop.is_set():
            try:
                pause = self._keep_up()
            except ClusterError as error:
                pause = self._after_error(error)
            except Exception as mistake:
                log.exception("A watch broke down; it starts again", mistake, path=self._path)
                pause = LONGEST_RETRY
            stop.wait(metadata.spread(pause))

    def _keep_up(self) -> float:
        """List, then watch for as long as it lasts; the seconds to pause before the next time."""
        listed = metadata.listed(self._cluster, self._path, self._selection)
        self._observer.replace(self._followed, self._scope, listed.items)
        self._failures = 0
        version = listed.version
        while not self._followed.stop.is_set():
            version = self._watch(version)
        return 0

    def _watch(self, version: str) -> str:
        for event in metadata.watched(self._cluster, self._path, self._selection, version):
            if self._followed.stop.is_set():
                break
            version = event.metadata["resourceVersion"]
            if event.type != BOOKMARK:
                self._observer.update(self._followed, self._scope, event)
        return version

    def _after_error(self, error: ClusterError) -> float:
        if error.status == GONE:
            return 0
        if error.status == 404:
            # A kind that is not served (yet) has no objects.
            self._observer.replace(self._followed, self._scope, ())
            return NOT_SERVED_RETRY
        if error.status in REFUSALS:
            self._observer.refuse(self._scope, str(error))
            return REFUSED_RETRY
        self._failures += 1
        # A watch that is cut off is everyday life.
        if self._failures > 1:
            log.error("Cannot watch this; trying again", path=self._path, error=str(error))
        return metadata.patience(self._failures)

    @property
    def _path(self) -> str:
        return self._scope.collection

    @property
    def _selection(self) -> Mapping[str, str]:
        if self._scope.name:
            return {"fieldSelector": f"metadata.name={self._scope.name}"}
        return {"labelSelector": self._scope.selector} if self._scope.selector else {}


class _Poller(_Follower):
    """Of what no watch tells: which API groups are served."""

    _known: list[Json] | None = None

    def _keep_up(self) -> float:
        groups = self._cluster.get(GROUPS)["groups"]
        found = [{"name": group["name"], "resourceVersion": _versions(group)} for group in groups]
        if found != self._known:
            self._observer.replace(self._followed, self._scope, found)
            self._known = found
        self._failures = 0
        return GROUPS_PERIOD


def _versions(group: Mapping[str, Any]) -> str:
    return ",".join(item["version"] for item in group["versions"])
