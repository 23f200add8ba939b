"""Who reads each key, and what is said of keys that nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    effects,
    problems,
    schema,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from schema_walk import leaves

MakeRouter = Callable[..., Router]

CONFIG = crd.schema()["properties"]["spec"]["properties"]["config"]
FIELDS = sorted({".".join(s for s in steps if s not in ("[]", "*")) for steps, _ in leaves(CONFIG)})


def told(router: Router) -> dict[str, Problem]:
    return {problem.field: problem for problem in problems(router, Facts())}


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_of_the_crd_has_a_reader(field: str, contract: str) -> None:
    rows = list(effects.of_words(tuple(field.split(".")), CONTRACTS[contract]))
    # Parts of the document that only one contract has are in the CRD as well.
    elsewhere = field in ("evaluation", "entrypoints", "recipes") or field.startswith("setup")
    assert rows or elsewhere


def test_a_longer_row_wins() -> None:
    contract = CONTRACTS["0.4"]
    port = effects.of(("global", "services", "management_api", "port"), contract)
    roles = effects.of(("global", "services", "management_api", "auth", "roles"), contract)
    assert port is not None
    assert roles is not None
    assert (port.reader, roles.reader) == (effects.NOBODY, effects.ROUTER)


def test_a_part_that_a_release_adds_has_no_row() -> None:
    for place in (("global", "services", "new"), ("routing", "signals", "new", 0, "name")):
        assert effects.of(place, CONTRACTS["0.4"]) is None


def test_a_key_belongs_to_its_contract() -> None:
    place = ("global", "stores", "semantic_cache", "enabled")
    assert effects.of(place, CONTRACTS["0.3"])
    assert effects.of(place, CONTRACTS["0.4"]) is None


def test_the_routing_of_a_recipe_is_the_routing_of_a_document() -> None:
    place = ("recipes", 0, "routing", "signals", "keywords", 0, "name")
    assert effects.of(place, CONTRACTS["0.4"]) is effects.of(place[2:], CONTRACTS["0.4"])


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (
            {"listeners": [{"name": "a", "port": 8080, "api_keys": ["${KEY}"]}]},
            "spec.config.listeners[0].api_keys",
        ),
        (
            {"listeners": [{"name": "a", "port": 8080}, {"name": "b", "port": 9000}]},
            "spec.config.listeners[1]",
        ),
        (
            {"global": {"router": {"config_source": "kubernetes"}}},
            "spec.config.global.router.config_source",
        ),
        (
            {"global": {"router": {"clear_route_cache": False}}},
            "spec.config.global.router.clear_route_cache",
        ),
    ],
)
def test_what_nobody_would_do_is_refused_with_its_field(
    config: dict[str, Any], field: str, make_router: MakeRouter
) -> None:
    assert told(make_router(config))[field].blocking


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"listeners": [{"name": "a", "port": 8899}]}, "spec.config.listeners[0].port"),
        (
            {"global": {"services": {"management_api": {"port": 9000}}}},
            "spec.config.global.services.management_api.port",
        ),
        (
            {"global": {"router": {"streamed_body": {"enabled": True}}}},
            "spec.config.global.router.streamed_body.enabled",
        ),
        ({"streamed_body": {"enabled": True}}, "spec.config.streamed_body.enabled"),
    ],
)
def test_what_nobody_reads_is_told(
    config: dict[str, Any], field: str, make_router: MakeRouter
) -> None:
    problem = told(make_router(config))[field]
    assert (problem.reason, problem.blocking) == ("PartlyInEffect", False)


def test_a_key_of_which_nothing_is_known_is_not_said_to_be_in_effect(
    make_router: MakeRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the router's schema is not installed, which would refuse it."""
    monkeypatch.setattr(schema, "load", lambda _: None)
    audit = {"on": True, "sink": {"url": "http://audit"}}
    (problem,) = told(make_router({"global": {"services": {"audit": audit}}})).values()
    assert (problem.field, problem.blocking) == ("spec.config.global.services.audit", False)


def test_so_is_one_of_a_recipe_and_named_itself() -> None:
    canonical = {"recipes": [{"name": "a", "routing": {"signals": {"new": [{"a": 1}, {"b": 2}]}}}]}
    (place,) = (remark[0] for remark in effects.remarks(canonical, CONTRACTS["0.5"]))
    assert place == ("recipes", 0, "routing", "signals", "new")


def test_a_document_that_is_understood_has_no_remarks(make_router: MakeRouter) -> None:
    document = {
        "version": "v0.3",
        "listeners": [{"name": "a", "address": "0.0.0.0", "port": 8080}],  # noqa: S104
        "routing": {"signals": {"language": [{"name": "en", "description": "English"}]}},
        "global": {"router": {"clear_route_cache": True}},
    }
    assert told(make_router(document)) == {}


ALONE = [field for effect in effects.EFFECTS if effect.alone for field in effect.paths]


@pytest.mark.parametrize("field", ALONE)
def test_what_only_a_router_that_serves_alone_reads_has_a_row_for_the_others_too(
    field: str,
) -> None:
    place = tuple(0 if step == "*" else step for step in field.split("."))
    contract = CONTRACTS["0.5"]
    alone, asked = effects.of(place, contract, alone=True), effects.of(place, contract)
    assert alone
    assert asked
    assert (alone.alone, asked.alone) == (True, False)


def test_what_a_router_that_serves_alone_reads_is_in_effect_there_and_refused_elsewhere(
    make_router: MakeRouter,
) -> None:
    config = {
        "contract": "0.5",
        "listeners": [{"name": "public", "port": 8080, "models": ["m"]}],
    }
    fields = {"spec.config.listeners[0].models"}

    assert fields & told(make_router(config=config, gateway={"mode": "router"})).keys() == set()
    refused = told(make_router(config=config))
    assert fields <= {field for field, problem in refused.items() if problem.blocking}


def test_a_backend_by_another_name_is_named_where_only_the_router_could_ask_for_it(
    make_router: MakeRouter,
) -> None:
    entry = {
        "name": "llama",
        "model": "llama",
        "backend": {"type": "kserve", "inferenceServiceName": "llama"},
    }
    found = Facts(
        endpoints=[
            Endpoint(
                name="llama",
                model="llama",
                weight=1,
                service="kourier",
                namespace="knative",
                port=80,
                scheme="http",
                ready=True,
                server_name="llama.example.com",
            )
        ]
    )
    spec = {"vllmEndpoints": [entry], "config": {"contract": "0.5"}}
    alone = problems(make_router(**spec, gateway={"mode": "router"}), found)

    assert [(one.field, one.blocking) for one in alone] == [
        ("spec.vllmEndpoints[0].backend", False)
    ]
    assert problems(make_router(**spec), found) == []
