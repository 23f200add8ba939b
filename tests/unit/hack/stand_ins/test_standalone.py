"""The stand-in of a router that serves alone is nowhere kinder than what its release says."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_ins import model, router, standalone
from stand_ins.ext_proc import StubRouter

CHAT = "/v1/chat/completions"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[standalone.Listener]:
    """One model, `m`, for a client that has a key."""
    monkeypatch.setenv("CLIENT", "secret")
    port = free_port()
    backend = model._Server(free_port(), ["m"])
    config = {
        "listeners": [{"port": port, "api_keys": ["${CLIENT}"], "models": ["m", "auto"]}],
        "providers": {
            "defaults": {"model": "m"},
            "models": [
                {"name": "m", "backend_refs": [{"endpoint": f"127.0.0.1:{backend.server_port}"}]}
            ],
        },
        "routing": {},
    }
    made = standalone.Listener(config, StubRouter(config, "0.5", 0), "127.0.0.1", tmp_path)
    for server in (backend, made):
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    for server in (made, backend):
        server.shutdown()
        server.server_close()


def connect(listener: standalone.Listener) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", listener.server_port, timeout=10)


def ask(
    connection: http.client.HTTPConnection, text: str = "", key: str = "secret", **body: Any
) -> http.client.HTTPResponse:
    messages = [{"role": "user", "content": text}]
    asked = json.dumps({"model": "auto", "messages": messages, **body})
    connection.request("POST", CHAT, asked, {"authorization": f"Bearer {key}"})
    return connection.getresponse()


@pytest.mark.parametrize(
    ("asked", "status"),
    [({}, 200), ({"key": "other"}, 401), ({"model": "other"}, 403), ({"model": "m"}, 200)],
)
def test_only_clients_with_a_key_get_the_models_of_the_listener(
    listener: standalone.Listener, asked: dict[str, Any], status: int
) -> None:
    assert ask(connect(listener), **asked).status == status


def test_probes_need_no_key(listener: standalone.Listener) -> None:
    for path, status in (("/health", 200), ("/ready", 200), ("/v1/models", 401)):
        connection = connect(listener)
        connection.request("GET", path)
        assert connection.getresponse().status == status


def test_a_signal_closes_what_is_idle_and_lets_what_is_in_hand_be_answered_whole(
    listener: standalone.Listener,
) -> None:
    idle, busy = connect(listener), connect(listener)
    ask(idle).read()
    begun = ask(busy, "one two SECONDS=0.5", stream=True)
    listener.drain(10)
    assert begun.read().endswith(b"data: [DONE]\n\n")
    with pytest.raises(ConnectionError):
        ask(idle)
    with pytest.raises(ConnectionError):
        ask(busy)


def test_what_takes_longer_than_the_drain_is_cut_off(listener: standalone.Listener) -> None:
    answer = ask(connect(listener), "one two SECONDS=5", stream=True)
    listener.drain(0.1)
    assert answer.status == 200
    assert listener._busy


def test_a_key_or_a_certificate_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    files = {"cert_file": "tls.crt", "key_file": "tls.key"}
    with pytest.raises(SystemExit, match="Failed to serve TLS"):
        standalone._certificate(files, tmp_path)
    with pytest.raises(SystemExit, match="is not set"):
        standalone._expanded("${NOT_THERE_AT_ALL}")


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_only_the_newest_release_knows_the_mode(contract: str) -> None:
    with pytest.raises(router.FlagError, match="not defined: -gateway"):
        router.flags(["-gateway=standalone"], contract)
    assert router.flags(["-gateway=standalone"], "0.5")["gateway"] == standalone.MODE
