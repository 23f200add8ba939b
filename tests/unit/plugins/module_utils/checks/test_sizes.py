"""What no API server has room for is told before anything is written."""

from __future__ import annotations

import cProfile
import json
import pstats

import many
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules, sizes
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    config,
    registry,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource
from nested import nested


def config_map(**data: str) -> Manifest:
    files = {name.replace("_yaml", ".yaml").replace("_json", ".json"): data[name] for name in data}
    return {"kind": "ConfigMap", "metadata": {"name": "my-router-config"}, "data": files}


def test_as_much_as_the_api_server_takes_is_no_problem() -> None:
    both = config_map(config_yaml="x" * 2**19, tools_db_json="x" * 2**19)
    assert list(sizes.check([both, {"kind": "Service"}])) == []


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (config_map(envoy_yaml="x" * (2**20 + 1)), "spec.vllmEndpoints"),
        (config_map(config_yaml="x" * 2**20, tools_db_json="y"), "spec.config"),
        (config_map(config_yaml="x", tools_db_json="y" * 2**20), "spec.toolsDb"),
        # Bytes are counted, not characters.
        (config_map(config_yaml="\u00e9" * (2**19 + 1)), "spec.config"),
    ],
)
def test_one_byte_more_is_told_by_the_field_that_makes_it_so(made: Manifest, field: str) -> None:
    (problem,) = sizes.check([made])
    assert (problem.field, problem.blocking) == (field, True)
    assert "1,048,576" in problem.found


def test_what_is_nested_deeper_than_anybody_reads_is_told_and_nothing_else() -> None:
    deep = nested(80)
    for spec in ({"config": {"routing": deep}}, {"toolsDb": [{"name": "a", "parameters": deep}]}):
        router = Router(resource(**spec))
        (problem,) = rules.check(router, facts(router, "kubernetes"))
        assert problem.field.startswith("spec.")
        assert problem.found == "it is nested deeper than 64 levels"
        assert problem.blocking


def tools(of_bytes: int) -> dict[str, object]:
    many_tools = [{"name": f"tool_{number}", "description": "x" * 990} for number in range(1000)]
    return {"toolsDb": [*many_tools, {"name": "last", "description": "x" * (of_bytes - 10**6)}]}


def test_tools_that_have_no_room_however_they_are_written_are_told_before_they_are_written() -> (
    None
):
    (problem,) = sizes.hopeless(tools(2**20))
    assert (problem.field, problem.blocking) == ("spec.toolsDb", True)
    assert list(sizes.hopeless({})) == []
    router = Router(resource(**tools(2**20)))
    assert rules.check(router, facts(router, "kubernetes")) == [problem]


def test_tools_that_have_room_without_blanks_are_written_without() -> None:
    wanted = {"toolsDb": [{"name": f"tool_{number}", "description": "x"} for number in range(8000)]}
    router = Router(resource(**wanted))
    made = config.config_maps(router, facts(router, "kubernetes"))
    assert list(sizes.check(made)) == []
    (text,) = (item["data"]["tools_db.json"] for item in made if "tools_db.json" in item["data"])
    assert "\n " not in text


def test_two_hundred_models_on_a_thousand_endpoints_have_room() -> None:
    router = Router(resource(vllmEndpoints=many.endpoints(200, 5)))
    assert list(sizes.check(config.config_maps(router, facts(router, "kubernetes")))) == []


def test_a_thousand_models_have_none() -> None:
    router = Router(resource(vllmEndpoints=many.endpoints(1000, 1)))
    (problem,) = sizes.check(config.config_maps(router, facts(router, "kubernetes")))
    assert problem.field == "spec.vllmEndpoints"
    assert "Spread it over several SemanticRouters" in problem.remedy


def test_one_content_under_two_names_is_told_once() -> None:
    first = config_map(config_yaml="x" * (2**20 + 1))
    second = {**first, "metadata": {"name": "my-router-config-1"}}
    # OpenShift fills one that has nothing.
    assert len(list(sizes.check([{"kind": "ConfigMap"}, first, second]))) == 1


# A tenth of what an API server takes, in entries as small as they come.
LARGE = {
    "keywords": {
        "config": {
            "routing": {
                "signals": {
                    "keywords": [
                        {"name": f"k{number}", "operator": "OR", "keywords": ["a", "b", "c"]}
                        for number in range(1500)
                    ]
                }
            }
        }
    },
    "keys that nobody knows": {
        "config": {"routing": {"signals": {f"new{number}": [{"a": 1}] for number in range(4000)}}}
    },
    "what nobody reads": {
        "config": {"listeners": [{"name": "a", "port": 8080, "api_keys": ["${KEY}"] * 10_000}]}
    },
    "models": {"vllmEndpoints": many.endpoints(200, 5)},
    "variables": {"env": [{"name": f"A{number}", "value": "x"} for number in range(3000)]},
    "hosts": {
        "ingress": {"enabled": True, "hosts": [{"host": f"h{n}.example.com"} for n in range(3000)]}
    },
    "tools": {"toolsDb": [{"name": f"t{n}", "description": "x" * 40} for n in range(2000)]},
}


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_large_is_judged_before_a_worker_is_missed(kind: str) -> None:
    """Calls are counted, which are as many on any machine. 117 for each byte were half a minute for
    the largest; today's most are 28, of 2 s."""
    router = Router(resource(**LARGE[kind]))
    found = facts(router, "kubernetes")

    def judge() -> None:
        problems = list(rules.check(router, found))
        if not any(problem.blocking for problem in problems):
            list(sizes.check(registry.build(router, found, registry.CONCERNS)))

    # The router's schema is loaded once in a process.
    judge()
    profile = cProfile.Profile()
    profile.runcall(judge)
    calls = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
    assert calls < 40 * len(json.dumps(LARGE[kind]))
