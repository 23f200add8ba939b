"""Which runs become news, against an API server of the test's making."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
from eventually import eventually
from wrapper_runner import interests
from wrapper_runner.cluster import METADATA_ONLY, Cluster, ClusterError, Listed
from wrapper_runner.interests import MANY, Reads
from wrapper_runner.observer import Observer
from wrapper_runner.schedule import Key

ANNA, BEN = Key("ai", "anna"), Key("ai", "ben")
SERVICES = "/api/v1/namespaces/ai/services"
EVERYWHERE = "/api/v1/services"
Metadata = dict[str, Any]


class FakeCluster:
    """Holds objects; a watch gives what `happen` puts in, to whoever selects it."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Metadata] = {}
        self.groups: list[dict[str, Any]] = []
        self.refused: set[str] = set()
        self.unserved: set[str] = set()
        self.watches: list[tuple[str, str, queue.Queue[dict[str, Any]]]] = []
        self.ended: list[str] = []
        self.lock = threading.Lock()

    def happen(self, kind: str, collection: str, name: str, version: str, **labels: str) -> None:
        namespace = collection.split("/")[4]
        metadata = {
            "name": name, "namespace": namespace, "resourceVersion": version, "labels": labels,
        }  # fmt: skip
        with self.lock:
            if kind == "DELETED":
                self.objects.pop((collection, name))
            else:
                self.objects[collection, name] = metadata
            watches = list(self.watches)
        for path, selected, events in watches:
            is_here = path in (collection, EVERYWHERE)
            if is_here and selected in ("", f"metadata.name={name}"):
                events.put({"type": kind, "object": {"metadata": metadata}})

    def items(self, path: str, query: Mapping[str, str], accept: str) -> Listed:
        assert accept == METADATA_ONLY.format(list="List")
        self._refuse(path)
        selected = query.get("fieldSelector", "")
        found = [
            {"metadata": metadata}
            for (collection, name), metadata in self.objects.items()
            if (collection == path or path == EVERYWHERE)
            and selected in ("", f"metadata.name={name}")
        ]
        return Listed(found, "1")

    def watch(self, path: str, query: Mapping[str, str], silence: float) -> Iterator[Any]:
        assert silence > 60
        self._refuse(path)
        events: queue.Queue[dict[str, Any]] = queue.Queue()
        with self.lock:
            self.watches.append((path, query.get("fieldSelector", ""), events))
        try:
            while True:
                yield events.get()
        finally:
            self.ended.append(f"{path} {query.get('fieldSelector', '')}".strip())

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/apis"
        return {"groups": self.groups}

    def _refuse(self, path: str) -> None:
        if path in self.refused:
            raise ClusterError(403, "forbidden")
        if path in self.unserved:
            raise ClusterError(404, "not found")

    @property
    def watched(self) -> list[str]:
        with self.lock:
            return [f"{path} {selected}".strip() for path, selected, _ in self.watches]


class News:
    def __init__(self) -> None:
        self.keys: list[Key] = []

    def wait_for(self, *keys: Key) -> None:
        eventually(lambda: self.keys == list(keys), 5, f"news for {keys}; there is {self.keys}")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def news() -> News:
    return News()


@pytest.fixture
def observer(
    cluster: FakeCluster, news: News, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Observer]:
    monkeypatch.setattr("wrapper_runner.metadata.spread", lambda _: 0.05)
    started = Observer(cast(Cluster, cluster), news.keys.append)
    yield started
    started.stop()


def named(seen: Mapping[str, str], collection: str = SERVICES) -> Reads:
    return interests.parse([{"collection": collection, "seen": seen}])


def is_watched(cluster: FakeCluster, *expected: str) -> Callable[[], bool]:
    return lambda: cluster.watched == list(expected)


def test_named_object_is_watched_by_its_name_and_its_changes_are_news(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.happen("ADDED", SERVICES, "vllm", "1")
    assert observer.follow(ANNA, named({"vllm": "1"}))
    eventually(is_watched(cluster, f"{SERVICES} metadata.name=vllm"), 5, "the watch")
    observer.check(ANNA)
    assert news.keys == []
    cluster.happen("MODIFIED", SERVICES, "vllm", "2")
    news.wait_for(ANNA)


def test_what_changed_between_the_run_and_its_watch_is_news(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.happen("ADDED", SERVICES, "vllm", "2")
    observer.follow(ANNA, named({"vllm": "1"}))
    news.wait_for(ANNA)


def test_what_changed_during_a_run_is_news_after_it(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.happen("ADDED", SERVICES, "vllm", "2")
    observer.follow(ANNA, named({"vllm": "2"}))
    eventually(lambda: cluster.watched, 5, "the watch")
    # The next run has read an older state than the watch knows.
    observer.follow(ANNA, named({"vllm": "1"}))
    assert news.keys == []
    observer.check(ANNA)
    assert news.keys == [ANNA]


def test_object_that_nobody_reads_is_no_news_in_a_shared_watch(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    observer.follow(ANNA, named({str(n): "" for n in range(9)}))
    eventually(is_watched(cluster, SERVICES), 5, "one watch of the namespace")
    for n in range(1000):
        cluster.happen("ADDED", SERVICES, f"unnamed-{n}", "1")
    cluster.happen("ADDED", SERVICES, "7", "1")
    news.wait_for(ANNA)


def test_only_the_readers_of_an_object_hear_of_it(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    observer.follow(ANNA, named({"a": ""}))
    observer.follow(BEN, named({"b": ""}))
    eventually(lambda: len(cluster.watched) == 2, 5, "both watches")
    cluster.happen("ADDED", SERVICES, "b", "1")
    news.wait_for(BEN)


def test_what_no_run_reads_any_more_is_not_told(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    observer.follow(ANNA, named({"a": "", "b": ""}))
    eventually(lambda: len(cluster.watched) == 2, 5, "both watches")
    observer.follow(ANNA, named({"b": ""}))
    cluster.happen("ADDED", SERVICES, "a", "1")
    observer.forget(ANNA)
    cluster.happen("ADDED", SERVICES, "b", "1")
    observer.follow(BEN, named({"c": ""}))
    eventually(lambda: len(cluster.watched) == 3, 5, "the third watch")
    cluster.happen("ADDED", SERVICES, "c", "1")
    news.wait_for(BEN)


def test_state_that_the_run_has_seen_is_no_news_when_it_comes(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    observer.follow(ANNA, named({"a": "1", "b": ""}))
    # Nothing there yet: that is another state than the run saw.
    news.wait_for(ANNA)
    eventually(lambda: len(cluster.watched) == 2, 5, "both watches")
    cluster.happen("ADDED", SERVICES, "a", "1")
    observer.follow(BEN, named({"b": ""}))
    cluster.happen("ADDED", SERVICES, "b", "1")
    eventually(lambda: BEN in news.keys, 5, "the news that came last")
    assert sorted(news.keys) == [ANNA, ANNA, BEN]


def test_watch_that_no_run_needs_any_more_ends_with_its_next_event(
    observer: Observer, cluster: FakeCluster
) -> None:
    observer.follow(ANNA, named({"a": ""}))
    eventually(lambda: cluster.watched, 5, "the watch")
    observer.follow(ANNA, named({}))
    cluster.happen("ADDED", SERVICES, "a", "1")
    eventually(lambda: cluster.ended == [f"{SERVICES} metadata.name=a"], 5, "its end")


def test_many_namespaces_are_watched_together(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    keys = [Key(f"ns-{n}", "router") for n in range(MANY + 1)]
    for key in keys:
        observer.follow(key, named({"vllm": ""}, f"/api/v1/namespaces/{key.namespace}/services"))
    eventually(lambda: EVERYWHERE in cluster.watched, 5, "a watch of the cluster")
    cluster.happen("ADDED", "/api/v1/namespaces/ns-3/services", "vllm", "1")
    news.wait_for(keys[3])


def test_who_may_not_watch_the_cluster_watches_namespaces(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.refused.add(EVERYWHERE)
    keys = [Key(f"ns-{n}", "router") for n in range(MANY + 1)]
    for key in keys:
        reads = named({"vllm": ""}, f"/api/v1/namespaces/{key.namespace}/services")
        assert observer.follow(key, reads), "one way or the other"
    last = f"/api/v1/namespaces/ns-{MANY}/services metadata.name=vllm"
    eventually(lambda: last in cluster.watched, 5, "a watch of the last namespace")
    cluster.happen("ADDED", f"/api/v1/namespaces/ns-{MANY}/services", "vllm", "1")
    news.wait_for(keys[-1])


def test_refused_watch_has_its_readers_run_once_and_is_no_watch_to_rely_on(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.refused.add(SERVICES)
    observer.follow(ANNA, named({"vllm": ""}))
    news.wait_for(ANNA)
    assert not observer.follow(ANNA, named({"vllm": ""}))
    # Tried again, and granted at last.
    cluster.refused.clear()
    eventually(lambda: observer.follow(ANNA, named({"vllm": ""})), 5, "the right to be noticed")
    assert news.keys == [ANNA]


def test_kind_that_is_not_served_yet_has_no_objects(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    cluster.unserved.add(SERVICES)
    observer.follow(ANNA, named({"vllm": "1"}))
    # It was there when the run read it.
    eventually(lambda: ANNA in news.keys, 5, "news")
    observer.follow(ANNA, named({"vllm": ""}))
    cluster.happen("ADDED", SERVICES, "vllm", "1")
    news.keys.clear()
    cluster.unserved.clear()
    eventually(lambda: ANNA in news.keys, 5, "news of the first object")


def test_new_api_group_is_news_to_who_misses_it(
    observer: Observer, cluster: FakeCluster, news: News
) -> None:
    observer.follow(ANNA, named({"serving.kserve.io": ""}, "/apis"))
    observer.follow(BEN, named({"monitoring.coreos.com": ""}, "/apis"))
    cluster.groups = [{"name": "serving.kserve.io", "versions": [{"version": "v1beta1"}]}]
    news.wait_for(ANNA)
