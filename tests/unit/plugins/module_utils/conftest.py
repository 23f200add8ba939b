"""A router from a few lines, and facts in which every backend but a Llama Stack is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]


def make_router(config: dict[str, Any] | None = None, **spec: Any) -> Router:
    if config is not None:
        spec["config"] = config
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "default"},
            "spec": spec,
        }
    )


def facts_of(router: Router) -> Facts:
    return Facts(endpoints=[_endpoint(entry) for entry in router.spec.get("vllmEndpoints") or []])


def _endpoint(entry: dict[str, Any]) -> Endpoint:
    backend = entry["backend"]
    service, namespace, port = "", "", 0
    if backend["type"] == "kserve":
        service, namespace, port = f"{backend['inferenceServiceName']}-predictor", "default", 8443
    elif backend["type"] == "service":
        wanted = backend["service"]
        service, port = wanted["name"], wanted["port"]
        namespace = wanted.get("namespace", "default")
    return Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=entry["weight"],
        service=service,
        namespace=namespace,
        port=port,
        scheme="https" if port in (443, 8443) else "http",
        ready=bool(service),
    )


def endpoint(name: str, model: str, **more: Any) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": name, "port": 8000}}
    return {"name": name, "model": model, "backend": backend, **more}


@pytest.fixture(name="make_router")
def _make_router() -> MakeRouter:
    return make_router


@pytest.fixture(name="facts_of")
def _facts_of() -> Callable[[Router], Facts]:
    return facts_of


@pytest.fixture(name="endpoint")
def _endpoint_of() -> Callable[..., dict[str, Any]]:
    return endpoint
