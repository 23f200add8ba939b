"""Models that somebody else serves: real Envoy, and a server with a certificate of its own."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from integration.data_path import data_path as around
from integration.data_path.client import CHAT, prompt
from integration.data_path.data_path import DataPath, endpoint, hosted
from integration.data_path.stub_backend import StubBackend, server_name_recorder
from integration.data_path.tls import Authority

HOSTED, LOCAL = "hosted-model", "local-model"
HOST = "api.models.example"


@dataclass
class Site:
    """A provider's server, one in the cluster, and Envoy between them and clients."""

    data_path: DataPath
    provider: StubBackend
    local: StubBackend


Start = Callable[[str, Authority], Site]


@pytest.fixture
def authority() -> Authority:
    return Authority("known to the image")


@pytest.fixture
def start(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start with a certificate for this host, of this authority."""
    monkeypatch.setenv("SR_ENDPOINTS__PROVIDER__API_KEY", "the-key")
    with ExitStack() as stack:

        def start_one(host: str, of: Authority) -> Site:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(of.certificate_for(host, tmp_path))
            context.sni_callback = server_name_recorder  # type: ignore[assignment]
            provider = stack.enter_context(
                StubBackend("provider", "127.0.0.3", tls=context, models=[HOSTED])
            )
            local = stack.enter_context(StubBackend("local", "127.0.0.2", models=[LOCAL]))
            found = [
                endpoint("local", LOCAL, local.port),
                hosted("provider", HOSTED, HOST, provider.port),
            ]
            addresses = {"local": [local.address], HOST: [provider.address]}
            known = authority.file(tmp_path)
            data_path = around.start(stack, tmp_path, found, addresses, authorities=known)
            return Site(data_path, provider, local)

        yield start_one


def test_a_hosted_model_is_asked_by_its_providers_name_path_and_key(
    start: Start, authority: Authority
) -> None:
    site = start(HOST, authority)
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
def test_a_server_that_cannot_prove_its_name_gets_nothing(
    start: Start, authority: Authority, wrong: str
) -> None:
    if wrong == "host":
        site = start("another.models.example", authority)
    else:
        site = start(HOST, Authority("unknown"))
    answer = site.data_path.chat(HOSTED)
    assert (answer.status, answer.json["error"]["code"]) == (503, "model_unavailable")
    assert site.provider.calls == []


def test_the_key_is_not_given_to_who_asks_around_the_router(
    start: Start, authority: Authority
) -> None:
    site = start(HOST, authority)
    answer = site.data_path.ask("/v1/embeddings", {"model": HOSTED, "input": "Hello"})
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert site.provider.calls == []
    assert site.data_path.ask(CHAT, prompt(HOSTED)).status == 200
