"""What the page shows in tests: routers that are made up, and that can be changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import site_look
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from playwright.sync_api import Browser, sync_playwright
from semantic_router_cli import graph
from semantic_router_cli.live import DEFAULT, Host, Live, Model, Pod, Traffic
from semantic_router_cli.tree import Backend, View

NAMESPACE = "ai"
SERVED = {"qwen3-8b": "qwen", "llama3-70b": "llama", "phi-4-mini": "phi"}
DECISIONS = {
    "qwen3-8b": ("default", "code"),
    "qwen3-8b-maths": ("maths",),
    "llama3-70b": ("law", "medicine"),
    "phi-4-mini": ("smalltalk",),
}

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "my-router", "generation": 1},
    "spec": {"replicas": 2},
    "status": {
        "observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
    },
}  # fmt: skip
PODS = [
    {
        "metadata": {"name": f"my-router-6c6bfb456f-{end}"},
        "spec": {"containers": [{}, {}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"ready": True}, {"ready": True}],
        },
    }
    for end in ("8vsln", "s5nw7")
]


@contextmanager
def browser() -> Iterator[Browser]:
    # Its sandbox refuses to run as root, as in a container.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=site_look.chromium(), args=options)
        try:
            yield started
        finally:
            started.close()


class Routers:
    """A source for the page.

    ejected: one of two addresses of a backend gets no requests. error: why nothing can be read.
    """

    def __init__(self, count: int = 3) -> None:
        self.names = ["my-router", *(f"team-{number:03}" for number in range(1, count))]
        self.degraded = {"my-router"}
        self.ejected = True
        self.requests = 1204
        self.counts_decisions = True
        self.error: Exception | None = None

    def routers(self) -> list[dict[str, Any]]:
        if self.error:
            raise self.error
        return [graph.summary(self._resource(name), datetime.now(UTC)) for name in self.names]

    def router(self, namespace: str, name: str) -> dict[str, Any] | None:
        if self.error:
            raise self.error
        if namespace != NAMESPACE or name not in self.names:
            return None
        # As traffic goes on.
        self.requests += 9
        resource = self._resource(name)
        view = View(Router(resource), [DEPLOYMENT], pods=PODS, backends=self._backends(name))
        view = replace(view, workload=Workload(deployment=DEPLOYMENT, pods=PODS))
        return graph.graph(view, self._live(name), datetime.now(UTC)).as_dict()

    def _resource(self, name: str) -> dict[str, Any]:
        made = datetime.now(UTC) - timedelta(minutes=25)
        entries: list[dict[str, Any]] = [
            {
                "name": service, "model": model, "weight": 1,
                "backend": {"type": "service", "service": {"name": service, "port": 8000}},
            }
            for model, service in SERVED.items()
        ]  # fmt: skip
        entries[0]["loras"] = [{"name": "qwen3-8b-maths"}]
        wrong = {
            "type": "Degraded", "status": "True", "reason": "SomeBackendsUnresolved",
            "message": "1 of 3 backends is not there.",
        }  # fmt: skip
        is_degraded = name in self.degraded
        return {
            "metadata": {
                "name": name, "namespace": NAMESPACE, "generation": 1,
                "creationTimestamp": made.isoformat(),
            },
            "spec": {"vllmEndpoints": entries},
            "status": {
                "phase": "Degraded" if is_degraded else "Running",
                "observedGeneration": 1, "readyReplicas": 2, "replicas": 2,
                "gatewayMode": "standalone",
                "conditions": [wrong] if is_degraded else [],
            },
        }  # fmt: skip

    def _backends(self, name: str) -> list[Backend]:
        found = [
            Endpoint(service, model, 1, service, "models", 8000, "http", ready=True)
            for model, service in SERVED.items()
        ]
        if name in self.degraded:
            lost = {"reason": "ServiceNotFound", "message": "Service models/llama does not exist"}
            found[1] = replace(found[1], ready=False, service="", namespace="", port=0, **lost)
        return [Backend(endpoint, "service", pods=2) for endpoint in found]

    def _live(self, name: str) -> Live:
        lost = name in self.degraded
        why = "ejected: it failed too often" if self.ejected and lost else ""
        qwen = (
            Host("10.1.2.3:8000", "", self.requests, 2, 3, "qwen.models.svc"),
            Host("10.1.2.4:8000", why, 310, 18, 0, "qwen.models.svc"),
        )
        hosts = {
            "qwen3-8b": qwen,
            "qwen3-8b-maths": qwen,
            "llama3-70b": () if lost else (Host("10.1.4.1:8000", name="llama.models.svc"),),
            "phi-4-mini": (Host("10.1.3.7:8000", "", 88, 0, 0, "phi.models.svc"),),
        }
        traffic = {
            "qwen3-8b": Traffic(self.requests, 2, 410_000, 90_000, 1500, 1200, in_flight=3),
            "qwen3-8b-maths": Traffic(96, 0, 3000, 880, 83, 96),
            "phi-4-mini": Traffic(88, 0, 2000, 700, 16, 88),
        }
        models = tuple(
            Model(model, decisions, hosts[model], traffic=traffic.get(model, Traffic()))
            for model, decisions in DECISIONS.items()
        )
        pod = Pod("my-router-6c6bfb456f-8vsln", "326f")
        return Live(NAMESPACE, name, True, models, (pod,), matches=self._matches())

    def _matches(self) -> dict[str, float] | None:
        if not self.counts_decisions:
            return None
        names = [name for names in DECISIONS.values() for name in names if name != DEFAULT]
        return dict.fromkeys(names, 0.0) | {"code": self.requests - 11.0, "maths": 96.0}
