"""Guard, tools and cache: `enabled: true` acts on every request that the release lets it act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]

ENDPOINTS = [
    {
        "name": "a",
        "model": "m",
        "reasoningFamily": "qwen3",
        "backend": {"type": "service", "service": {"name": "a", "port": 8000}},
    }
]
TOOLS = [{"name": "weather", "description": "Tells the weather"}]
ALL_ON = {
    "prompt_guard": {"enabled": True, "threshold": 0.9},
    "tools": {"enabled": True},
    "response_cache": {"enabled": True},
}
KEYWORDS = {"keywords": [{"name": "k", "operator": "OR", "keywords": ["law"]}]}
LAW = {
    "name": "law",
    "priority": 5,
    "rules": {"operator": "AND", "conditions": [{"type": "keyword", "name": "k"}]},
    "modelRefs": [{"model": "m", "use_reasoning": True}],
}
CACHE_PLUGIN = {
    "0.3": {"type": "semantic-cache", "configuration": {"enabled": True}},
    "0.4": {"type": "response_cache", "configuration": {"enabled": True, "scope": "global"}},
}
CACHE_PLUGIN["0.5"] = CACHE_PLUGIN["0.4"]
TOOLS_PLUGIN = {"type": "tools", "configuration": {"enabled": True}}
# A router 0.3 never loads its tools.
TOOLS_PLUGINS = {"0.3": [], "0.4": [TOOLS_PLUGIN], "0.5": [TOOLS_PLUGIN]}


@pytest.fixture(params=sorted(CONTRACTS))
def contract(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def routing(make_router: MakeRouter, contract: str) -> Callable[..., dict[str, Any]]:
    """Of the config.yaml of a router with one model and some tools."""

    def written(config: dict[str, Any], tools: Any = TOOLS) -> dict[str, Any]:
        router = make_router(
            {"contract": contract, **config}, vllmEndpoints=ENDPOINTS, toolsDb=tools
        )
        document: dict[str, Any] = render(router, Facts())["routing"]
        return document

    return written


def by_name(routing: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {decision["name"]: decision for decision in routing.get("decisions") or []}


def with_own(*decisions: dict[str, Any], **routing: Any) -> dict[str, Any]:
    return {"routing": {"signals": KEYWORDS, "decisions": list(decisions), **routing}}


def test_without_a_feature_nothing_is_added(routing: Callable[..., dict[str, Any]]) -> None:
    off = {name: {"enabled": False} for name in ALL_ON}
    assert routing({}) == {"modelCards": [{"name": "m"}]}
    assert routing(off) == {"modelCards": [{"name": "m"}]}


def test_a_guard_answers_in_place_of_a_model(routing: Callable[..., dict[str, Any]]) -> None:
    written = routing({"prompt_guard": {"enabled": True, "threshold": 0.9}})
    assert written["signals"]["jailbreak"] == [{"name": "prompt_guard", "threshold": 0.9}]
    (decision,) = written["decisions"]
    assert decision["rules"]["conditions"] == [{"type": "jailbreak", "name": "prompt_guard"}]
    assert [plugin["type"] for plugin in decision["plugins"]] == ["fast_response"]


def test_a_guard_without_a_threshold_has_the_routers(
    routing: Callable[..., dict[str, Any]],
) -> None:
    written = routing({"prompt_guard": {"enabled": True}})
    assert written["signals"]["jailbreak"][0]["threshold"] == 0.7


def test_tools_and_cache_act_on_requests_that_no_decision_is_for(
    routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    decision = by_name(routing(ALL_ON))["every_request"]
    assert decision["rules"] == {"operator": "AND", "conditions": []}
    assert decision["plugins"] == [*TOOLS_PLUGINS[contract], CACHE_PLUGIN[contract]]
    # As without the decision: the default model, which thinks unless it is told not to.
    assert decision["modelRefs"] == [{"model": "m", "use_reasoning": True}]


def test_tools_and_cache_act_in_the_users_decisions_too(
    routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    own = by_name(routing({**ALL_ON, **with_own(LAW)}))["law"]
    assert own["plugins"] == [*TOOLS_PLUGINS[contract], CACHE_PLUGIN[contract]]
    assert {key: own[key] for key in LAW} == LAW


def test_a_decision_is_left_out_by_a_plugin_of_its_own(
    routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    plugins = [
        {"type": "tools", "configuration": {"enabled": False}},
        {**CACHE_PLUGIN[contract], "configuration": {"enabled": False}},
    ]
    own = by_name(routing({**ALL_ON, **with_own({**LAW, "plugins": plugins})}))["law"]
    assert own["plugins"] == plugins


@pytest.mark.parametrize("kind", ["memory", "rag"])
def test_answers_made_for_one_user_are_not_cached(
    kind: str, routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    plugin = {"type": kind, "configuration": {"enabled": True}}
    own = by_name(routing({**ALL_ON, **with_own({**LAW, "plugins": [plugin]})}))["law"]
    assert own["plugins"] == [plugin, *TOOLS_PLUGINS[contract]]


def test_a_guard_comes_before_and_the_rest_after_every_decision_of_the_users(
    routing: Callable[..., dict[str, Any]],
) -> None:
    others = [{**LAW, "name": str(number), "priority": number} for number in (5000, 0, -7)]
    decisions = by_name(routing({**ALL_ON, **with_own(*others)}))
    assert decisions["prompt_guard"]["priority"] > 5000
    assert decisions["every_request"]["priority"] < -7


@pytest.mark.parametrize(
    "config",
    [
        {"global": {"router": {"strategy": "confidence"}}, **with_own(LAW)},
        with_own({**LAW, "tier": 2}),
    ],
)
def test_a_guard_is_the_surest_where_the_surest_wins(
    config: dict[str, Any], routing: Callable[..., dict[str, Any]]
) -> None:
    guard = by_name(routing({**ALL_ON, **config}))["prompt_guard"]
    attack = {"type": "jailbreak", "name": "prompt_guard"}
    inner = {"operator": "NOT", "conditions": [attack]}
    assert guard["rules"] == {"operator": "NOT", "conditions": [inner]}
    assert "tier" not in guard


def test_among_tiers_the_rest_is_what_no_decision_matches(
    routing: Callable[..., dict[str, Any]],
) -> None:
    rest = by_name(routing({**ALL_ON, **with_own({**LAW, "tier": 2})}))["every_request"]
    others = {"operator": "OR", "conditions": [LAW["rules"]]}
    assert rest["rules"] == {"operator": "NOT", "conditions": [others]}


def test_a_guard_of_the_users_own_is_left_alone(routing: Callable[..., dict[str, Any]]) -> None:
    guard = {
        **LAW,
        "rules": {
            "operator": "AND",
            "conditions": [
                {"operator": "NOT", "conditions": [{"type": "jailbreak", "name": "mine"}]}
            ],
        },
    }
    signals = {"jailbreak": [{"name": "mine", "threshold": 0.5}]}
    written = routing({**ALL_ON, **with_own(guard, signals=signals)})
    assert written["signals"]["jailbreak"] == signals["jailbreak"]
    assert set(by_name(written)) == {"law", "every_request"}


def test_a_decision_that_matches_everything_needs_no_other(
    routing: Callable[..., dict[str, Any]],
) -> None:
    catch_all = {**LAW, "rules": {"operator": "AND", "conditions": []}}
    assert set(by_name(routing({**ALL_ON, **with_own(catch_all)}))) == {"prompt_guard", "law"}


def test_a_decision_of_the_users_with_one_of_our_names_stands(
    routing: Callable[..., dict[str, Any]],
) -> None:
    own = [{**LAW, "name": "prompt_guard"}, {**LAW, "name": "every_request"}]
    decisions = by_name(routing({**ALL_ON, **with_own(*own)}))
    assert [decisions[name]["rules"] for name in decisions] == [LAW["rules"]] * 2


def test_without_tools_those_that_clients_bring_are_left_alone(
    make_router: MakeRouter, routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    assert "decisions" not in routing({"tools": {"enabled": True}}, tools=[])
    router = make_router({"contract": contract, "tools": {"enabled": True}})
    told = {problem.field: problem for problem in problems(router, Facts())}
    assert told["spec.config.tools.enabled"].reason == "PartlyInEffect"
    elsewhere = {"tools": {"enabled": True, "tools_db_path": "/data/tools.json"}}
    offered = "every_request" in by_name(routing(elsewhere, tools=[]))
    assert offered == bool(TOOLS_PLUGINS[contract])


def test_tools_that_a_release_never_loads_take_none_away_and_are_told(
    make_router: MakeRouter, routing: Callable[..., dict[str, Any]], contract: str
) -> None:
    tools_on = {"tools": {"enabled": True}}
    plugins = [plugin for one in by_name(routing(tools_on)).values() for plugin in one["plugins"]]
    assert plugins == TOOLS_PLUGINS[contract]
    router = make_router({"contract": contract, **tools_on}, toolsDb=TOOLS)
    (problem,) = problems(router, Facts())
    assert (problem.field, problem.reason) == ("spec.config.tools.enabled", "PartlyInEffect")
    assert ("never load them" in problem.found) == (contract == "0.3")


def test_what_a_release_does_not_apply_to_named_models_is_told(
    make_router: MakeRouter, contract: str
) -> None:
    router = make_router({"contract": contract, **ALL_ON}, toolsDb=TOOLS)
    told = {problem.field: problem for problem in problems(router, Facts())}
    fields = {f"spec.config.{name}.enabled" for name in ALL_ON}
    unguarded = {"spec.config.prompt_guard.enabled"}
    assert set(told) == (fields - unguarded if contract == "0.3" else fields)
    assert not any(problem.blocking for problem in told.values())


def test_a_cache_that_does_not_tell_models_apart_is_told(make_router: MakeRouter) -> None:
    cache = {"response_cache": {"enabled": True}}
    (problem,) = problems(make_router({"contract": "0.3", **cache}), Facts())
    assert (problem.field, problem.blocking) == ("spec.config.response_cache.enabled", False)
    assert "does not tell models apart" in problem.found
    off = {"response_cache": {"enabled": False}}
    assert problems(make_router({"contract": "0.3", **off}), Facts()) == []


def test_a_cache_that_cannot_embed_is_told_and_not_asked(make_router: MakeRouter) -> None:
    embeddings = {
        "embedding_config": {"backend": "openai_compatible"},
        "endpoint": {"base_url": "http://embeddings:8000/v1"},
    }
    router = make_router({"embedding_models": embeddings, "response_cache": {"enabled": True}})
    (problem,) = problems(router, Facts())
    assert problem.field == "spec.config.response_cache.enabled"
    assert "every look-up fails" in problem.found
    assert "decisions" not in render(router, Facts())["routing"]


def test_each_recipe_is_guarded(make_router: MakeRouter) -> None:
    recipes = [{"name": "legal", "routing": {"signals": KEYWORDS, "decisions": [LAW]}}]
    router = make_router({**ALL_ON, "recipes": recipes}, vllmEndpoints=ENDPOINTS, toolsDb=TOOLS)
    document = render(router, Facts())
    expected = {"prompt_guard", "every_request"}
    assert set(by_name(document["routing"])) == expected
    assert set(by_name(document["recipes"][0]["routing"])) == {*expected, "law"}
    # Nothing of the user's object has changed on the way.
    assert recipes[0]["routing"]["decisions"] == [LAW]


def test_a_default_recipe_has_no_routing_beside_it(make_router: MakeRouter) -> None:
    recipes = [{"name": "default", "routing": {"signals": KEYWORDS, "decisions": [LAW]}}]
    router = make_router({**ALL_ON, "recipes": recipes}, vllmEndpoints=ENDPOINTS, toolsDb=TOOLS)
    document = render(router, Facts())
    assert set(document["routing"]) == {"modelCards"}
    assert "prompt_guard" in by_name(document["recipes"][0]["routing"])


def test_of_recipes_a_router_without_models_has_no_default_model(make_router: MakeRouter) -> None:
    document = render(make_router(ALL_ON, toolsDb=TOOLS), Facts())
    assert by_name(document["routing"])["every_request"]["modelRefs"] == []


def test_a_guard_by_way_of_a_projection_is_left_alone(
    routing: Callable[..., dict[str, Any]],
) -> None:
    projections = {"scores": [{"name": "s", "inputs": [{"type": "jailbreak", "name": "mine"}]}]}
    written = routing({**ALL_ON, **with_own(LAW, projections=projections)})
    assert "prompt_guard" not in by_name(written)
