"""The platform is what the API server says, and an error says nothing."""

from __future__ import annotations

import threading
from typing import Any, cast

import pytest
from wrapper_runner import platform
from wrapper_runner.cluster import Cluster, ClusterError


class FakeCluster:
    """Answers /apis from a list; an exception is raised, not returned."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def get(self, path: str) -> Any:
        assert path == "/apis"
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"groups": [{"name": name} for name in answer]}


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    class Log:
        def info(self, message: str, **_: Any) -> None:
            said.append(message)

        def error(self, message: str, **_: Any) -> None:
            said.append(f"error: {message}")

    monkeypatch.setattr(platform, "log", Log())
    return said


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["apps", "route.openshift.io"], platform.OPENSHIFT),
        (["apps", "config.openshift.io"], platform.KUBERNETES),
    ],
)
def test_openshift_is_where_routes_are_served(
    lines: list[str], groups: list[str], expected: str
) -> None:
    assert platform.announce(cast(Cluster, FakeCluster(groups)), threading.Event())
    assert lines == [expected]


def test_error_is_asked_again_and_not_taken_for_an_answer(lines: list[str]) -> None:
    cluster = FakeCluster(ClusterError(503, "busy"), ["route.openshift.io"])
    assert platform.announce(cast(Cluster, cluster), threading.Event())
    assert lines == ["error: Cannot ask for the platform; trying again", platform.OPENSHIFT]


def test_stop_ends_the_asking(lines: list[str]) -> None:
    stop = threading.Event()
    stop.set()
    assert not platform.announce(cast(Cluster, FakeCluster()), stop)
    assert lines == []
