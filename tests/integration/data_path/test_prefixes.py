"""What stands in front of a backend's API: real Envoy, and a backend that only knows that path."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from integration.data_path import data_path as around
from integration.data_path.client import CHAT, prompt
from integration.data_path.data_path import endpoint
from integration.data_path.stub_backend import StubBackend

PREFIX = "/apps/llama"


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings"])
def test_it_is_put_in_front_of_the_path_of_each_request(tmp_path: Path, path: str) -> None:
    with ExitStack() as stack:
        behind = stack.enter_context(StubBackend("behind", "127.0.0.2", models=["llama"]))
        plain = stack.enter_context(StubBackend("plain", "127.0.0.3", models=["qwen"]))
        found = [
            replace(endpoint("behind", "llama", behind.port), path=PREFIX),
            endpoint("plain", "qwen", plain.port),
        ]
        addresses = {each.name: [each.address] for each in (behind, plain)}
        data_path = around.start(stack, tmp_path, found, addresses)
        for model in ("llama", "qwen"):
            assert data_path.ask(path, prompt(model)).status == 200
        assert [call.path for call in behind.calls] == [f"{PREFIX}{path}"]
        assert [call.path for call in plain.calls] == [path]
