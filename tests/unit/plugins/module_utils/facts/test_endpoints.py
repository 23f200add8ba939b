"""What several endpoints mean together."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.endpoints import (
    default_model,
    models,
)


def endpoint(name: str, model: str, weight: int = 1) -> Endpoint:
    return Endpoint(name, model, weight, f"{name}.ns.svc", 80, "http", ready=True)


def test_models_and_their_endpoints_keep_the_order_of_the_spec() -> None:
    first, second, third = endpoint("1", "b"), endpoint("2", "a"), endpoint("3", "b")
    assert list(models([first, second, third]).items()) == [("b", [first, third]), ("a", [second])]


def test_the_default_model_has_the_highest_total_weight() -> None:
    assert default_model([endpoint("1", "a", 3), endpoint("2", "b", 2), endpoint("3", "b", 2)]) == (
        "b"
    )


def test_the_first_listed_model_wins_a_tie() -> None:
    assert default_model([endpoint("1", "b"), endpoint("2", "a")]) == "b"


def test_there_is_no_default_model_without_endpoints() -> None:
    assert default_model([]) == ""


def test_an_endpoint_that_is_not_there_still_counts() -> None:
    gone = Endpoint("2", "b", 5, "", 0, "http", ready=False)
    assert default_model([endpoint("1", "a"), gone]) == "b"
