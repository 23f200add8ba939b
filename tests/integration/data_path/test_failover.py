"""A hosted model answers while the local one cannot: real Envoy, both with servers of their own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from integration.data_path import provider, wait
from integration.data_path.client import CHAT, prompt
from integration.data_path.provider import HOST, HOSTED, LOCAL, Site
from integration.data_path.stub_backend import Failing, StubBackend

Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start with this server as the local one, which is up."""
    monkeypatch.setenv("SR_ENDPOINTS__PROVIDER__API_KEY", "the-key")
    with ExitStack() as stack:

        def start_one(local: StubBackend) -> Site:
            policy = {
                "failover": {"model": HOSTED},
                "healthCheck": {"passive": {"consecutive5xxErrors": 2, "baseEjectionTime": "1s"}},
            }
            return provider.start(stack, tmp_path, local, policy=policy)

        yield start_one


def test_a_hosted_model_answers_in_its_own_words_until_the_local_one_is_back(start: Start) -> None:
    local = provider.local_server()
    site = start(local)
    assert site.data_path.served_by(LOCAL) == "local"
    assert site.provider.calls == []

    local.die()
    asked = {
        **prompt(LOCAL),
        "chat_template_kwargs": {"enable_thinking": True, "model": "x"},
        "user": 'says "model": "} \\',
    }
    answer = site.data_path.ask(CHAT, asked, headers={"authorization": "Bearer the-clients-own"})
    assert (answer.status, answer.json["served_by"]) == (200, "provider")
    (call,) = site.provider.calls
    assert call.path == "/api/v1/chat/completions"
    assert (call.headers["host"], call.sni) == (HOST, HOST)
    assert call.headers["authorization"] == "Bearer the-key"
    told = json.loads(call.body)
    assert told == {
        **{key: value for key, value in asked.items() if key != "chat_template_kwargs"},
        "model": HOSTED,
    }

    # No request is lost, and soon the dead one is not even tried.
    assert {site.data_path.chat(LOCAL).status for _ in range(20)} == {200}
    local.revive()
    wait.until(lambda: site.data_path.served_by(LOCAL) == "local", "the local one is asked again")
    assert site.data_path.served_by(HOSTED) == "provider"


def test_a_local_model_that_is_overloaded_hands_over_each_request(start: Start) -> None:
    site = start(Failing(503, "busy", "127.0.0.2"))
    assert {site.data_path.served_by(LOCAL) for _ in range(10)} == {"provider"}


def test_an_answer_that_streams_from_the_other_model_streams(start: Start) -> None:
    local = provider.local_server()
    site = start(local)
    local.die()
    site.provider.let_stream_go_on.set()
    answer = site.data_path.ask(body=prompt(LOCAL, stream=True))
    assert (answer.status, answer.body.endswith(b"data: [DONE]\n\n")) == (200, True)
