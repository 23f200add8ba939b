"""The way out through a proxy: real Envoy, a proxy that knows CONNECT, and a provider behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    AUTHORITIES,
)
from integration.data_path import data_path as around
from integration.data_path.certificates import server_side
from integration.data_path.data_path import DataPath, endpoint, hosted
from integration.data_path.provider import HOST, HOSTED, LOCAL, local_server
from integration.data_path.stub_backend import StubBackend
from integration.data_path.stub_proxy import StubProxy

PROXY = "proxy.corp.example"


@dataclass
class Site:
    data_path: DataPath
    proxy: StubProxy
    provider: StubBackend
    local: StubBackend


Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """The provider's name is known to the proxy alone, unless it is an exception."""
    monkeypatch.setenv("SR_ENDPOINTS__PROVIDER__API_KEY", "the-key")
    with ExitStack() as stack:

        def start_one(*exceptions: str, host: str = HOST, shares: bool = False) -> Site:
            known = tmp_path / "known.pem"
            context = server_side(known, host)
            provider = stack.enter_context(
                StubBackend("provider", "127.0.0.3", tls=context, models=[HOSTED, LOCAL])
            )
            local = stack.enter_context(local_server())
            proxy = stack.enter_context(StubProxy({HOST: provider.address}, "127.0.0.4"))
            found = [
                endpoint("local", LOCAL, local.port),
                hosted("provider", HOSTED, HOST, provider.port),
            ]
            if shares:
                found[1] = replace(found[1], model=LOCAL)
            addresses = {"local": [local.address], PROXY: [proxy.address]}
            if exceptions:
                addresses[HOST] = [provider.address]
            data_path = around.start(
                stack,
                tmp_path,
                found,
                addresses,
                directories={AUTHORITIES: known},
                egress_proxy={
                    "url": f"http://{PROXY}:{proxy.port}",
                    "noProxy": list(exceptions),
                },
            )
            return Site(data_path, proxy, provider, local)

        yield start_one


def test_a_hosted_model_is_reached_through_the_proxy_and_verified_behind_it(start: Start) -> None:
    site = start()
    answers = [site.data_path.chat(HOSTED) for _ in range(3)]
    assert [answer.json["served_by"] for answer in answers] == ["provider"] * 3
    assert set(site.proxy.asked) == {f"{HOST}:{site.provider.port}"}
    call = site.provider.calls[-1]
    assert (call.sni, call.headers["host"]) == (HOST, HOST)
    assert call.headers["authorization"] == "Bearer the-key"
    assert call.path == "/api/v1/chat/completions"


def test_a_model_in_the_cluster_is_not(start: Start) -> None:
    site = start()
    assert site.data_path.served_by(LOCAL) == "local"
    assert site.proxy.asked == []


def test_a_backend_in_the_cluster_shares_a_model_with_one_behind_the_proxy(start: Start) -> None:
    site = start(shares=True)
    served = {site.data_path.chat(LOCAL).json["served_by"] for _ in range(4)}
    assert served == {"local", "provider"}
    assert set(site.proxy.asked) == {f"{HOST}:{site.provider.port}"}


@pytest.mark.parametrize("exception", ["models.example", ".models.example", "*"])
def test_an_exception_is_reached_without_it(start: Start, exception: str) -> None:
    site = start(exception)
    assert site.data_path.served_by(HOSTED) == "provider"
    assert site.proxy.asked == []


def test_the_proxy_does_not_vouch_for_whom_it_leads_to(start: Start) -> None:
    site = start(host="another.models.example")
    answer = site.data_path.chat(HOSTED)
    assert (answer.status, answer.json["error"]["code"]) == (503, "model_not_verified")
    assert site.proxy.asked
    assert site.provider.calls == []


def test_a_proxy_that_refuses_is_a_model_that_is_not_available(start: Start) -> None:
    site = start()
    site.proxy.refuses = True
    answer = site.data_path.chat(HOSTED)
    assert (answer.status, answer.json["error"]["code"]) == (503, "model_unavailable")
    assert site.proxy.asked
    site.proxy.refuses = False
    assert site.data_path.chat(HOSTED).status == 200
