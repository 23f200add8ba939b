"""Lines of several containers, in one order."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from semantic_router_cli import log
from semantic_router_cli.cluster import Answer
from semantic_router_cli.log import Line

ACCESS = {
    "method": "POST", "path": "/v1/chat/completions", "status": 200, "duration_ms": 34,
    "model": "qwen", "upstream": "10.1.2.3:8000", "flags": "-", "request_id": "abc",
}  # fmt: skip
SAID = {
    "semantic-router": [
        "2026-01-01T10:00:00.100000000Z starting",
        "2026-01-01T10:00:02.100000000Z abc goes to qwen",
    ],
    "envoy": [f"2026-01-01T10:00:02.300000000Z {json.dumps(ACCESS)}"],
}


class Pods:
    """A cluster with one pod that says SAID, and knows sinceTime as the API does."""

    namespace = "here"

    def look(self, *_: object, **__: object) -> Answer:
        containers = [{"name": name} for name in SAID]
        return Answer(({"metadata": {"name": "r-1"}, "spec": {"containers": containers}},))

    def raw(self, _: str, path: str, **__: object) -> tuple[int, str]:
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        assert query["timestamps"] == "true"
        since = query.get("sinceTime", "").rstrip("Z")
        lines = [line for line in SAID[query["container"]] if line >= since]
        return 200, "".join(f"{line}\n" for line in lines)


def read(request: str = "") -> list[Line]:
    pods: Any = Pods()
    return log.lines(pods, log.containers(pods, "r"), {"tailLines": "5"}, request)


def test_lines_of_all_containers_come_in_the_order_of_time() -> None:
    assert [line.container for line in read()] == ["semantic-router", "semantic-router", "envoy"]


def test_a_request_is_followed_through_router_and_envoy() -> None:
    found = read("abc")
    assert [line.container for line in found] == ["semantic-router", "envoy"]
    assert found[1].said == (
        "POST /v1/chat/completions 200, after 34 ms, model qwen, backend 10.1.2.3:8000, id abc"
    )


def test_what_is_no_access_log_stays_as_it_is() -> None:
    for text in ("starting", '{"level": "info"}', "[1, 2]"):
        assert Line("2026-01-01T10:00:00Z", "p", "c", text).said == text


def test_whoever_follows_hears_each_line_once(monkeypatch: Any) -> None:
    turns = iter([None, None])
    monkeypatch.setattr(log.time, "sleep", lambda _: next(turns))
    pods: Any = Pods()
    heard = []
    try:
        for line in log.follow(pods, "r", None, {"tailLines": "5"}, ""):
            heard.append(line)
    except RuntimeError:
        # The third turn has no sleep left: StopIteration inside of a generator.
        pass
    assert heard == read()


def test_who_may_not_read_logs_is_told_so() -> None:
    class Closed(Pods):
        def raw(self, *_: object, **__: object) -> tuple[int, str]:
            return 403, json.dumps({"message": "pods/log is forbidden"})

    closed: Any = Closed()
    with pytest.raises(RouterError, match="pods/log is forbidden"):
        log.lines(closed, log.containers(closed, "r"), {}, "")
