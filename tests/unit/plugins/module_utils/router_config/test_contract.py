"""spec.vllmEndpoints in both contracts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Build = Callable[..., dict[str, Any]]
MakeRouter = Callable[..., Router]
FactsOf = Callable[[Router], Facts]


@pytest.fixture
def providers(make_router: MakeRouter, facts_of: FactsOf) -> Build:
    def build(endpoints: list[dict[str, Any]], contract: str = "0.4", **config: Any) -> Any:
        router = make_router({"contract": contract, **config}, vllmEndpoints=endpoints)
        return render(router, facts_of(router))["providers"]

    return build


def test_default_model_has_the_highest_total_weight(providers: Build, endpoint: Build) -> None:
    entries = [
        endpoint("a", "one", weight=3),
        endpoint("b", "two", weight=2),
        endpoint("c", "two", weight=2),
    ]
    assert providers(entries)["defaults"] == {"model": "two"}
    assert providers(entries, "0.3")["defaults"]["default_model"] == "two"


def test_first_listed_model_is_the_default_on_a_tie(providers: Build, endpoint: Build) -> None:
    entries = [endpoint("a", "zebra", weight=2), endpoint("b", "ant", weight=2)]
    assert providers(entries)["defaults"]["model"] == "zebra"


def test_default_model_of_the_user_wins(providers: Build, endpoint: Build) -> None:
    entries = [endpoint("a", "one", weight=9), endpoint("b", "two")]
    given = {"defaults": {"model": "two"}}
    assert providers(entries, providers=given)["defaults"]["model"] == "two"


def test_backends_of_a_model_keep_their_weights(providers: Build, endpoint: Build) -> None:
    (model,) = providers([endpoint("a", "one", weight=80), endpoint("b", "one", weight=20)])[
        "models"
    ]
    assert [(ref["name"], ref["weight"]) for ref in model["backend_refs"]] == [("a", 80), ("b", 20)]


def test_0_4_lists_only_backends_that_its_release_puts_into_one_cluster(
    make_router: MakeRouter, endpoint: Build
) -> None:
    router = make_router(vllmEndpoints=[endpoint(name, "one") for name in "abc"])
    facts = Facts(
        endpoints=[
            Endpoint("a", "one", 1, "a", "default", 443, "https", ready=True),
            Endpoint("b", "one", 1, "b", "default", 443, "https", ready=True),
            Endpoint("c", "one", 1, "c", "default", 8000, "http", ready=True),
        ]
    )
    (model,) = render(router, facts)["providers"]["models"]
    assert [ref["name"] for ref in model["backend_refs"]] == ["a"]


def test_unresolved_backend_is_left_out_beside_a_resolved_one(
    make_router: MakeRouter, endpoint: Build
) -> None:
    router = make_router(vllmEndpoints=[endpoint("gone", "one"), endpoint("here", "one")])
    facts = Facts(
        endpoints=[
            Endpoint("gone", "one", 1, "", "", 0, "http", ready=False),
            Endpoint("here", "one", 1, "here", "default", 8000, "http", ready=True),
        ]
    )
    for contract in ("0.3", "0.4"):
        router.spec.setdefault("config", {})["contract"] = contract
        (model,) = render(router, facts)["providers"]["models"]
        assert [ref["name"] for ref in model["backend_refs"]] == ["here"]


def test_model_without_any_address_stays_known(providers: Build) -> None:
    backend = {"type": "llamastack", "discoveryLabels": {"app": "stack"}}
    for contract in ("0.3", "0.4"):
        (model,) = providers([{"name": "s", "model": "one", "backend": backend}], contract)[
            "models"
        ]
        assert model["backend_refs"][0]["endpoint"].endswith(".invalid:80")


def test_known_family_is_supplied_when_a_model_names_it(providers: Build, endpoint: Build) -> None:
    entries = [endpoint("a", "one", reasoningFamily="qwen3")]
    assert providers(entries)["models"][0]["reasoning"] == {"family": "qwen3"}
    assert providers(entries, "0.3")["defaults"]["reasoning_families"] == {
        "qwen3": {"type": "chat_template_kwargs", "parameter": "enable_thinking"}
    }


def test_definition_of_the_user_beats_a_known_family(providers: Build, endpoint: Build) -> None:
    entries = [endpoint("a", "one", reasoningFamily="qwen3")]
    mine = {"qwen3": {"type": "reasoning_effort", "parameter": "budget"}}
    reasoning = providers(entries, reasoning_families=mine)["models"][0]["reasoning"]
    assert reasoning["parameter"] == "budget"
    assert "disabled" in reasoning["modes"]


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_unknown_family_is_told_with_the_known_ones(
    contract: str, make_router: MakeRouter, facts_of: FactsOf, endpoint: Build
) -> None:
    entries = [endpoint("a", "one"), endpoint("b", "two", reasoningFamily="qwen33")]
    router = make_router({"contract": contract}, vllmEndpoints=entries)
    (problem,) = problems(router, facts_of(router))
    assert problem.field == "spec.vllmEndpoints[1].reasoningFamily"
    assert problem.blocking
    assert "qwen3" in problem.found
    assert "gpt-oss" in problem.found


def test_endpoints_of_a_model_that_disagree_on_the_family_are_told_of(
    make_router: MakeRouter, facts_of: FactsOf, endpoint: Build
) -> None:
    entries = [
        endpoint("a", "one", reasoningFamily="qwen3"),
        endpoint("b", "one", reasoningFamily="gpt"),
    ]
    router = make_router(vllmEndpoints=entries)
    (problem,) = problems(router, facts_of(router))
    assert (problem.field, problem.blocking) == ("spec.vllmEndpoints[1].reasoningFamily", False)


def test_always_on_family_wants_decisions_to_reason(
    make_router: MakeRouter, facts_of: FactsOf, endpoint: Build
) -> None:
    decision = {
        "name": "all",
        "rules": {"operator": "AND", "conditions": []},
        "modelRefs": [{"model": "one"}],
    }
    router = make_router(
        {"decisions": [decision]}, vllmEndpoints=[endpoint("a", "one", reasoningFamily="gpt-oss")]
    )
    (problem,) = problems(router, facts_of(router))
    assert problem.field == "spec.config.decisions[0].modelRefs[0].use_reasoning"


def test_effort_that_0_4_would_refuse_is_left_out_and_told_of(
    make_router: MakeRouter, facts_of: FactsOf, endpoint: Build
) -> None:
    refs = [
        {"model": "one", "use_reasoning": True, "reasoning_effort": "high"},
        {"model": "two", "use_reasoning": False, "reasoning_effort": "high"},
        {"model": "two", "use_reasoning": True, "reasoning_effort": "high"},
    ]
    rules = {"operator": "AND", "conditions": []}
    router = make_router(
        {"decisions": [{"name": "all", "rules": rules, "modelRefs": refs}]},
        vllmEndpoints=[
            endpoint("a", "one", reasoningFamily="qwen3"),
            endpoint("b", "two", reasoningFamily="gpt"),
        ],
    )
    told = problems(router, facts_of(router))
    assert [problem.field for problem in told] == [
        "spec.config.decisions[0].modelRefs[0].reasoning_effort",
        "spec.config.decisions[0].modelRefs[1].reasoning_effort",
    ]
    assert not any(problem.blocking for problem in told)
    (decision,) = render(router, facts_of(router))["routing"]["decisions"]
    assert [ref.get("reasoning_effort") for ref in decision["modelRefs"]] == [None, None, "high"]
