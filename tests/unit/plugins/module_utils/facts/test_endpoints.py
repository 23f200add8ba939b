"""What several endpoints mean together."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    by_model,
    within_reach,
)


def endpoint(name: str, model: str, weight: int = 1) -> Endpoint:
    return Endpoint(name, model, weight, name, "ns", 80, "http", ready=True)


def test_models_and_their_endpoints_keep_the_order_of_the_spec() -> None:
    first, second, third = endpoint("1", "b"), endpoint("2", "a"), endpoint("3", "b")
    assert list(by_model([first, second, third]).items()) == [
        ("b", [first, third]),
        ("a", [second]),
    ]


def test_of_one_model_only_endpoints_at_one_path_get_requests() -> None:
    first = replace(endpoint("1", "a"), path="/apps/llama")
    same, other = replace(first, name="2"), endpoint("3", "a")
    unknown = replace(endpoint("0", "a"), service="", namespace="", ready=False, reason="Gone")
    another = endpoint("4", "b")
    found = within_reach([unknown, first, same, other, another])
    assert [found[0], found[1], found[2], found[4]] == [unknown, first, same, another]
    assert (found[3].address, found[3].ready) == ("", False)
    assert found[3].reason == "BackendOutOfReach"
    assert found[3].message == "it is at 3.ns.svc:80, and other endpoints of a are at /apps/llama"


def test_what_is_outside_of_the_cluster_is_used_only_where_routes_lead_out() -> None:
    outside = Endpoint("1", "a", 1, "", "", 443, "https", ready=True, server_name="llm.example")
    assert within_reach([outside]) == [outside]
    (found,) = within_reach([outside], outside=False)
    assert (found.address, found.ready, found.reason) == ("", False, "BackendOutOfReach")
