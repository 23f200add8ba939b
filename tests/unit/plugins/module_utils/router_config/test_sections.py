"""The sections of spec.config: numbers, older names, merging and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    problems,
    render,
    tools_database,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]
OURS = "/etc/semantic-router/tools_db.json"


def rendered(router: Router) -> dict[str, Any]:
    return render(router, Facts())


def fields(router: Router, blocking: bool = True) -> set[str]:
    return {p.field for p in problems(router, Facts()) if p.blocking is blocking}


@pytest.mark.parametrize("given", ["0.6", 0.6])
def test_threshold_is_a_number_however_it_was_written(
    given: str | float, make_router: MakeRouter
) -> None:
    router = make_router({"prompt_guard": {"threshold": given}})
    guard = rendered(router)["global"]["model_catalog"]["modules"]["prompt_guard"]
    assert guard["threshold"] == 0.6
    assert isinstance(guard["threshold"], float)


@pytest.mark.parametrize("given", ["high", "1.5", -0.1, True, "0,7", [0.5]])
def test_bad_threshold_is_told_with_its_field(given: Any, make_router: MakeRouter) -> None:
    router = make_router({"classifier": {"category_model": {"threshold": given}}})
    assert fields(router) == {"spec.config.classifier.category_model.threshold"}


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_a_decision_without_priority_has_the_one_that_the_router_takes_it_for(
    contract: str, make_router: MakeRouter
) -> None:
    decision = {"name": "all", "rules": {"operator": "OR", "conditions": []}}
    routing = {"decisions": [decision, {**decision, "name": "first", "priority": 7}]}
    written = rendered(make_router({"contract": contract, "routing": routing}))["routing"]
    assert [item["priority"] for item in written["decisions"]] == [0, 7]
    assert "priority" not in decision


def test_a_key_with_nothing_behind_it_asks_for_nothing(make_router: MakeRouter) -> None:
    decision: dict[str, Any] = {
        "name": "all", "rules": {"operator": "OR", "conditions": []},
        "modelRefs": [{"model": "llama3-8b"}],
    }  # fmt: skip
    asked: dict[str, Any] = {
        "prompt_guard": {"enabled": True, "threshold": None},
        "routing": {"decisions": [{**decision, "plugins": None}], "signals": None},
        "global": None,
    }
    plain = {"prompt_guard": {"enabled": True}, "routing": {"decisions": [decision]}}
    assert problems(make_router(asked), Facts()) == problems(make_router(plain), Facts())
    assert rendered(make_router(asked)) == rendered(make_router(plain))


def test_threshold_inside_an_algorithm_may_be_negative(make_router: MakeRouter) -> None:
    decision = {
        "name": "all",
        "rules": {"operator": "AND", "conditions": []},
        "algorithm": {"type": "confidence", "confidence": {"threshold": "-1.5"}},
    }
    router = make_router({"decisions": [decision]})
    assert problems(router, Facts()) == []
    (written,) = rendered(router)["routing"]["decisions"]
    assert written["algorithm"]["confidence"]["threshold"] == -1.5


def test_absent_sections_are_left_to_the_router(make_router: MakeRouter) -> None:
    document = rendered(make_router({}))
    assert set(document) == {"version", "listeners", "routing", "global"}
    assert set(document["global"]) == {"integrations", "services"}
    assert set(document["global"]["integrations"]) == {"looper"}


def test_bert_model_fills_what_embedding_models_leaves_open(make_router: MakeRouter) -> None:
    router = make_router(
        {
            "contract": "0.4",
            "bert_model": {"model_id": "models/light", "threshold": "0.6", "use_cpu": True},
            "embedding_models": {
                "use_cpu": False,
                "embedding_config": {"model_type": "mmbert", "min_score_threshold": "0.4"},
            },
        }
    )
    semantic = rendered(router)["global"]["model_catalog"]["embeddings"]["semantic"]
    assert semantic["bert_model_path"] == "models/light"
    assert semantic["use_cpu"] is False
    assert semantic["embedding_config"]["min_score_threshold"] == 0.4


def test_older_name_of_the_cache_works(make_router: MakeRouter) -> None:
    older = rendered(make_router({"semantic_cache": {"max_entries": 7}}))
    assert older["global"]["stores"]["response_cache"]["max_entries"] == 7


def test_0_3_keeps_the_cache_under_its_older_name(make_router: MakeRouter) -> None:
    router = make_router({"response_cache": {}}, image={"tag": "v0.3.0"})
    assert set(rendered(router)["global"]["stores"]) == {"semantic_cache"}


def test_guard_on_a_server_names_the_one_external_guard_model(make_router: MakeRouter) -> None:
    guard = {"prompt_guard": {"protocol": "http_chat"}}
    assert fields(make_router(guard)) == {"spec.config.prompt_guard.protocol"}
    external = [{"name": "llama-guard", "model_role": "guardrail"}]
    router = make_router({**guard, "global": {"model_catalog": {"external": external}}})
    assert not fields(router)
    module = rendered(router)["global"]["model_catalog"]["modules"]["prompt_guard"]
    assert module["backend"] == {
        "protocol": "http_chat",
        "contract": "label_decision.v1",
        "model": "llama-guard",
    }
    assert "protocol" not in module


def test_guard_that_must_block_is_not_rendered_for_a_release_that_lets_pass(
    make_router: MakeRouter,
) -> None:
    router = make_router({"contract": "0.3", "prompt_guard": {"on_error": "block"}})
    assert fields(router) == {"spec.config.prompt_guard.on_error"}


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_unknown_key_is_told_and_not_dropped(contract: str, make_router: MakeRouter) -> None:
    router = make_router({"contract": contract, "semantic_cash": {"enabled": True}})
    assert fields(router) == {"spec.config.semantic_cash"}
    assert rendered(router)["semantic_cash"] == {"enabled": True}


def test_another_layout_version_is_refused(make_router: MakeRouter) -> None:
    assert fields(make_router({"version": "v0.9"})) == {"spec.config.version"}


def test_leaves_of_the_whole_document_win(make_router: MakeRouter) -> None:
    router = make_router(
        {
            "response_cache": {"max_entries": 5, "ttl_seconds": 60},
            "global": {"stores": {"response_cache": {"max_entries": 6, "polarity_guard": {}}}},
        }
    )
    cache = rendered(router)["global"]["stores"]["response_cache"]
    assert (cache["max_entries"], cache["ttl_seconds"]) == (6, 60)
    assert cache["polarity_guard"] == {}


def test_lists_of_named_things_are_merged_by_name(make_router: MakeRouter) -> None:
    rules = {"operator": "AND", "conditions": []}
    router = make_router(
        {
            "decisions": [{"name": "a", "rules": rules}, {"name": "b", "rules": rules}],
            "routing": {"decisions": [{"name": "b", "priority": 9}, {"name": "c", "priority": 1}]},
        }
    )
    decisions = rendered(router)["routing"]["decisions"]
    assert [(d["name"], d["priority"]) for d in decisions] == [("a", 0), ("b", 9), ("c", 1)]
    assert decisions[1]["rules"] == rules


def test_listeners_of_the_user_replace_ours(make_router: MakeRouter) -> None:
    listeners = [{"name": "mine", "address": "127.0.0.1", "port": 8080}]
    assert rendered(make_router({"listeners": listeners}))["listeners"] == listeners


def test_listener_has_the_port_that_envoy_listens_on(make_router: MakeRouter) -> None:
    router = make_router(service={"api": {"targetPort": 9000}})
    assert rendered(router)["listeners"][0]["port"] == 9000


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, OURS),
        ({"tools_db_path": "config/tools_db.json"}, OURS),
        ({"tools_db_path": "/data/tools.json"}, "/data/tools.json"),
    ],
)
def test_tools_are_looked_for_in_our_file_unless_the_user_has_another(
    given: dict[str, Any], expected: str, make_router: MakeRouter
) -> None:
    flat = rendered(make_router({"tools": given}))
    whole = rendered(make_router({"global": {"integrations": {"tools": given}}}))
    for document in (flat, whole):
        assert document["global"]["integrations"]["tools"]["tools_db_path"] == expected


def test_tools_are_nested_whichever_form_they_had() -> None:
    function = {"name": "f", "description": "does", "parameters": {"type": "object"}}
    nested = {"tool": {"type": "function", "function": function}, "category": "c", "tags": ["t"]}
    flat = {**function, "category": "c", "tags": ["t"]}
    first, second = tools_database({"toolsDb": [nested, flat]})
    assert first == nested
    assert second == {**nested, "description": "does"}


def test_names_that_nothing_declares_are_told_with_what_is_declared(
    make_router: MakeRouter, endpoint: Callable[..., dict[str, Any]]
) -> None:
    conditions = [
        {"type": "keyword", "name": "urgent"},
        {"type": "complexity", "name": "code"},
        {"type": "domain", "name": "law"},
    ]
    decision = {
        "name": "d",
        "rules": {"operator": "AND", "conditions": conditions},
        "modelRefs": [{"model": "nobody"}],
    }
    rule = {"name": "code", "hard": {"candidates": ["x"]}, "easy": {"candidates": ["y"]}}
    router = make_router(
        {
            "decisions": [decision],
            "complexity_rules": [rule],
            "routing": {
                "signals": {"keywords": [{"name": "later", "operator": "OR", "keywords": ["l"]}]}
            },
        },
        vllmEndpoints=[endpoint("a", "one")],
    )
    told = {problem.field: problem.remedy for problem in problems(router, Facts())}
    place = "spec.config.decisions[0]"
    assert set(told) == {
        f"{place}.modelRefs[0].model",
        f"{place}.rules.conditions[0].name",
        f"{place}.rules.conditions[1].name",
    }
    assert "later" in told[f"{place}.rules.conditions[0].name"]
    assert "code:hard" in told[f"{place}.rules.conditions[1].name"]


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"operator": "AND", "conditions": 7}, "conditions"),
        ({"operator": "AND", "conditions": ["code"]}, "conditions[0]"),
        ({"operator": "NOT", "conditions": [{"conditions": [{"type": "authz", "name": []}]}]},
         "conditions[0].conditions[0].name"),
    ],
)  # fmt: skip
def test_a_rule_of_the_routers_own_document_with_another_shape_is_told(
    rules: dict[str, Any], field: str, make_router: MakeRouter
) -> None:
    router = make_router({"routing": {"decisions": [{"name": "all", "rules": rules}]}})
    (problem,) = problems(router, Facts())
    assert problem.field == f"spec.config.routing.decisions[0].rules.{field}"


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
@pytest.mark.parametrize(
    "junk",
    [
        {"providers": "x"},
        {"providers": {"models": "x"}},
        {"providers": {"models": ["x", {}]}},
        {"providers": {"defaults": []}},
        {"routing": []},
        {"routing": {"modelCards": {"name": "x"}}},
        {"routing": {"signals": {"keywords": [1]}}},
        {"routing": {"decisions": [{"name": "a", "modelRefs": "x"}]}},
        {"routing": {"decisions": [{"name": "a", "rules": ["x"]}]}},
        {"routing": {"projections": {"mappings": [{"outputs": 1}]}}},
        {"global": "x"},
        {"global": {"integrations": "x"}},
    ],
)
def test_wrong_shapes_are_told_and_raise_nothing(
    junk: dict[str, Any], contract: str, make_router: MakeRouter
) -> None:
    told = problems(make_router({"contract": contract, **junk}), Facts())
    assert told
    (section,) = junk
    assert all(problem.field.startswith(f"spec.config.{section}") for problem in told)


def test_empty_parts_count_as_absent(make_router: MakeRouter) -> None:
    router = make_router({"providers": None, "routing": None, "global": None})
    assert problems(router, Facts()) == []
    assert rendered(router) == rendered(make_router({}))


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_the_router_takes_messages_of_the_size_that_envoy_sends(
    contract: str, make_router: MakeRouter
) -> None:
    looper = rendered(make_router({"contract": contract}))["global"]["integrations"]["looper"]
    # A message has more in it than a body.
    assert looper["grpc_max_msg_size_mb"] * 2**20 > BODY_LIMIT_BYTES


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_the_router_asks_models_through_the_envoy_beside_it(
    contract: str, make_router: MakeRouter
) -> None:
    router = make_router({"contract": contract}, service={"metrics": {"targetPort": 8899}})
    looper = rendered(router)["global"]["integrations"]["looper"]
    assert looper["endpoint"] == "http://127.0.0.1:8900/v1/chat/completions"
    mine = "http://models.example.com/v1/chat/completions"
    given = {"integrations": {"looper": {"endpoint": mine, "timeout_seconds": 60}}}
    looper = rendered(make_router({"contract": contract, "global": given}))["global"]
    assert looper["integrations"]["looper"] == {
        "endpoint": mine,
        "grpc_max_msg_size_mb": 64,
        "timeout_seconds": 60,
    }


def test_a_message_limit_below_that_of_bodies_is_told(make_router: MakeRouter) -> None:
    given = {"integrations": {"looper": {"grpc_max_msg_size_mb": 16}}}
    (problem,) = problems(make_router({"global": given}), Facts())
    assert problem.field == "spec.config.global.integrations.looper.grpc_max_msg_size_mb"
    assert "above 16 MiB fail" in problem.found
    assert not problem.blocking


def asking(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A signal, and a decision on it that chooses among two models in this way."""
    rules = {"operator": "OR", "conditions": [{"type": "keyword", "name": kind}]}
    models = [{"model": "a", "use_reasoning": False}, {"model": "b", "use_reasoning": False}]
    return (
        {"name": kind, "operator": "OR", "keywords": [kind]},
        {"name": kind, "rules": rules, "modelRefs": models, "algorithm": {"type": kind}},
    )


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_algorithms_that_ask_models_are_told_of_in_gateway_mode(
    contract: str, make_router: MakeRouter, endpoint: Callable[..., dict[str, Any]]
) -> None:
    signals, decisions = zip(*map(asking, ("static", "ratings", "confidence")), strict=True)
    config = {
        "contract": contract,
        "routing": {"signals": {"keywords": list(signals)}},
        "decisions": list(decisions),
    }
    spec = {
        "vllmEndpoints": [endpoint("a", "a"), endpoint("b", "b")],
        "gateway": {"existingRef": {"name": "public", "namespace": "default"}},
    }
    router = make_router(config, **spec)
    looper = rendered(router)["global"]["integrations"]["looper"]
    assert "endpoint" not in looper
    decision = "spec.config.decisions"
    assert fields(router, blocking=False) == {
        f"{decision}[1].algorithm",
        f"{decision}[2].algorithm",
    }
    assert fields(router) == set()

    looper = {"endpoint": "http://gateway.example.com/v1/chat/completions"}
    with_address = {**config, "global": {"integrations": {"looper": looper}}}
    assert problems(make_router(with_address, **spec), Facts()) == []


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"global": {"services": "on"}}, "global.services"),
        ({"global": {"services": {"response_api": True}}}, "global.services.response_api"),
        (
            {"global": {"services": {"observability": {"tracing": "on"}}}},
            "global.services.observability.tracing",
        ),
        ({"global": {"stores": {"memory": True}}}, "global.stores.memory"),
        ({"global": {"integrations": {"tools": True}}}, "global.integrations.tools"),
        (
            {"global": {"model_catalog": {"modules": {"prompt_guard": True}}}},
            "global.model_catalog.modules.prompt_guard",
        ),
        ({"recipes": {"a": 1}}, "recipes"),
        ({"recipes": [{"name": "a", "routing": "x"}]}, "recipes[0].routing"),
        (
            {"recipes": [{"name": "a", "routing": {"decisions": [{"name": "d", "rules": 1}]}}]},
            "recipes[0].routing.decisions[0].rules",
        ),
    ],
)
def test_a_part_of_the_wrong_shape_is_told_before_anything_is_made_of_it(
    config: dict[str, Any], field: str, make_router: MakeRouter
) -> None:
    features = {name: {"enabled": True} for name in ("prompt_guard", "tools", "response_cache")}
    assert fields(make_router({**features, **config})) == {f"spec.config.{field}"}


@pytest.mark.parametrize("contract", ["0.4", "0.5"])
def test_external_models_that_are_no_list_are_told(contract: str, make_router: MakeRouter) -> None:
    guard = {"prompt_guard": {"protocol": "http_chat"}}
    router = make_router(
        {"contract": contract, "global": {"model_catalog": {"external": 7}}, **guard}
    )
    assert "spec.config.global.model_catalog.external" in fields(router)
