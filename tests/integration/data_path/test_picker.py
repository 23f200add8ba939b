"""A model that is an InferencePool: real Envoy, its endpoint picker, and the servers it picks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import pytest
from integration.data_path import data_path as around
from integration.data_path.certificates import server_side
from integration.data_path.client import CHAT, prompt
from integration.data_path.data_path import DataPath, endpoint
from integration.data_path.stub_backend import StubBackend
from integration.data_path.stub_picker import DESTINATION, StubPicker
from stand_ins.ext_proc import AUTO

POOLED, PLAIN = "pooled-model", "plain-model"


@dataclass
class Site:
    data_path: DataPath
    picker: StubPicker
    servers: list[StubBackend]
    plain: StubBackend

    def pick(self, server: StubBackend) -> None:
        self.picker.picks = f"{server.address}:{server.port}"


Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """is_default: the pool's model is the default one. is_verified: by the system's authorities."""
    with ExitStack() as stack:

        def start_one(
            scheme: str = "https", *, is_default: bool = True, is_verified: bool = False
        ) -> Site:
            picker = stack.enter_context(StubPicker("127.0.0.5", credentials(tmp_path, scheme)))
            servers = [
                stack.enter_context(StubBackend(name, address, models=[POOLED]))
                for name, address in (("first", "127.0.0.6"), ("second", "127.0.0.7"))
            ]
            plain = stack.enter_context(StubBackend("plain", "127.0.0.2", models=[PLAIN]))
            pool = replace(endpoint("epp", POOLED, picker.port, scheme=scheme), pool="llama")
            found = [pool, endpoint("plain", PLAIN, plain.port, weight=1 if is_default else 9)]
            addresses = {"epp": [picker.address], "plain": [plain.address]}
            # The reference picker signs its own certificate.
            how = {} if is_verified or scheme == "http" else {"epp": {"insecureSkipVerify": True}}
            data_path = around.start(stack, tmp_path, found, addresses, tls=how)
            return Site(data_path, picker, servers, plain)

        yield start_one


def credentials(directory: Path, scheme: str) -> grpc.ServerCredentials | None:
    if scheme == "http":
        return None
    file = directory / "picker.pem"
    server_side(file, "epp")
    pem = file.read_bytes()
    return grpc.ssl_server_credentials([(pem, pem)])


def test_a_picker_that_cannot_prove_who_it_is_is_not_asked(start: Start) -> None:
    site = start(is_verified=True)
    site.pick(site.servers[0])
    assert site.data_path.chat(POOLED).status == 503
    assert site.picker.models == []
    assert site.servers[0].calls == []


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("is_default", [True, False])
def test_each_request_goes_where_the_picker_says(
    start: Start, scheme: str, is_default: bool
) -> None:
    site = start(scheme, is_default=is_default)
    for server in (*site.servers, *site.servers):
        site.pick(server)
        answer = site.data_path.chat(POOLED)
        assert (answer.status, answer.json.get("served_by")) == (200, server.name)
    assert site.picker.models == [POOLED] * 4
    assert site.picker.answered == 4


def test_what_the_router_chooses_is_picked_for_as_well(start: Start) -> None:
    site = start()
    site.pick(site.servers[1])
    assert site.data_path.chat(AUTO).json["served_by"] == "second"
    assert site.picker.models == [POOLED]


def test_the_picker_is_not_asked_about_another_model(start: Start) -> None:
    site = start()
    site.pick(site.servers[0])
    assert site.data_path.served_by(PLAIN) == "plain"
    assert site.picker.models == []


def test_paths_that_name_their_model_are_picked_for(start: Start) -> None:
    site = start()
    site.pick(site.servers[0])
    answer = site.data_path.ask("/v1/embeddings", {"model": POOLED, "input": "Hello"})
    assert answer.status == 200
    assert site.picker.models == [POOLED]


def test_a_client_cannot_say_where_its_request_goes(start: Start) -> None:
    site = start()
    site.pick(site.servers[0])
    wanted = f"{site.plain.address}:{site.plain.port}"
    answer = site.data_path.chat(POOLED, **{DESTINATION: wanted})
    assert answer.json["served_by"] == "first"
    assert site.plain.calls == []


@pytest.mark.parametrize("how", ["refuses", "is gone"])
def test_when_nobody_is_picked_the_request_fails(start: Start, how: str) -> None:
    site = start()
    if how == "is gone":
        site.picker.__exit__()
    answer = site.data_path.chat(POOLED)
    assert answer.status == 503
    assert not any(server.calls for server in site.servers)
    assert site.data_path.served_by(PLAIN) == "plain"


def test_a_streamed_answer_comes_piece_by_piece(start: Start) -> None:
    site = start()
    server = site.servers[0]
    site.pick(server)
    connection = site.data_path.connect()
    connection.request("POST", CHAT, json.dumps(prompt(POOLED, stream=True)))
    response = connection.getresponse()
    assert response.readline() == b"data: one\n"
    server.let_stream_go_on.set()
    assert response.read() == b"\ndata: [DONE]\n\n"
    connection.close()
    assert server.client_was_first
