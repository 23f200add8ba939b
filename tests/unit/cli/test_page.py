"""The page's server answers whoever knows its address, and nobody else."""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from eventually import eventually
from semantic_router_cli import page, pods, status
from semantic_router_cli.live import Live
from semantic_router_cli.tree import View


class Two:
    """Routers, and what was asked of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: RouterError | None = None

    def routers(self) -> list[dict[str, Any]]:
        self.asked.append("routers")
        if self.error:
            raise self.error
        return [{"name": "one"}, {"name": "two"}]

    def router(self, namespace: str, name: str) -> dict[str, Any] | None:
        self.asked.append(f"{namespace}/{name}")
        return {"name": name} if name == "one" else None


@pytest.fixture
def source() -> Two:
    return Two()


@pytest.fixture
def address(source: Two) -> Iterator[str]:
    with page.serving(source) as found:
        yield found


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Message
    text: str


def ask(address: str, name: str = "", method: str = "GET", **headers: str) -> Answer:
    url = urlsplit(address)
    assert url.hostname
    with closing(HTTPConnection(url.hostname, url.port, timeout=10)) as connection:
        connection.request(method, f"{url.path}{name}", headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


def test_it_listens_on_loopback_only(address: str) -> None:
    assert urlsplit(address).hostname == "127.0.0.1"


@pytest.mark.parametrize("name", ["", "style.css", "page.js"])
def test_files_come_with_a_policy_that_lets_nothing_else_in(address: str, name: str) -> None:
    answer = ask(address, name)
    assert answer.status == 200
    policy = dict(
        item.split(" ", 1) for item in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src")} == {"'self'"}
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_names_no_other_host(address: str) -> None:
    for name in ("", "style.css", "page.js"):
        said = ask(address, name).text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in said, name
        assert "https:" not in said, name


@pytest.mark.parametrize("token", ["", "x", "x/"])
def test_without_the_token_there_is_nothing_and_nothing_is_asked(
    address: str, source: Two, token: str
) -> None:
    root = address.removesuffix("/").rpartition("/")[0]
    for name in ("", "routers.json", "style.css"):
        assert ask(f"{root}/{token}", name).status == 404
    assert source.asked == []


def test_tokens_are_long_and_of_each_start_another(source: Two) -> None:
    tokens = set()
    for _ in range(3):
        with page.serving(source) as address:
            tokens.add(urlsplit(address).path)
    assert len(tokens) == 3
    assert all(len(token) > 40 for token in tokens)


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:{port}", "127.0.0.1:1", ""])
def test_a_name_that_was_made_to_lead_here_is_refused(address: str, source: Two, host: str) -> None:
    given = host.format(port=urlsplit(address).port)
    assert ask(address, "routers.json", Host=given).status == 421
    assert source.asked == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_nothing_can_be_done_but_look(address: str, source: Two, method: str) -> None:
    assert ask(address, "routers.json", method).status == 501
    assert source.asked == []


@pytest.mark.parametrize("name", ["../page.py", "..%2fpage.py", "index.html", "x/style.css"])
def test_no_other_file_is_served(address: str, name: str) -> None:
    assert ask(address, name).status == 404


def test_facts_are_json(address: str, source: Two) -> None:
    assert json.loads(ask(address, "routers.json").text) == [{"name": "one"}, {"name": "two"}]
    answer = ask(address, "router.json?namespace=n&name=one")
    assert json.loads(answer.text) == {"name": "one"}
    assert answer.headers["Content-Type"] == "application/json"
    assert ask(address, "router.json?namespace=n&name=three").status == 404
    assert ask(address, "router.json").status == 404
    assert source.asked == ["routers", "n/one", "n/three"]


def test_a_cluster_that_does_not_answer_is_said_in_words(address: str, source: Two) -> None:
    source.error = RouterError(Problem("", "", "the API server does not answer", "Check it"))
    answer = ask(address, "routers.json")
    assert answer.status == 502
    assert json.loads(answer.text) == {"error": "the API server does not answer. Check it."}


def test_a_port_can_be_chosen(source: Two) -> None:
    with page.serving(source) as address:
        port = urlsplit(address).port
    assert port
    with page.serving(source, port) as address:
        assert urlsplit(address).port == port
        with pytest.raises(OSError, match="in use"), page.serving(source, port):
            pass


def test_no_command_line_of_a_browser_has_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    with page.shown("http://127.0.0.1:1/secret/"):
        (url,) = opened
        file = Path(unquote(urlsplit(url).path))
        assert "secret" not in url
        assert "http://127.0.0.1:1/secret/" in file.read_text()
        directory = file.parent.stat()
        assert stat.S_IMODE(directory.st_mode) == 0o700
        assert directory.st_uid == os.getuid()
    assert not file.exists()


class Ways:
    """Ways to pods that lead nowhere."""

    open: ClassVar[list[Ways]] = []

    def __init__(self, _cluster: Any) -> None:
        Ways.open.append(self)

    def close(self) -> None:
        Ways.open.remove(self)


@pytest.fixture
def looking(monkeypatch: pytest.MonkeyPatch) -> page.Looking:
    """At a cluster of ten routers, of which five are asked for."""
    Ways.open = []
    names = [f"r{number}" for number in range(10)]
    found = [{"metadata": {"name": name, "namespace": "n"}, "spec": {}} for name in names]
    client = SimpleNamespace(get=lambda path: found[names.index(path.rpartition("/")[2])])
    monkeypatch.setattr(pods, "Ways", Ways)
    monkeypatch.setattr(pods, "look", lambda _cluster, _ways, one: _silent(one))
    monkeypatch.setattr(status, "view", lambda _cluster, one: View(Router(one)))
    return page.Looking(SimpleNamespace(client=client), lambda: found[:5])  # type: ignore[arg-type]


def _silent(resource: dict[str, Any]) -> Live:
    return Live("n", resource["metadata"]["name"], True)


def test_who_clicks_through_many_routers_keeps_few_ways_open(looking: page.Looking) -> None:
    for number in range(5):
        assert looking.router("n", f"r{number}")
    assert len(Ways.open) == 3
    looking.close()
    assert Ways.open == []


def test_only_routers_that_were_asked_for_are_looked_at(looking: page.Looking) -> None:
    assert looking.router("n", "r7") is None
    assert looking.router("other", "r1") is None
    assert Ways.open == []


def test_nothing_is_opened_after_the_end(looking: page.Looking) -> None:
    looking.close()
    assert looking.router("n", "r1") is None
    assert Ways.open == []


class Large(Two):
    """Answers when it is told to, with more than fits on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = threading.Event()

    def routers(self) -> list[dict[str, Any]]:
        self.may_answer.wait(60)
        return [{"name": "x" * 10_000_000}]


def test_a_tab_that_is_closed_leaves_nothing_on_the_terminal(
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = Large()
    others = set(threading.enumerate())
    with page.serving(source) as address:
        url = urlsplit(address)
        with socket.create_connection(("127.0.0.1", url.port or 0)) as tab:
            host = f"Host: 127.0.0.1:{url.port}"
            tab.sendall(f"GET {url.path}routers.json HTTP/1.1\r\n{host}\r\n\r\n".encode())
            # It is gone at once, as when a browser ends.
            tab.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            eventually(lambda: len(set(threading.enumerate()) - others) == 2, 60, "the answer")
        source.may_answer.set()
        eventually(lambda: len(set(threading.enumerate()) - others) == 1, 60, "its end")
    assert capfd.readouterr().err == ""
