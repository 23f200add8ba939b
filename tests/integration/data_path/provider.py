"""A hosted model, another in the cluster, and Envoy between them and clients."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    AUTHORITIES,
)
from integration.data_path import data_path as around
from integration.data_path.certificates import server_side
from integration.data_path.data_path import DataPath, endpoint, hosted
from integration.data_path.stub_backend import StubBackend

HOSTED, LOCAL = "hosted-model", "local-model"
HOST = "api.models.example"


@dataclass
class Site:
    """A provider's server, one in the cluster, and Envoy between them and clients."""

    data_path: DataPath
    provider: StubBackend
    local: StubBackend


def local_server() -> StubBackend:
    return StubBackend("local", "127.0.0.2", models=[LOCAL])


def start(
    stack: ExitStack,
    directory: Path,
    local: StubBackend,
    host: str = HOST,
    *,
    is_known: bool = True,
    **more: Any,
) -> Site:
    """host: of the provider's certificate, which the image knows, or one like it.

    more: what Envoy is to do besides.
    """
    known = directory / "known.pem"
    context = server_side(known, host)
    if not is_known:
        server_side(known, host)
    provider = stack.enter_context(
        StubBackend("provider", "127.0.0.3", tls=context, models=[HOSTED])
    )
    stack.enter_context(local)
    data_path = around.start(
        stack,
        directory,
        [
            endpoint("local", LOCAL, local.port),
            hosted("provider", HOSTED, HOST, provider.port),
        ],
        {"local": [local.address], HOST: [provider.address]},
        directories={AUTHORITIES: known},
        **more,
    )
    return Site(data_path, provider, local)
