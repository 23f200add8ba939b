"""Models that somebody else serves: real Envoy, and a server with a certificate of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from integration.data_path import provider
from integration.data_path.client import CHAT, prompt
from integration.data_path.provider import HOST, HOSTED, LOCAL, Site

Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start with a certificate for this host, which the image knows, or one like it."""
    monkeypatch.setenv("SR_ENDPOINTS__PROVIDER__API_KEY", "the-key")
    with ExitStack() as stack:

        def start_one(host: str = HOST, *, is_known: bool = True) -> Site:
            local = provider.local_server()
            return provider.start(stack, tmp_path, local, host, is_known=is_known)

        yield start_one


def test_a_hosted_model_is_asked_by_its_providers_name_path_and_key(
    start: Start,
) -> None:
    site = start()
    answer = site.data_path.chat(HOSTED, authorization="Bearer the-clients-own")
    assert (answer.status, answer.json["served_by"]) == (200, "provider")
    (call,) = site.provider.calls
    assert call.path == "/api/v1/chat/completions"
    assert call.headers["authorization"] == "Bearer the-key"
    assert call.headers["host"] == HOST
    assert call.sni == HOST
    assert site.data_path.served_by(LOCAL) == "local"
    assert "the-key" not in site.local.calls[-1].headers.values()


@pytest.mark.parametrize("wrong", ["host", "authority"])
def test_a_server_that_cannot_prove_its_name_gets_nothing(start: Start, wrong: str) -> None:
    site = start("another.models.example") if wrong == "host" else start(is_known=False)
    answer = site.data_path.chat(HOSTED)
    assert (answer.status, answer.json["error"]["code"]) == (503, "model_not_verified")
    assert site.provider.calls == []


def test_the_key_is_not_given_to_who_asks_around_the_router(
    start: Start,
) -> None:
    site = start()
    answer = site.data_path.ask("/v1/embeddings", {"model": HOSTED, "input": "Hello"})
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert site.provider.calls == []
    assert site.data_path.ask(CHAT, prompt(HOSTED)).status == 200
