"""The map of one router: the router, its decisions, models and backends, and what leads where.

Pure. What hangs on the router is ``tree.py``'s, what runs now is ``live.py``'s; here both become
vertices in columns. How it looks is the page's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import models
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest

from semantic_router_cli.live import DEFAULT, Host, Live, Model, Traffic
from semantic_router_cli.tree import Backend, Node, State, View, glance, tree, worst

# Their vertex has their name, or they are sentences.
_FOR_THEMSELVES = ("SemanticRouter", "backend", "condition", "event", "status")


class Column(StrEnum):
    """From left to right, as a request goes."""

    ROUTER = "router"
    DECISION = "decision"
    MODEL = "model"
    BACKEND = "backend"


@dataclass(frozen=True)
class Note:
    """What is to be said against something. where: a field."""

    state: State
    reason: str = ""
    found: str = ""
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Part:
    """A pod of the router, or an address of a backend."""

    name: str
    state: State
    said: str = ""


@dataclass(frozen=True)
class Vertex:
    """counts: since the programs began that count; None where nobody does.

    matches: of a decision, the same way: how often its rules have matched.
    """

    id: str
    column: Column
    name: str
    state: State
    said: str = ""
    notes: tuple[Note, ...] = ()
    parts: tuple[Part, ...] = ()
    counts: Traffic | None = None
    matches: float | None = None


@dataclass(frozen=True)
class Edge:
    """state: of what it leads to."""

    source: str
    target: str
    state: State


@dataclass(frozen=True)
class Graph:
    """Vertices in the order in which they stand. remarks: what one could not look at."""

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain containers."""
        return asdict(self)


def summary(resource: Manifest, now: datetime) -> dict[str, Any]:
    """A router in the list of all: by its own word, as nothing else is read of two hundred."""
    root = glance(resource, now)
    notes = _notes([root])
    return {
        "namespace": str(resource["metadata"].get("namespace", "")),
        "name": str(resource["metadata"]["name"]),
        "state": root.state,
        "said": root.said,
        "reason": next((note.reason for note in notes if note.reason), ""),
    }


def graph(view: View, live: Live, now: datetime) -> Graph:
    """view: what the cluster has. live: what the router's pods say."""
    root = tree(view, now)
    backends = _backends(root, view, live)
    found = [_model(model, live, view, backends) for model in _in_order(live)]
    decisions = _decisions(live, {vertex.name: vertex for vertex in found})
    router = _router(root, live, decisions or found)
    edges = [
        *_from_router(decisions, found, live),
        *_from_decisions(live, found),
        *_to_backends(live, view, backends),
    ]
    denied = [node.said for node in root.children if node.kind == "access"]
    remarks = (*denied, *_not_counted(live))
    return Graph((router, *decisions, *found, *backends), tuple(edges), remarks)


def _not_counted(live: Live) -> list[str]:
    """What has no numbers on the map, and why."""
    if not _answers(live):
        return ["Nothing is counted here: no pod of the router answers"]
    if live.matches is None and set(_names_of_decisions(live)) - {DEFAULT}:
        return ["Decisions have no counts: the router's metrics do not name them"]
    return []


def _in_order(live: Live) -> list[Model]:
    """Beside the decisions that lead to them, so that few ways cross."""
    order = _names_of_decisions(live)
    last = len(order)
    return sorted(
        live.models, key=lambda model: min(map(order.index, model.decisions), default=last)
    )


def _names_of_decisions(live: Live) -> list[str]:
    return list(dict.fromkeys(name for model in live.models for name in model.decisions))


def _router(root: Node, live: Live, next_to: Sequence[Vertex]) -> Vertex:
    own = [node for node in root.children if node.kind not in ("backends", "access")]
    pods = [node for node in root.all() if node.kind == "Pod"]
    told = {pod.name: pod.why for pod in live.pods}
    parts = tuple(
        Part(
            pod.name,
            State.UNKNOWN if pod.state is State.OK and told.get(pod.name) else pod.state,
            " · ".join(filter(None, (pod.said, told.get(pod.name, "").rstrip(".")))),
        )
        for pod in pods
    )
    state = worst([root, *(Node("", "", vertex.state) for vertex in next_to)])
    itself = Node(root.kind, root.name, root.state, root.said, root.reason, root.found, "",
                  root.remedy, tuple(own))  # fmt: skip
    return Vertex(
        Column.ROUTER, Column.ROUTER, live.name, state, root.said, _notes([itself]), parts,
        sum((model.traffic for model in live.models), Traffic()),
    )  # fmt: skip


def _notes(nodes: Iterable[Node]) -> tuple[Note, ...]:
    """Of everything below that says why it is not well, each once."""
    found = [
        Note(
            node.state,
            node.reason,
            _subject(node) + (node.found or node.said),
            node.where,
            node.remedy,
        )
        for top in nodes
        for node in top.all()
        if node.state is not State.OK and (node.reason or node.remedy)
    ]
    return tuple(dict.fromkeys(found))


def _subject(node: Node) -> str:
    """Of what hangs on the router and is said beside it."""
    return f"{node.kind} {node.name}: " if node.kind not in _FOR_THEMSELVES else ""


def _answers(live: Live) -> bool:
    return any(not pod.why for pod in live.pods)


def _decisions(live: Live, known: dict[str, Vertex]) -> list[Vertex]:
    found = []
    for name in _names_of_decisions(live):
        below = [known[model.name] for model in live.models if name in model.decisions]
        note = _of_those(below, "model")
        state = note.state if note else State.OK
        said = f"{len(below)} models" if len(below) > 1 else ""
        notes = (note,) if note else ()
        matches = (live.matches or {}).get(name)
        key = f"decision/{name}"
        found.append(Vertex(key, Column.DECISION, name, state, said, notes, matches=matches))
    return found


def _of_those(below: Sequence[Vertex], noun: str) -> Note | None:
    """What is to be said against something because of what it leads to."""
    wrong = [vertex for vertex in below if vertex.state in (State.BROKEN, State.WARNING)]
    if not wrong:
        is_known = all(vertex.state is not State.UNKNOWN for vertex in below)
        return None if is_known else Note(State.UNKNOWN, "", "nobody says whether it is well")
    remedy = f"See {noun} {', '.join(vertex.name for vertex in wrong)}"
    if all(vertex.state is State.BROKEN for vertex in below):
        return Note(State.BROKEN, "", "it leads nowhere", "", remedy)
    return Note(State.WARNING, "", "not all behind it is well", "", remedy)


def _model(model: Model, live: Live, view: View, backends: Sequence[Vertex]) -> Vertex:
    behind = {vertex.id: vertex for vertex in backends}
    own = [behind[key] for key in _behind(model, view, live) if key in behind]
    note = _trouble(model, live, own)
    served = models.served_by(view.router.spec).get(model.name, model.name)
    return Vertex(
        f"model/{model.name}",
        Column.MODEL,
        model.name,
        note.state if note else State.OK,
        "" if served == model.name else f"adapter of {served}",
        (note,) if note else (),
        (),
        model.traffic if _answers(live) else None,
    )


def _trouble(model: Model, live: Live, own: Sequence[Vertex]) -> Note | None:
    if live.has_envoy and _answers(live):
        return _as_envoy_sees(model, own)
    behind = _of_those(own, "backend")
    if behind:
        return behind
    if not live.has_envoy:
        # Its way is somebody else's.
        return None if own else Note(State.UNKNOWN, "", "the way to it is not seen from here")
    return Note(State.UNKNOWN, "", "no pod says how its Envoy has it", "", "See the router's pods")


def _as_envoy_sees(model: Model, own: Sequence[Vertex]) -> Note | None:
    wrong = [vertex.name for vertex in own if vertex.state is not State.OK]
    remedy = f"See backend {', '.join(wrong)}" if wrong else ""
    if not model.routed:
        remedy = "Name it in an entry, or take it out of the decisions"
        return Note(State.BROKEN, "", "Envoy has no route to it", "spec.vllmEndpoints", remedy)
    if not model.hosts:
        remedy = remedy or "Wait: Envoy looks again within seconds"
        return Note(State.BROKEN, "", "Envoy has no address for it", "", remedy)
    if not model.healthy:
        return Note(State.BROKEN, "", "no address of it gets requests", "", remedy)
    if model.healthy < len(model.hosts):
        found = f"{model.healthy} of {len(model.hosts)} addresses get requests"
        return Note(State.WARNING, "", found, "", remedy)
    return None


def _backends(root: Node, view: View, live: Live) -> list[Vertex]:
    """The entries of the spec with their addresses, then addresses that are of none of them."""
    (top,) = (node for node in root.children if node.kind == "backends")
    hosts = _hosts_by_backend(view, live)
    found = []
    for number, node in enumerate(top.children):
        if number >= len(view.backends):
            # A model without an entry: the model says so itself.
            continue
        key = _id(view.backends[number])
        own = hosts.pop(key, [])
        state = worst([node, *(Node("", "", _state_of(host)) for host in own)])
        notes = [*_notes([node]), *_of_hosts(own)]
        parts = tuple(map(_address, own))
        vertex = Vertex(key, Column.BACKEND, node.name, state, node.said, tuple(notes), parts)
        found.append(replace(vertex, counts=_sum(own)))
    for key, own in hosts.items():
        state = worst([Node("", "", _state_of(host)) for host in own])
        said, notes = "an address that Envoy has", _of_hosts(own)
        vertex = Vertex(key, Column.BACKEND, own[0].address, state, said, tuple(notes))
        found.append(replace(vertex, counts=_sum(own)))
    return found


def _id(backend: Backend) -> str:
    return f"backend/{backend.endpoint.name}"


def _state_of(host: Host) -> State:
    return State.WARNING if host.why else State.OK


def _address(host: Host) -> Part:
    counted = f"{host.requests:,} requests" + (f", {host.errors:,} errors" if host.errors else "")
    return Part(host.address, _state_of(host), f"{counted} · {host.why}" if host.why else counted)


def _sum(hosts: Sequence[Host]) -> Traffic | None:
    if not hosts:
        return None
    return Traffic(
        requests=sum(host.requests for host in hosts),
        errors=sum(host.errors for host in hosts),
        in_flight=sum(host.active for host in hosts),
    )


def _of_hosts(hosts: Sequence[Host]) -> list[Note]:
    return [
        Note(
            State.WARNING, "", f"{host.address} gets no requests: {host.why}", "",
            "Look at the model server behind this address",
        )
        for host in hosts
        if host.why
    ]  # fmt: skip


def _backend_of(host: Host, view: View) -> str:
    """The entry of the spec that the address is of; else the address itself."""
    for backend in view.backends:
        name = backend.endpoint.host
        if name and name in (host.name, host.address.rpartition(":")[0]):
            return _id(backend)
    return f"address/{host.address}"


def _hosts_by_backend(view: View, live: Live) -> dict[str, list[Host]]:
    """Each address once, however many models and adapters are behind it."""
    found: dict[str, dict[str, Host]] = {}
    for model in live.models:
        for host in model.hosts:
            found.setdefault(_backend_of(host, view), {})[host.address] = host
    return {key: list(hosts.values()) for key, hosts in found.items()}


def _behind(model: Model, view: View, live: Live) -> list[str]:
    """Ids of what stands behind a model: as Envoy has it, and entries that it has not (yet)."""
    served = models.served_by(view.router.spec).get(model.name, model.name)
    entries = [_id(item) for item in view.backends if item.endpoint.model == served]
    seen = [_backend_of(host, view) for host in model.hosts] if live.has_envoy else []
    return list(dict.fromkeys([*entries, *seen]))


def _from_router(decisions: Sequence[Vertex], found: Sequence[Vertex], live: Live) -> list[Edge]:
    """To models that no decision leads to as well: who asks for them by name gets there."""
    chosen = {model.name for model in live.models if model.decisions}
    direct = [vertex for vertex in found if vertex.name not in chosen]
    return [Edge(Column.ROUTER, vertex.id, vertex.state) for vertex in (*decisions, *direct)]


def _from_decisions(live: Live, found: Sequence[Vertex]) -> list[Edge]:
    states = {vertex.name: vertex.state for vertex in found}
    return [
        Edge(f"decision/{name}", f"model/{model.name}", states[model.name])
        for model in live.models
        for name in dict.fromkeys(model.decisions)
    ]


def _to_backends(live: Live, view: View, backends: Sequence[Vertex]) -> list[Edge]:
    states = {vertex.id: vertex.state for vertex in backends}
    return [
        Edge(f"model/{model.name}", key, states[key])
        for model in live.models
        for key in _behind(model, view, live)
    ]
