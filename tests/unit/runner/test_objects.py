"""Objects are read one by one or by one list, whichever asks less of the API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from wrapper_runner.cluster import Cluster, ClusterError, Resource
from wrapper_runner.objects import MANY, Gone, Objects
from wrapper_runner.schedule import Key
from wrapper_runner.selectors import Selector
from wrapper_runner.watches import Kind, Watch

KIND = Kind("runner.test", "v1", "Widget")
ROOT = "/apis/runner.test/v1/namespaces"


class FakeCluster:
    """Widgets by namespace and name."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.asked: list[str] = []
        self.labels: dict[str, str] = {}

    def resource(self, kind: Kind) -> Resource:
        return Resource(kind, "widgets", namespaced=True)

    def get(self, path: str, *_: Any) -> dict[str, Any]:
        self.asked.append(path)
        for key in self.keys:
            if path == f"{ROOT}/{key.namespace}/widgets/{key.name}":
                return {"apiVersion": KIND.api_version, "kind": KIND.kind, **self._widget(key)}
        if path.endswith("/widgets"):
            namespace = path.split("/")[-2]
            items = [self._widget(key) for key in self.keys if key.namespace == namespace]
            return {"metadata": {"resourceVersion": "1"}, "items": items}
        raise ClusterError(404, "not found")

    items = Cluster.items

    def _widget(self, key: Key) -> dict[str, Any]:
        return {"metadata": {"name": key.name, "namespace": key.namespace, "labels": self.labels}}


def objects(cluster: FakeCluster, selector: dict[str, Any] | None = None) -> Objects:
    watch = Watch(KIND, Path("play.yml"), selector=Selector.parse(selector or {}))
    return Objects(cast(Cluster, cluster), watch)


def keys(namespace: str, count: int) -> list[Key]:
    return [Key(namespace, str(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("wanted", "there", "requests"),
    [(MANY - 1, MANY - 1, MANY - 1), (MANY, MANY, 1), (16, 64, 1), (16, 65, 16)],
)
def test_list_is_read_where_it_is_worth_it(wanted: int, there: int, requests: int) -> None:
    cluster = FakeCluster(*keys("ai", there))
    found = objects(cluster).read_all(keys("ai", wanted), lambda _: there)
    assert len(cluster.asked) == requests
    for key, cr in found.items():
        assert isinstance(cr, dict)
        assert (cr["kind"], cr["apiVersion"]) == ("Widget", "runner.test/v1")
        assert cr["metadata"]["name"] == key.name


def test_each_namespace_is_read_in_the_way_that_suits_it() -> None:
    cluster = FakeCluster(*keys("ai", 4), *keys("ops", 2))
    wanted = [*keys("ops", 1), *keys("ai", 4), Key("ops", "1")]
    found = objects(cluster).read_all(wanted, lambda _: 4)
    assert set(found) == set(wanted)
    assert cluster.asked.count(f"{ROOT}/ai/widgets") == 1


@pytest.mark.parametrize("count", [1, MANY])
def test_object_that_is_not_there_any_more_is_gone_and_the_others_are_not(count: int) -> None:
    cluster = FakeCluster(*keys("ai", count))
    lost = Key("ai", "lost")
    found = objects(cluster).read_all([lost, *keys("ai", count)], lambda _: count)
    assert isinstance(found.pop(lost), Gone)
    assert all(isinstance(cr, dict) for cr in found.values())


def test_object_that_is_none_of_ours_any_more_is_gone() -> None:
    cluster = FakeCluster(*keys("ai", MANY))
    chosen = objects(cluster, {"matchLabels": {"team": "us"}})
    found = chosen.read_all(keys("ai", MANY), lambda _: MANY)
    assert all(isinstance(cr, Gone) for cr in found.values())
    cluster.labels = {"team": "us"}
    assert chosen.read(Key("ai", "0"))["metadata"]["name"] == "0"


def test_object_of_a_kind_that_is_not_served_any_more_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeCluster, "resource", lambda *_: None)
    cluster = FakeCluster(Key("ai", "0"))
    with pytest.raises(Gone):
        objects(cluster).read(Key("ai", "0"))
    assert cluster.asked == []
