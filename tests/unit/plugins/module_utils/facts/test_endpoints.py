"""What several endpoints mean together."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    by_model,
)


def endpoint(name: str, model: str, weight: int = 1) -> Endpoint:
    return Endpoint(name, model, weight, name, "ns", 80, "http", ready=True)


def test_models_and_their_endpoints_keep_the_order_of_the_spec() -> None:
    first, second, third = endpoint("1", "b"), endpoint("2", "a"), endpoint("3", "b")
    assert list(by_model([first, second, third]).items()) == [
        ("b", [first, third]),
        ("a", [second]),
    ]
