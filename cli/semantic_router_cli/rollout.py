"""`kubectl sr wait`: how far a router has come towards what one waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata, ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.labels import as_selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    live_workload,
)

from semantic_router_cli.tree import condition_of, deletion

if TYPE_CHECKING:
    # The kubernetes client behind it takes half a second to import, and Tab needs none.
    from semantic_router_cli.cluster import Cluster

DELETED = "deleted"
POLL_SECONDS = 0.5
_CONDITIONS = {
    "ready": conditions.READY,
    "available": conditions.AVAILABLE,
    "backends": conditions.BACKENDS_RESOLVED,
    "route": conditions.ROUTE_READY,
}
WORDS = (*_CONDITIONS, DELETED)
_WAYS = (*WORDS, "condition=TYPE[=STATUS]")


class GoalError(ValueError):
    """--for is none of the ways."""


@dataclass(frozen=True)
class Goal:
    """A condition and its status; "" as the type: that the router is gone."""

    type: str
    status: str = "True"

    @classmethod
    def parse(cls, text: str) -> Goal:
        """`ready`, `available`, `backends`, `route`, `deleted`, or as kubectl wait spells it."""
        if text == DELETED or text == "delete":
            return cls("")
        if text in _CONDITIONS:
            return cls(_CONDITIONS[text])
        prefix, _, rest = text.partition("=")
        kind, _, status = rest.partition("=")
        if prefix != "condition" or not kind:
            raise GoalError(f"--for {text}: give one of {', '.join(_WAYS)}")
        return cls(kind, status or "True")


@dataclass(frozen=True)
class Progress:
    """pods_ready of pods. step: what is going on; the same words while nothing moves."""

    reached: bool
    pods_ready: int
    pods: int
    step: str


class Line(Protocol):
    """Shows progress while it is entered."""

    def __enter__(self) -> Callable[[Progress], None]: ...

    def __exit__(self, *_: object) -> None: ...


def follow(cluster: Cluster, name: str, goal: Goal, seconds: float, line: Line) -> Progress:
    """Until it is reached or the time is over; the last that was seen."""
    deadline = time.monotonic() + seconds
    with line as show:
        while True:
            resource = cluster.router(name)
            said = progress(resource, goal)
            if not said.reached and resource and goal.type and said.pods_ready < said.pods:
                said = progress(resource, goal, loading(cluster, resource))
            show(said)
            if said.reached or time.monotonic() >= deadline:
                return said
            time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))


def progress(resource: Manifest | None, goal: Goal, loading: str = "") -> Progress:
    """How far a router is now; ``loading``: what its pods say of their models."""
    if resource is None:
        reached = not goal.type
        return Progress(reached, 0, 0, "gone" if reached else "does not exist yet")
    router = Router(resource)
    status = router.status
    wanted = int(status.get("replicas") or router.spec["replicas"])
    ready = int(status.get("readyReplicas") or 0)
    held = deletion(resource)
    leaves = f"is being deleted{', ' if held[0] else ''}{held[0]}" if held is not None else ""
    if not goal.type:
        return Progress(False, ready, wanted, leaves or "is there")
    condition = condition_of(router, goal.type)
    seen = condition if condition else status
    if int(seen.get("observedGeneration") or 0) < router.generation:
        return Progress(False, ready, wanted, "the operator has not looked at this spec yet")
    if condition is None:
        there = ", ".join(str(item.get("type")) for item in status.get("conditions") or [])
        return Progress(False, ready, wanted, f"there is no condition {goal.type}, but {there}")
    reached = str(condition.get("status")).casefold() == goal.status.casefold()
    if leaves and not reached:
        return Progress(False, ready, wanted, leaves)
    said = loading if loading and not reached else str(condition.get("message") or "")
    return Progress(reached, ready, wanted, f"{condition.get('reason')}: {said}")


def loading(cluster: Cluster, resource: Manifest) -> str:
    """What the router in a pod that is not ready says of its models; "" when it says nothing."""
    router = Router(resource)
    port = ports.pod_ports(router.spec).listener
    path = f"/api/v1/namespaces/{router.namespace}/pods"
    pods = cluster.look(path, as_selector(metadata.selector(router.name))).items
    for pod in _starting(pods):
        name = pod["metadata"]["name"]
        if said := models(cluster.pod_json(router.namespace, name, port, "/startup-status")):
            return said
    return ""


def _starting(pods: tuple[Manifest, ...]) -> Iterator[Manifest]:
    for pod in live_workload.staying(pods):
        containers = live_workload.status_of(pod).get("containerStatuses") or []
        running = any("running" in (item.get("state") or {}) for item in containers)
        if running and not all(item.get("ready") for item in containers):
            yield pod


def models(said: Mapping[str, Any]) -> str:
    """The router's own account of its start, in one line."""
    total, ready = said.get("total_models"), said.get("ready_models") or 0
    counted = f"{ready} of {total} models" if total else ""
    model = str(said.get("downloading_model") or "")
    doing = f"downloading {model}" if model else str(said.get("message") or "")
    return ", ".join(part for part in (counted, doing) if part)
