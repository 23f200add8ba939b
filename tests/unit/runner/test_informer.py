"""List, watch and begin again, against an API server of the test's making."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from wrapper_runner.cluster import Cluster, ClusterError, Resource
from wrapper_runner.informer import Informer
from wrapper_runner.listing import Change, News
from wrapper_runner.selectors import Selector
from wrapper_runner.watches import Kind

KIND = Kind("", "v1", "ConfigMap")
Step = Callable[[], Any]


def metadata(name: str, version: int) -> dict[str, Any]:
    return {"name": name, "namespace": "ai", "resourceVersion": str(version)}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": metadata(name, version)}}


def page(version: int, *names: str, following: str = "") -> dict[str, Any]:
    items = [{"metadata": metadata(name, version)} for name in names] or None
    return {"metadata": {"resourceVersion": str(version), "continue": following}, "items": items}


class FakeCluster:
    """Plays a script: each list and each watch takes the next answer of its kind."""

    def __init__(
        self, stop: threading.Event, lists: list[Any], watches: list[Any], served: bool = True
    ) -> None:
        self._stop = stop
        self._lists = lists
        self._watches = watches
        self._served = served
        self.queries: list[dict[str, str]] = []

    def resource(self, kind: Kind) -> Resource | None:
        if not self._served:
            self._stop.set()
            return None
        return Resource(kind, "configmaps", namespaced=True)

    def get(self, path: str, query: dict[str, str], accept: str) -> dict[str, Any]:
        assert path == "/api/v1/namespaces/ai/configmaps"
        assert "PartialObjectMetadataList" in accept
        self.queries.append(dict(query))
        answer: dict[str, Any] = self._next(self._lists)
        return answer

    # Page by page, of `get`.
    items = Cluster.items

    def watch(self, path: str, query: dict[str, str], silence: float) -> Iterator[dict[str, Any]]:
        assert path == "/api/v1/namespaces/ai/configmaps"
        assert silence > 60
        self.queries.append(dict(query))
        for item in self._next(self._watches):
            if isinstance(item, Exception):
                raise item
            yield item

    def _next(self, answers: list[Any]) -> Any:
        if not answers:
            self._stop.set()
            raise ClusterError(0, "the script has ended")
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Played:
    def __init__(self, lists: list[Any], watches: list[Any], served: bool = True) -> None:
        self.changes: list[Change] = []
        stop = threading.Event()
        self.cluster = FakeCluster(stop, lists, watches, served)
        selector = Selector.parse({"matchLabels": {"made-by": "us"}})
        cluster = cast(Cluster, self.cluster)
        self.informer = Informer(cluster, KIND, "ai", selector, self.changes.append)
        self.informer.run(stop)

    @property
    def news(self) -> list[tuple[str, News]]:
        return [(change.now.key.name, change.news) for change in self.changes]

    @property
    def watched_from(self) -> list[str]:
        return [q["resourceVersion"] for q in self.cluster.queries if "resourceVersion" in q]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wrapper_runner.metadata.random.uniform", lambda *_: 0)


def test_list_then_watch_tells_everything_in_order() -> None:
    played = Played(
        [page(5, "anna")],
        [[event("ADDED", "ben", 6), event("MODIFIED", "anna", 7), event("DELETED", "ben", 8)]],
    )
    assert played.news == [
        ("anna", News.LISTED),
        ("ben", News.ADDED),
        ("anna", News.MODIFIED),
        ("ben", News.DELETED),
    ]


def test_selection_is_left_to_the_server() -> None:
    played = Played([page(5)], [[]])
    assert all(query["labelSelector"] == "made-by in (us)" for query in played.cluster.queries)
    assert played.cluster.queries[1]["allowWatchBookmarks"] == "true"


def test_watch_that_ends_goes_on_where_it_was_bookmarks_included() -> None:
    played = Played([page(5)], [[event("ADDED", "ben", 6)], [event("BOOKMARK", "", 9)], []])
    assert played.watched_from == ["5", "6", "9", "9"]
    assert played.news == [("ben", News.ADDED)]


def test_long_list_comes_in_pages() -> None:
    played = Played([page(5, "anna", following="more"), page(5, "ben")], [[]])
    assert played.cluster.queries[1]["continue"] == "more"
    assert played.news == [("anna", News.LISTED), ("ben", News.LISTED)]


@pytest.mark.parametrize(
    "gone",
    [
        [ClusterError(410, "too old")],
        [{"type": "ERROR", "object": {"code": 410, "message": "too old"}}],
        [ClusterError(0, "cut off")],
    ],
)
def test_lost_watch_is_made_up_for_by_a_list(gone: list[Any]) -> None:
    played = Played([page(5, "anna", "ben"), page(9, "anna", "carl")], [gone, []])
    assert played.watched_from == ["5", "9", "9"]
    assert played.news[2:] == [
        ("ben", News.DELETED),
        ("anna", News.MODIFIED),
        ("carl", News.LISTED),
    ]


def test_failing_list_is_tried_again() -> None:
    played = Played([ClusterError(403, "forbidden"), ClusterError(0, "away"), page(5, "anna")], [])
    assert played.news == [("anna", News.LISTED)]


def test_nobody_waits_for_a_kind_that_cannot_be_listed() -> None:
    assert Played([ClusterError(403, "forbidden")], []).informer.looked.is_set()
    assert Played([], [], served=False).informer.looked.is_set()
