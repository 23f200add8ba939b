"""What the cluster may show of my-router, and what its status then says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import router_status
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    Convergence,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

NOW = "2026-11-23T10:00:00Z"
INVALID = Problem("InvalidSpec", "spec.replicas", "found -1", "Give 0 or more")
UNREADABLE = Problem("DiscoveryFailed", "", "the cluster could not be read", "Wait", retry=True)
NO_CLASS = Problem("StorageClassNotFound", "spec.persistence", "no class", "Create it", retry=True)
NOT_BUILT = Problem(
    "FeatureNotAvailable", "spec.ingress.enabled", "not built", "Leave it out", blocking=False
)
FOUND = Endpoint("first", "llama3-8b", 1, "vllm", "apps", 8000, "http", ready=True)
LOST = Endpoint(
    "second", "qwen", 1, "qwen", "apps", 8000, "http", False, "ServiceNotFound", "no such Service"
)
ALL_FOUND = Facts(endpoints=[FOUND])


def router(generation: int = 3, **spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "apps", "generation": generation},
            "spec": spec,
        }
    )


def deployment(
    wanted: int = 2,
    *,
    existing: int = 2,
    updated: int = 2,
    ready: int = 2,
    observed: int = 1,
    available: str = "True",
    **more: dict[str, str],
) -> dict[str, Any]:
    conditions_ = [{"type": "Available", "status": available}]
    conditions_ += [{"type": name, **value} for name, value in more.items()]
    return {
        "metadata": {"name": "my-router", "generation": 1},
        "spec": {"replicas": wanted},
        "status": {
            "observedGeneration": observed,
            "replicas": existing,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": conditions_,
        },
    }


ROLLED_OUT = Workload(deployment())
STARTING = Workload(deployment(existing=2, updated=2, ready=0, available="False"))


def waiting_pod(reason: str, message: str = "", **container: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "my-router-abc"},
        "spec": {"containers": [{"name": "router", "image": "example.com/router:1"}]},
        "status": {
            "containerStatuses": [
                {
                    "name": "router",
                    "state": {"waiting": {"reason": reason, "message": message}},
                    **container,
                }
            ]
        },
    }


def with_route(admitted: str = "", reason: str = "", exists: bool = True) -> Workload:
    said = {"type": "Admitted", "status": admitted, "reason": reason, "message": "it is taken"}
    entry = {"host": "router.example.com", "routerName": "default", "conditions": [said]}
    route = {
        "metadata": {"name": "my-router"},
        "spec": {"tls": {"termination": "edge"}},
        "status": {"ingress": [entry] if admitted else []},
    }
    return replace(ROLLED_OUT, route=route if exists else None, route_name="my-router")


ON_OPENSHIFT = Facts(platform="openshift", endpoints=[FOUND])


def status(
    facts: Facts = ALL_FOUND,
    problems: list[Problem] | None = None,
    workload: Workload = ROLLED_OUT,
    previous: dict[str, Any] | None = None,
    owner: Router | None = None,
    convergence: Convergence | None = None,
) -> dict[str, Any]:
    situation = Situation(owner or router(), facts, problems or [], workload, convergence)
    return router_status.build(situation, NOW, previous or {})


def condition(of: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [item for item in of["conditions"] if item["type"] == name]
    return found


def verdict(of: dict[str, Any], name: str) -> tuple[str, str]:
    found = condition(of, name)
    return found["status"], found["reason"]
