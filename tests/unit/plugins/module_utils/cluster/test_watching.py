"""The stock engine's proxy is made to watch; nobody else is asked for anything."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import watching
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import connect
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

OWNER = "eyJraW5kIjoiU2VtYW50aWNSb3V0ZXIifQ=="


class Proxy(Client):
    def __init__(self, host: str) -> None:
        super().__init__(connect({"host": host, "api_key": "any"}))
        self.asked: list[str] = []

    def get(self, path: str, _: object = None) -> Manifest | None:
        self.asked.append(path)
        raise ApiError(503, "", "the informer is not ready")


def manifest(kind: str, name: str, owner: str = "1") -> Manifest:
    metadata = {
        "name": name,
        "namespace": "default",
        "ownerReferences": [{"uid": owner, "controller": True}],
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


ROUTER = Router({"metadata": {"name": "my-router", "uid": "1"}})
OBJECTS = [
    manifest("Service", "a"),
    manifest("ConfigMap", "b"),
    manifest("ConfigMap", "c"),
    manifest("ConfigMap", "of-somebody-else", owner="2"),
]


def test_one_object_of_each_kind_is_read_through_the_stock_engines_proxy() -> None:
    client = Proxy(f"http://{OWNER}@localhost:8888")
    watching.ask_for(client, ROUTER, OBJECTS)
    assert sorted(client.asked) == [
        "/api/v1/namespaces/default/configmaps/c",
        "/api/v1/namespaces/default/services/a",
    ]


def test_an_api_server_is_asked_for_nothing() -> None:
    client = Proxy("https://127.0.0.1:6443")
    watching.ask_for(client, ROUTER, OBJECTS)
    assert client.asked == []


BELL = manifest("ConfigMap", "my-router-config")


def test_the_doorbell_is_the_routers_own_config_map_and_there_for_the_stock_engine_only() -> None:
    stock = Proxy(f"http://{OWNER}@localhost:8888")
    assert watching.doorbell(stock, ROUTER, [*OBJECTS, BELL]) == {
        "path": "/api/v1/namespaces/default/configmaps/my-router-config",
        "annotation": "vllm.ai/doorbell",
    }
    taken = manifest("ConfigMap", "my-router-config", owner="2")
    assert watching.doorbell(stock, ROUTER, [*OBJECTS, taken]) == {}
    assert watching.doorbell(Proxy("https://127.0.0.1:6443"), ROUTER, [BELL]) == {}
