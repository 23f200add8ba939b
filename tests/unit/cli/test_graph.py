"""The map of a router says of each vertex how it is, and leads where requests go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from semantic_router_cli import graph
from semantic_router_cli.graph import Edge, Graph, Vertex
from semantic_router_cli.live import Host, Live, Model, Pod, Traffic
from semantic_router_cli.tree import Backend, State, View

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
ANSWERS = (Pod("p", "1"),)
GOOD = Host("10.0.0.1:8000", requests=5, name="qwen.models.svc")
EJECTED = Host("10.0.0.2:8000", "ejected: it failed too often", name="qwen.models.svc")


def resource(**status: Any) -> dict[str, Any]:
    entries = [
        {"name": "qwen", "model": "qwen", "weight": 1, "loras": [{"name": "qwen-maths"}],
         "backend": {"type": "service", "service": {"name": "qwen", "port": 8000}}},
    ]  # fmt: skip
    return {
        "metadata": {"name": "r", "namespace": "n", "generation": 1},
        "spec": {"vllmEndpoints": entries},
        "status": {"phase": "Running", "observedGeneration": 1, **status},
    }


def backend(ready: bool = True, pods: int | None = 1) -> Backend:
    missing = {} if ready else {"reason": "ServiceNotFound", "message": "Service n/q is not there"}
    where = {"service": "qwen", "namespace": "models", "port": 8000, "scheme": "http"}
    return Backend(Endpoint("qwen", "qwen", 1, ready=ready, **where, **missing), "service", pods)


def picture(
    *found: Model,
    backends: Sequence[Backend] = (backend(),),
    pods: Sequence[Pod] = ANSWERS,
    has_envoy: bool = True,
    **status: Any,
) -> Graph:
    view = View(Router(resource(**status)), backends=list(backends))
    return graph.graph(view, Live("n", "r", has_envoy, found, tuple(pods)), NOW)


def vertex(found: Graph, key: str) -> Vertex:
    (one,) = (item for item in found.vertices if item.id == key)
    return one


def ways(found: Graph) -> set[tuple[str, str]]:
    return {(edge.source, edge.target) for edge in found.edges}


def model(name: str = "qwen", *hosts: Host, **more: Any) -> Model:
    return Model(name, **{"decisions": ("maths",), "hosts": hosts, **more})


def test_a_request_is_led_from_router_to_decision_to_model_to_backend() -> None:
    found = picture(model("qwen", GOOD))
    assert ways(found) == {
        ("router", "decision/maths"),
        ("decision/maths", "model/qwen"),
        ("model/qwen", "backend/qwen"),
    }
    assert {item.state for item in found.vertices[1:]} == {State.OK}


def test_every_way_leads_from_a_vertex_to_a_vertex() -> None:
    stray = Host("10.9.9.9:1")
    found = picture(model("qwen", GOOD, stray), model("other", decisions=(), routed=False))
    known = {item.id for item in found.vertices}
    assert {end for edge in found.edges for end in (edge.source, edge.target)} <= known
    assert ("router", "model/other") in ways(found)


def test_an_address_is_part_of_the_entry_by_whose_name_envoy_knows_it() -> None:
    found = picture(model("qwen", GOOD), model("qwen-maths", GOOD))
    (part,) = vertex(found, "backend/qwen").parts
    assert (part.name, part.said) == ("10.0.0.1:8000", "5 requests")
    assert vertex(found, "model/qwen-maths").said == "adapter of qwen"
    assert Edge("model/qwen-maths", "backend/qwen", State.OK) in found.edges
    # Once, however many models are behind it.
    assert vertex(found, "backend/qwen").counts == Traffic(requests=5)


def test_an_address_of_no_entry_stands_for_itself() -> None:
    found = picture(model("qwen", Host("10.9.9.9:1")))
    assert vertex(found, "address/10.9.9.9:1").name == "10.9.9.9:1"
    assert vertex(found, "backend/qwen").parts == ()


def test_an_ejected_address_is_said_at_backend_and_model_and_leaves_the_way_open() -> None:
    found = picture(model("qwen", GOOD, EJECTED))
    (note,) = vertex(found, "backend/qwen").notes
    assert "10.0.0.2:8000" in note.found
    assert note.remedy
    assert vertex(found, "model/qwen").state is State.WARNING
    assert vertex(found, "decision/maths").state is State.WARNING


def test_whatever_is_broken_says_what_to_do() -> None:
    for found in (
        picture(model("qwen", EJECTED)),
        picture(model("qwen")),
        picture(model("qwen", routed=False)),
        picture(model("qwen"), backends=[backend(ready=False)]),
    ):
        for key in ("model/qwen", "decision/maths", "router"):
            assert vertex(found, key).state is State.BROKEN, key
        for key in ("model/qwen", "decision/maths"):
            (note,) = vertex(found, key).notes
            assert note.remedy, key


def test_a_backend_that_is_missing_names_field_and_remedy() -> None:
    found = picture(model("qwen"), backends=[backend(ready=False)])
    (note,) = vertex(found, "backend/qwen").notes
    assert note.reason == "ServiceNotFound"
    assert note.where.startswith("spec.vllmEndpoints[0]")
    assert note.remedy


def test_a_decision_names_the_model_and_the_model_the_backend_that_is_not_well() -> None:
    found = picture(model("qwen"), backends=[backend(ready=False)])
    assert vertex(found, "decision/maths").notes[0].remedy == "See model qwen"
    assert vertex(found, "model/qwen").notes[0].remedy == "See backend qwen"


def test_a_model_that_was_left_one_way_of_two_is_no_broken_one() -> None:
    lost, well = backend(ready=False), backend()
    other = Backend(replace(well.endpoint, name="other"), "service", 1)
    found = picture(model("qwen"), has_envoy=False, backends=[lost, other])
    assert vertex(found, "model/qwen").state is State.WARNING


def test_nothing_is_claimed_where_no_pod_answers() -> None:
    found = picture(model("qwen"), pods=[Pod("p", why="you may not forward ports")])
    qwen = vertex(found, "model/qwen")
    assert (qwen.state, qwen.counts) == (State.UNKNOWN, None)
    assert vertex(found, "decision/maths").state is State.UNKNOWN


def test_without_an_envoy_a_model_is_as_its_backends_are() -> None:
    well = picture(model("qwen"), has_envoy=False)
    assert vertex(well, "model/qwen").state is State.OK
    lost = picture(model("qwen"), has_envoy=False, backends=[backend(ready=False)])
    assert vertex(lost, "model/qwen").state is State.BROKEN
    nowhere = picture(model("qwen"), has_envoy=False, backends=[])
    assert vertex(nowhere, "model/qwen").state is State.UNKNOWN


def test_models_stand_in_the_order_of_their_decisions() -> None:
    found = picture(
        model("c", decisions=()), model("b", decisions=("two",)), model("a", decisions=("one",))
    )
    names = [item.name for item in found.vertices if item.column == "model"]
    assert names == ["b", "a", "c"]


def test_the_router_counts_what_all_its_models_count() -> None:
    one, two = Traffic(requests=3), Traffic(requests=4)
    found = picture(model("a", GOOD, traffic=one), model("b", GOOD, traffic=two))
    assert vertex(found, "router").counts == Traffic(requests=7)


def test_a_router_in_the_list_says_its_reason() -> None:
    wrong = {"type": "Degraded", "status": "True", "reason": "InvalidSpec", "message": "No."}
    said = graph.summary(resource(phase="Degraded", conditions=[wrong]), NOW)
    assert (said["namespace"], said["name"]) == ("n", "r")
    assert (said["state"], said["reason"]) == (State.BROKEN, "InvalidSpec")
    assert graph.summary(resource(), NOW)["state"] is State.OK


def test_a_router_that_the_operator_has_not_seen_is_no_broken_one() -> None:
    said = graph.summary({"metadata": {"name": "r", "namespace": "n"}, "spec": {}}, NOW)
    assert said["state"] is State.WAITING


def test_a_decision_has_its_matches_and_the_map_says_where_there_are_none() -> None:
    view = View(Router(resource()), backends=[backend()])
    counted = Live("n", "r", True, (model("qwen", GOOD),), ANSWERS, matches={"maths": 3.0})
    found = graph.graph(view, counted, NOW)
    assert (vertex(found, "decision/maths").matches, found.remarks) == (3.0, ())

    silent = graph.graph(view, replace(counted, matches=None), NOW)
    assert vertex(silent, "decision/maths").matches is None
    assert "metrics do not name them" in silent.remarks[0]
    dead = graph.graph(view, replace(counted, matches=None, pods=(Pod("p", why="gone"),)), NOW)
    assert "no pod of the router answers" in dead.remarks[0]
