"""What a SemanticRouter hangs together with, as a tree: the router, its objects, pods and backends.

Pure. What is read for it is ``status.py``'s, how it looks ``display.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_kinds, models
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FORMER_FINALIZER,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import (
    conditions,
    live_workload,
    reasons,
    router_status,
    transitions,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    NOT_ACTIVE,
    UNREACHABLE,
    short,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)

_EVENTS_SHOWN = 3
# Those of Kubernetes itself, which go by themselves, and that of upstream's operator.
_OF_FINALIZERS = {
    "foregroundDeletion": "It goes when the objects that it owns are gone",
    "orphan": "It goes when the objects that it owns are let go",
    "kubernetes.io/pvc-protection": "It goes with the last pod that uses it",
    "service.kubernetes.io/load-balancer-cleanup": "It goes when the load balancer is gone",
    FORMER_FINALIZER: "The Go operator takes it off; where that is gone, "
    "docs/migration.md says how to do it",
}
_SIMULATED = "kwok.x-k8s.io/node"
_OF_BACKENDS = ("SomeBackendsUnresolved", "NoBackendsResolved", "ModelsWithoutRoute")


class State(StrEnum):
    """How a link of the chain is."""

    OK = "ok"
    WAITING = "waiting"
    WARNING = "warning"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Node:
    """One link.

    said: what it is like. reason, found, where (a field), remedy: only where something is to be
    said against it.
    """

    kind: str
    name: str
    state: State
    said: str = ""
    reason: str = ""
    found: str = ""
    where: str = ""
    remedy: str = ""
    children: tuple[Node, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain containers, empty ones left out."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def all(self) -> Iterable[Node]:
        """The node and everything below it."""
        yield self
        for child in self.children:
            yield from child.all()


@dataclass(frozen=True)
class Backend:
    """What stands behind an entry of spec.vllmEndpoints, as the cluster answers for it now.

    pods: ready addresses behind the Service; None when they were not asked for, or it is outside.
    missing: that there is no such Service, "" when there is.
    told: what the operator has against a backend that one may not look at oneself, "" when nothing.
    """

    endpoint: Endpoint
    type: str
    pods: int | None = None
    missing: str = ""
    told: str | None = None

    def remedy(self) -> str:
        """What helps when the Service is missing."""
        makes = "KServe makes it: kubectl describe inferenceservice"
        return makes if self.type == backend_kinds.TYPE_KSERVE else "Create it"


@dataclass(frozen=True)
class View:
    """Everything that was read of one router.

    denied: what one may not read, and why. hidden: the kinds among it.
    nodes: those of the pods, as far as one may read them.
    """

    router: Router
    objects: list[Manifest] = field(default_factory=list)
    workload: Workload = field(default_factory=Workload)
    pods: list[Manifest] = field(default_factory=list)
    events: list[Manifest] = field(default_factory=list)
    backends: list[Backend] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    hidden: frozenset[str] = frozenset()
    nodes: list[Manifest] = field(default_factory=list)

    def is_simulated(self, pod: Manifest) -> bool:
        """kwok says that it runs, and nothing does."""
        name = pod["spec"].get("nodeName")
        return any(
            node["metadata"]["name"] == name
            and _SIMULATED in (node["metadata"].get("annotations") or {})
            for node in self.nodes
        )


def tree(view: View, now: datetime) -> Node:
    """The router and all that hangs on it."""
    router = view.router
    children = [
        *_conditions(router),
        *(
            event
            for event in _events(view, "SemanticRouter", router.name, now)
            # The operator's own words: the conditions say them too, and whether they still hold.
            if event.reason not in reasons.REASONS
        ),
        _objects(view, now),
        _backends(view),
        *(Node("access", "", State.UNKNOWN, said) for said in view.denied),
    ]
    simulated = any(map(view.is_simulated, view.pods))
    return _root(router, children, now, "simulated pods" if simulated else "")


def glance(resource: Manifest, now: datetime) -> Node:
    """The router by its own word alone, where many are shown."""
    router = Router(resource)
    return _root(router, _conditions(router), now)


def _root(router: Router, children: list[Node], now: datetime, remark: str = "") -> Node:
    status = router.status
    phase = str(status.get("phase") or "")
    leaving = _leaving(router)
    said = [
        "is being deleted" if leaving else "",
        phase or "not looked at yet",
        f"{status.get('readyReplicas') or 0}/{status.get('replicas') or 0} ready",
        str(status.get("gatewayMode") or ""),
        remark,
        age(router.resource, now),
    ]
    return Node(
        "SemanticRouter",
        f"{router.namespace}/{router.name}",
        worst([Node("", "", State.WAITING if leaving else _state_of_phase(phase)), *children]),
        " · ".join(part for part in said if part),
        children=tuple(children),
        **(leaving or ({} if phase else _unseen())),
    )


def deletion(manifest: Manifest) -> tuple[str, str] | None:
    """What holds its deletion, and what to do about that; None of what is not being deleted."""
    metadata = manifest["metadata"]
    if not metadata.get("deletionTimestamp"):
        return None
    holding = metadata.get("finalizers") or []
    if not holding:
        return "", ""
    remedies = [_OF_FINALIZERS.get(name, f"Whoever set {name} takes it off") for name in holding]
    plural = "s" if len(holding) > 1 else ""
    return f"held by finalizer{plural} {', '.join(holding)}", ". ".join(dict.fromkeys(remedies))


def _leaving(router: Router) -> dict[str, str]:
    held = deletion(router.resource)
    if held is None:
        return {}
    return {"reason": "Terminating", "found": held[0], "remedy": held[1]}


def _unseen() -> dict[str, str]:
    return {
        "reason": "NoStatus",
        "remedy": "`kubectl sr doctor` looks whether the operator runs",
    }


def condition_of(router: Router, kind: str) -> Mapping[str, Any] | None:
    """What its status says of this type of condition, which kubectl wait takes in any case."""
    listed = router.status.get("conditions") or []
    return next(
        (item for item in listed if str(item.get("type")).casefold() == kind.casefold()), None
    )


def _state_of_phase(phase: str) -> State:
    return {
        router_status.PHASE_RUNNING: State.OK,
        router_status.PHASE_DEGRADED: State.BROKEN,
        router_status.PHASE_PAUSED: State.WARNING,
    }.get(phase, State.WAITING)


def _conditions(router: Router) -> list[Node]:
    found = router.status.get("conditions") or []
    stale = int(router.status.get("observedGeneration") or 0) < router.generation
    nodes = [_condition(item) for item in found if _is_worth_words(item, found)]
    if found and stale:
        said = f"speaks of generation {router.status.get('observedGeneration')}"
        said += f": the operator has not seen generation {router.generation} yet"
        nodes.insert(0, Node("status", "", State.WAITING, said, "Stale"))
    return nodes


def _is_worth_words(condition: Mapping[str, Any], others: list[Mapping[str, Any]]) -> bool:
    """Not what is well, and each reason once: one cause flips several conditions."""
    if _is_good(condition):
        return False
    same = [
        item
        for item in others
        if item.get("reason") == condition.get("reason") and not _is_good(item)
    ]
    return same[0] is condition


def _is_good(condition: Mapping[str, Any]) -> bool:
    known = condition.get("type") in conditions.CONDITION_TYPES
    return conditions.is_good(condition) if known else condition.get("status") != "False"


_WAITING = (
    "RolloutInProgress",
    "DeploymentMissing",
    "VolumePending",
    NOT_ACTIVE,
    UNREACHABLE,
)


def _condition(condition: Mapping[str, Any]) -> Node:
    waiting = condition.get("reason") in _WAITING
    waiting = waiting or condition.get("type") == conditions.PROGRESSING
    # In effect all the same, or asked for.
    remark = condition["type"] == conditions.CONFIG_VALID and condition["status"] == "True"
    remark = remark or transitions.is_news(condition)
    state = State.WAITING if waiting else State.WARNING if remark else State.BROKEN
    # Each backend says it itself.
    said = "see backends" if condition.get("reason") in _OF_BACKENDS else condition.get("message")
    return Node(
        "condition",
        f"{condition['type']}={condition['status']}",
        state,
        str(said or ""),
        str(condition.get("reason") or ""),
    )


def _objects(view: View, now: datetime) -> Node:
    found = [_object(view, manifest, now) for manifest in view.objects]
    is_there = any(node.kind == "Deployment" for node in found)
    if not is_there and "Deployment" in view.hidden:
        found.append(Node("Deployment", view.router.name, State.UNKNOWN, "you may not look"))
    elif not is_there:
        said = "does not exist yet"
        found.append(Node("Deployment", view.router.name, State.WAITING, said, "DeploymentMissing"))
    return Node("objects", "", worst(found), _counted(found, "object"), children=tuple(found))


def _object(view: View, manifest: Manifest, now: datetime) -> Node:
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    state, said, reason, why = _SAYINGS.get(kind, _plainly)(view, manifest)
    remedy = ""
    held = deletion(manifest)
    if held is not None:
        state, said, reason = State.WAITING, "is being deleted", "Terminating"
        why, remedy = held
    children = _events(view, kind, name, now)
    if kind == "Deployment":
        children += [_pod(view, pod, now) for pod in view.pods]
    state = worst([Node("", "", state), *children])
    return Node(kind, name, state, said, reason, why, "", remedy, children=tuple(children))


# state, said, reason, found
Saying = tuple[State, str, str, str]


def _plainly(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    return State.OK, "", "", ""


def _config_map(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    return State.OK, ", ".join(sorted(manifest.get("data") or {})), "", ""


def _service(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    spec = manifest["spec"]
    ports = ", ".join(f"{item.get('name', '')} {item['port']}" for item in spec.get("ports") or [])
    kind = "headless" if spec.get("clusterIP") == "None" else spec.get("type", "ClusterIP")
    return State.OK, f"{kind} · {ports}", "", ""


def _claim(view: View, manifest: Manifest) -> Saying:
    phase = str(live_workload.status_of(manifest).get("phase") or "Pending")
    wanted = (manifest["spec"].get("resources") or {}).get("requests", {}).get("storage", "")
    storage_class = manifest["spec"].get("storageClassName") or "no StorageClass"
    said = f"{phase} · {wanted} · {storage_class}"
    if phase == "Bound":
        return State.OK, said, "", ""
    trouble = _trouble(view, ("VolumePending", "VolumeLost"))
    return State.BROKEN if phase == "Lost" else State.WAITING, said, *trouble


def _deployment(view: View, manifest: Manifest) -> Saying:
    said = live_workload.availability(manifest).rstrip(".")
    if live_workload.is_rolled_out(manifest):
        return State.OK, said, "", ""
    reason, why = _trouble(view, ("ReplicaFailure", "ProgressDeadlineExceeded"))
    return State.BROKEN if reason else State.WAITING, said, reason, why


def _autoscaler(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    spec, status = manifest["spec"], live_workload.status_of(manifest)
    said = f"{spec.get('minReplicas', 1)} to {spec['maxReplicas']} pods"
    for condition in status.get("conditions") or []:
        if condition["type"] == "ScalingActive" and condition["status"] == "False":
            return State.WARNING, said, str(condition.get("reason")), str(condition.get("message"))
    return State.OK, said, "", ""


def _ingress(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    hosts = [str(rule.get("host") or "*") for rule in manifest["spec"].get("rules") or []]
    return State.OK, ", ".join(hosts), "", ""


def _route(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    return State.OK, str(manifest["spec"].get("host") or ""), "", ""


def _http_route(view: View, manifest: Manifest) -> Saying:  # noqa: ARG001
    parents = [
        f"{item.get('namespace', '')}/{item['name']}".lstrip("/")
        for item in manifest["spec"].get("parentRefs") or []
    ]
    return State.OK, f"Gateway {', '.join(parents)}", "", ""


_SAYINGS = {
    "ConfigMap": _config_map,
    "Service": _service,
    "PersistentVolumeClaim": _claim,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Ingress": _ingress,
    "Route": _route,
    "HTTPRoute": _http_route,
}


def _trouble(view: View, reasons: tuple[str, ...]) -> tuple[str, str]:
    for trouble in live_workload.troubles_of(view.workload):
        if trouble.reason in reasons:
            return trouble.reason, trouble.message
    return "", ""


def _pod(view: View, pod: Manifest, now: datetime) -> Node:
    name, status = pod["metadata"]["name"], live_workload.status_of(pod)
    containers = status.get("containerStatuses") or []
    ready = sum(bool(item.get("ready")) for item in containers)
    restarts = sum(int(item.get("restartCount") or 0) for item in containers)
    said = [
        str(status.get("phase") or "Pending"),
        f"{ready}/{len(pod['spec']['containers'])} containers ready",
        f"{restarts} restarts" if restarts else "",
        "simulated" if view.is_simulated(pod) else "",
        _config_of(view.router, name),
        age(pod, now),
    ]
    troubles = live_workload.pod_troubles([pod])
    is_ready = any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in status.get("conditions") or []
    )
    failing = any(trouble.failing for trouble in troubles)
    state = State.BROKEN if failing else State.OK if is_ready else State.WAITING
    children = [] if is_ready else _events(view, "Pod", name, now)
    return Node(
        "Pod",
        name,
        worst([Node("", "", state), *children]),
        " · ".join(part for part in said if part),
        ", ".join(dict.fromkeys(trouble.reason for trouble in troubles)),
        " ".join(dict.fromkeys(trouble.message for trouble in troubles)),
        children=tuple(children),
    )


def _config_of(router: Router, pod: str) -> str:
    """What it goes by, as the operator was last told."""
    found = router.status.get("activeConfig") or {}
    told = {item["name"]: item.get("hash") for item in found.get("pods") or []}.get(pod)
    if not told:
        return ""
    wanted = "" if told == found["desired"] else f", not {short(found['desired'])}"
    return f"config {short(told)}{wanted}"


def _backends(view: View) -> Node:
    found = [_backend(number, backend) for number, backend in enumerate(view.backends)]
    found += [_without_route(name) for name in models.without_route(view.router.spec)]
    if found:
        said = _counted(found, "backend")
        return Node("backends", "", worst(found), said, children=tuple(found))
    resolved = condition_of(view.router, conditions.BACKENDS_RESOLVED)
    # Of a router that nobody has looked at it is not known yet.
    state = State.WARNING if resolved else State.WAITING
    if resolved and conditions.is_good(resolved):
        state = State.OK
    return Node("backends", "", state, "spec.vllmEndpoints is empty")


def _backend(number: int, backend: Backend) -> Node:
    endpoint = backend.endpoint
    said = f"{endpoint.model} · {backend.type} · {endpoint.address or 'no address'}"
    if backend.told is not None:
        state = State.BROKEN if backend.told else State.UNKNOWN
        found = f"you may not look; the operator says: {backend.told or 'ready'}"
        return Node("backend", endpoint.name, state, said, found=found)
    if backend.missing:
        return Node(
            "backend", endpoint.name, State.BROKEN, said,
            "ServiceNotFound", backend.missing, "", backend.remedy(),
        )  # fmt: skip
    if not endpoint.ready:
        problem = reasons.backend_problem(number, endpoint)
        return Node(
            "backend", endpoint.name, State.BROKEN, said,
            problem.reason, problem.found, problem.field, problem.remedy,
        )  # fmt: skip
    if backend.pods == 0:
        found = "its Service is there, and no ready pod behind it"
        remedy = "Look at the model server's pods"
        return Node(
            "backend", endpoint.name, State.WARNING, said, "NoReadyAddress", found, "", remedy
        )
    return Node("backend", endpoint.name, State.OK, said, found=endpoint.message)


def _without_route(model: str) -> Node:
    problem = reasons.without_route([model])
    return Node(
        "backend", model, State.BROKEN, "in spec.config only",
        problem.reason, problem.found, problem.field, problem.remedy,
    )  # fmt: skip


def _events(view: View, kind: str, name: str, now: datetime) -> list[Node]:
    """The last warnings about an object, newest first."""
    found = [
        event
        for event in view.events
        if (event["involvedObject"].get("kind"), event["involvedObject"].get("name"))
        == (kind, name)
        and event.get("type") == "Warning"
    ]
    found.sort(key=_when, reverse=True)
    by_reason = {str(event.get("reason")): event for event in reversed(found)}
    return [
        Node(
            "event",
            "",
            State.WARNING,
            f"{str(event.get('message') or '').strip()} ({_ago(_when(event), now)} ago)",
            reason,
        )
        for reason, event in list(reversed(by_reason.items()))[:_EVENTS_SHOWN]
    ]


def _when(event: Manifest) -> str:
    return str(
        event.get("lastTimestamp")
        or (event.get("series") or {}).get("lastObservedTime")
        or event.get("eventTime")
        or event["metadata"].get("creationTimestamp")
        or ""
    )


def worst(nodes: Iterable[Node]) -> State:
    """The state that all of them together are in."""
    order = [State.BROKEN, State.WARNING, State.WAITING, State.UNKNOWN, State.OK]
    return min((node.state for node in nodes), key=order.index, default=State.OK)


def _counted(nodes: list[Node], noun: str) -> str:
    well = sum(node.state is State.OK for node in nodes)
    plural = "" if len(nodes) == 1 else "s"
    return f"{well} of {len(nodes)} {noun}{plural} well"


def age(manifest: Manifest, now: datetime) -> str:
    """As kubectl shows it."""
    return _ago(str(manifest["metadata"].get("creationTimestamp") or ""), now)


def _ago(moment: str, now: datetime) -> str:
    if not moment:
        return ""
    try:
        then = datetime.fromisoformat(moment)
    except ValueError:
        return ""
    seconds = max(0, int((now - then.astimezone(UTC)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item not in ("", (), [])}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, State) else value
