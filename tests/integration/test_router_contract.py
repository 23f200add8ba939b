"""Every reviewed config.yaml is one that its router release accepts, and both say the same thing.

The releases' own commands are the oracle: `vllm-sr validate` (0.3.0) and `vllm-sr config validate`
and `config migrate` (from 0.4.0 on), each in a virtual environment of its own. One process per
release runs them on all files, because importing a release takes longer than all its validations.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import golden
import pytest
import router_release
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    Facts,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    contract_0_4,
    effects,
    families,
    places,
    schema,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from newest_router import leaves
from router_release import VALIDATE, Result

CHECKOUT = Path(__file__).parents[2]
# Each contract, and the one before it, whose files its `config migrate` reads.
NEIGHBOURS = [("0.3", "0.4"), ("0.4", "0.5")]
WITH_SCHEMA = [name for name, contract in CONTRACTS.items() if contract.has_schema]


def vllm_sr(contract: str, commands: list[list[str]]) -> list[Result]:
    results = router_release.commands(python_of(contract), commands)
    assert len(results) == len(commands)
    return results


def in_release(contract: str, code: str) -> list[Any]:
    """What code prints after RESULT in the release's virtual environment."""
    return router_release.printed(python_of(contract), code)


def python_of(contract: str) -> Path:
    environment = CHECKOUT / f".venv-router-{contract}"
    if not (environment / "bin" / "vllm-sr").exists():
        pytest.fail(f"{environment.name} has no vllm-sr: run `make setup`")
    return environment / "bin" / "python"


def documents(contract: str, directory: Path) -> dict[str, Path]:
    """The golden documents of the contract as files, by case."""
    files = {}
    for case, document in sorted(golden.documents(contract).items()):
        files[case] = directory / f"{case}.{contract}.yaml"
        files[case].write_text(document, encoding="utf-8")
    return files


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_the_release_accepts_every_golden_file_and_decisions_by_role(
    contract: str, tmp_path: Path
) -> None:
    """By role in the router's own words, without what only one of the releases wants to see."""
    files = list(documents(contract, tmp_path).values())
    for name in ("admin", "admin-binding"):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(by_role(name, contract)), encoding="utf-8")
    results = vllm_sr(contract, [[*VALIDATE[contract], str(file)] for file in files])
    refused = [
        f"{file.name}: {output}"
        for file, (code, output) in zip(files, results, strict=True)
        if code != 0
    ]
    assert len(files) >= 10
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_the_release_refuses_a_wrong_file(contract: str, tmp_path: Path) -> None:
    """The oracle is awake: a decision for a model that is not there does not pass."""
    document = yaml.safe_load(golden.documents(contract)["complexity"])
    document["routing"]["decisions"][0]["modelRefs"][0]["model"] = "nobody"
    wrong = tmp_path / "config.yaml"
    wrong.write_text(yaml.safe_dump(document), encoding="utf-8")
    ((code, output),) = vllm_sr(contract, [[*VALIDATE[contract], str(wrong)]])
    assert code != 0, output


def by_role(name: str, contract: str) -> dict[str, Any]:
    """config.yaml of a decision that names a role, or its binding."""
    users = [{"kind": "Group", "name": "platform-admins"}]
    binding = {"name": "admin-binding", "role": "admin", "subjects": users}
    rules = {"operator": "AND", "conditions": [{"type": "authz", "name": name}]}
    decision = {"name": "for-admins", "rules": rules, "modelRefs": [{"model": "m"}]}
    routing = {"signals": {"role_bindings": [binding]}, "decisions": [decision]}
    backend = {"type": "service", "service": {"name": "a", "port": 8000}}
    spec = {
        "vllmEndpoints": [{"name": "a", "model": "m", "backend": backend}],
        "config": {"contract": contract, "routing": routing},
    }
    router = Router({"metadata": {"name": "roles", "namespace": "default"}, "spec": spec})
    return router_config.render(router, discovery.offline_facts(router, PLATFORM_KUBERNETES))


# What `config migrate` makes of our older file and our newer file says differently, and why.
MODES = "0.4 has to be told that thinking can be off"
LEVELS = "0.4 has to be told which efforts there are"
SCOPE = "only 0.4 has scopes, and all but one of them want identity headers"
CACHE = {"global.stores": "only 0.3 has a cache without being asked, which is told to be off"}
# In every file.
EVERYWHERE = {
    "0.4": {
        "global.services.router_replay": "only 0.3 is on, and on a postgres, without being asked"
    },
    "0.5": {},
}
EXPLAINED: dict[str, dict[str, dict[str, str]]] = {"0.5": {}}
EXPLAINED["0.4"] = {
    "cache_milvus": {"routing.decisions.every_request.plugins": SCOPE},
    "cache_qdrant": {"routing.decisions.every_request.plugins": SCOPE},
    "my_router": {"routing.decisions.every_request.plugins": SCOPE},
    "whole_document": {
        "routing.decisions.every_request.plugins": SCOPE,
        "routing.decisions.law.plugins": SCOPE,
    },
    "unresolved": CACHE,
    "hosted": CACHE,
    "complexity": {
        **CACHE,
        "routing.signals.domains": "0.4 accepts domains that only decisions name; 0.3 wants them",
        "routing.decisions.billing.description": "only 0.3 wants a description of every decision",
        "providers.models.llama3-70b.backend_refs.large-b": "0.4 wants one TLS host per model",
        "providers.models.llama3-70b.reasoning.modes": MODES,
        "providers.models.llama3-70b.reasoning.default_mode": MODES,
        "providers.models.llama3-70b.reasoning.levels": LEVELS,
    },
    "every_section": {
        "routing.decisions.every_request.plugins": SCOPE,
        "providers.models.deepseek-r1-distill-qwen-7b.reasoning.modes": MODES,
        "providers.models.deepseek-r1-distill-qwen-7b.reasoning.default_mode": MODES,
        "providers.models.gpt-oss-20b.reasoning.modes": MODES,
        "providers.models.gpt-oss-20b.reasoning.default_mode": MODES,
        "providers.models.gpt-oss-20b.reasoning.levels": LEVELS,
    },
    "guard": {
        **CACHE,
        "global.model_catalog.modules.prompt_guard.use_mmbert_32k": "0.4 calls it variant",
        "global.model_catalog.modules.prompt_guard.variant": "0.3 calls it use_mmbert_32k",
        "global.model_catalog.modules.prompt_guard.on_error": "0.3 always lets requests pass",
    },
    "no_backends": {
        **CACHE,
        "providers": "0.3 wants a default model, and gets one that says there is none",
    },
    "cache_redis_open": {
        "routing.decisions.every_request.plugins": SCOPE,
        "global.stores.response_cache.redis.development.verbose_errors": "0.4 has it no more",
    },
}


# Families of the golden cases as the release's catalog has them.
CATALOG = {
    "qwen3": ("chat_template_kwargs", "enable_thinking"),
    "gpt": ("reasoning_effort", "reasoning_effort"),
}


@pytest.mark.parametrize(("before", "contract"), NEIGHBOURS)
def test_migrating_our_file_of_the_contract_before_means_the_same_as_our_file(
    before: str, contract: str, tmp_path: Path
) -> None:
    older, newer = documents(before, tmp_path), documents(contract, tmp_path)
    cases = sorted(older.keys() & newer.keys())
    assert len(cases) >= 10
    results = vllm_sr(
        contract,
        [
            ["config", "migrate", "--config", str(older[case]), "--output", str(tmp_path / case)]
            for case in cases
        ],
    )
    assert [code for code, _ in results] == [0] * len(cases), results
    differences = {
        case: different(meaning(tmp_path / case), meaning(newer[case])) for case in cases
    }
    assert {case: paths for case, paths in differences.items() if paths} == {
        case: {*paths, *EVERYWHERE[contract]} for case, paths in EXPLAINED[contract].items()
    }


def meaning(file: Path) -> dict[str, Any]:
    """The document without what says nothing: empty sections and cards of nothing but a name.

    A family of the release's catalog stands for the type and parameter that 0.3 has to spell out.
    """
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    for model in document.get("providers", {}).get("models", []):
        family = model.get("reasoning", {}).get("family")
        if family:
            kind, parameter = CATALOG[family]
            model["reasoning"] = {"type": kind, "parameter": parameter}
    cards = document.get("routing", {}).get("modelCards", [])
    document["routing"]["modelCards"] = [card for card in cards if set(card) != {"name"}]
    return dict(without_empty(by_name(document)))


def by_name(value: Any) -> Any:
    """Lists of named things as mappings: their order says nothing."""
    if isinstance(value, dict):
        return {key: by_name(child) for key, child in value.items()}
    if (
        isinstance(value, list)
        and value
        and all(isinstance(v, dict) and "name" in v for v in value)
    ):
        return {item["name"]: by_name(item) for item in value}
    return value


def without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: without_empty(child) for key, child in value.items()}
    return {key: child for key, child in kept.items() if child not in ({}, [], None)}


def different(one: Any, other: Any, path: str = "") -> set[str]:
    """The highest places where two documents differ in more than what lies below."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return set() if one == other else {path}
    found: set[str] = set()
    for key in one.keys() | other.keys():
        place = f"{path}.{key}" if path else str(key)
        if key not in one or key not in other:
            found.add(place)
        else:
            found |= different(one[key], other[key], place)
    return found


@pytest.mark.parametrize("contract", WITH_SCHEMA)
def test_the_release_has_the_families_that_we_supply(contract: str) -> None:
    """A renamed family, or one with other efforts, shows here before a router refuses it."""
    catalog = CHECKOUT / f".venv-router-{contract}" / "lib"
    (file,) = catalog.glob("python3.*/site-packages/cli/model_assets/latest/catalog.yaml")
    document = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    known = {family["id"]: family for family in document["reasoning_families"]}
    assert families.KNOWN.keys() <= known.keys()
    assert {
        name: tuple(known[name]["levels"]) for name in families.KNOWN if known[name].get("levels")
    } == contract_0_4.EFFORTS
    assert {
        name for name in families.KNOWN if "disabled" not in known[name]["modes"]
    } == families.ALWAYS_ON


@pytest.mark.parametrize("contract", WITH_SCHEMA)
def test_schema_of_the_release_refuses_what_it_does_not_know(contract: str) -> None:
    """With vllm-sr beside the operator, a typing error in the open parts is told with its field."""
    assert (schema.schema_version(contract) or "").startswith(f"{contract}.")
    router = Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "typo"},
            "spec": {
                "config": {
                    "contract": contract,
                    "tools": {"enabled": True},
                    "global": {
                        "router": {"clear_route_cach": True},
                        "services": {"response_api": {"max_responses": "${MAX}"}},
                    },
                    "routing": {
                        "signals": {"keywords": [{"name": "a", "operator": "OR", "keywords": "b"}]}
                    },
                }
            },
        }
    )
    told = router_config.problems(router, Facts())
    assert {problem.field for problem in told if problem.blocking} == {
        "spec.config.global.router.clear_route_cach",
        "spec.config.routing.signals.keywords[0].keywords",
    }


DECISION = {
    "name": "all",
    "rules": {"operator": "AND", "conditions": [{"type": "keyword", "name": "urgent"}]},
    "modelRefs": [{"model": "m"}],
}
ROUTING = {"signals": {"keywords": [{"name": "urgent", "operator": "OR", "keywords": ["now"]}]}}
EASY_AND_HARD = {"easy": {"candidates": ["hi"]}, "hard": {"candidates": ["prove"]}}


@pytest.mark.parametrize(
    ("config", "field", "meant"),
    [
        ({"decisions": [{**DECISION, "prority": 1}]}, "decisions[0].prority", "priority"),
        (
            {
                "decisions": [
                    {**DECISION, "algorithm": {"type": "confidence", "confidence": {"treshold": 1}}}
                ]
            },
            "decisions[0].algorithm.confidence.treshold",
            "threshold",
        ),
        (
            {"decisions": [{**DECISION, "plugins": [{"type": "piis", "configuration": {}}]}]},
            "decisions[0].plugins[0].type",
            "",
        ),
        (
            {"complexity_rules": [{"name": "hard", "treshold": 0.1, **EASY_AND_HARD}]},
            "complexity_rules[0].treshold",
            "threshold",
        ),
        ({"prompt_guard": {"treshold": 0.7}}, "prompt_guard.treshold", "threshold"),
        ({"routing": {"sgnals": {}}}, "routing.sgnals", "signals"),
        ({"global": {"stores": {"memry": {}}}}, "global.stores.memry", "memory"),
        (
            {"providers": {"models": [{"name": "x", "backend_refs": [{"endpont": "e"}]}]}},
            "providers.models[0].backend_refs[0].endpont",
            "endpoint",
        ),
        ({"evaluation": {"nothing": 1}}, "evaluation.nothing", ""),
    ],
)
def test_what_the_release_does_not_know_is_told_with_its_field(
    config: dict[str, Any], field: str, meant: str
) -> None:
    endpoint = {
        "name": "a",
        "model": "m",
        "backend": {"type": "service", "service": {"name": "a", "port": 8000}},
    }
    resource = {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "typo"},
        "spec": {"vllmEndpoints": [endpoint], "config": {"routing": ROUTING, **config}},
    }
    told = {
        problem.field: problem.remedy
        for problem in router_config.problems(Router(resource), Facts())
    }
    assert f"spec.config.{field}" in told
    assert f"Did you mean {meant}?" in told[f"spec.config.{field}"] or not meant


def test_a_status_names_the_schema_that_was_used() -> None:
    tagged = {"image": {"tag": "v0.4.0"}}
    assert router_config.schema_name(tagged) == "vllm-sr 0.4.0"
    assert router_config.schema_name({"image": {"tag": "latest"}}).startswith("vllm-sr 0.5.")
    assert router_config.schema_name({"image": {"tag": "v0.3.0"}}) == ""


@pytest.mark.parametrize("contract", WITH_SCHEMA)
def test_schema_of_the_release_accepts_every_golden_file(contract: str) -> None:
    for case, text in golden.documents(contract).items():
        assert list(schema.violations(yaml.safe_load(text), contract)) == [], case


# The release's own models of its document: 0.3 has no schema, and keeps `global` open.
_SCHEMA_0_3 = """
import json
from cli.models import UserConfig
print("RESULT", json.dumps(UserConfig.model_json_schema()))
"""


def schema_of(contract: str) -> dict[str, Any]:
    if contract == "0.3":
        (found,) = in_release(contract, _SCHEMA_0_3)
        return dict(found)
    return dict(schema.load(contract).schema)


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_every_key_of_the_release_has_a_reader(contract: str) -> None:
    """A new one is not said to be in effect before somebody has looked who acts on it."""
    found = [place for place in leaves(schema_of(contract)) if place not in ((), ("global",))]
    without = [
        ".".join(place)
        for place in found
        for alone in {False, CONTRACTS[contract].serves_alone}
        if not effects.of(place, CONTRACTS[contract], alone)
    ]
    assert len(found) > 200
    assert not without


# Keys that name a place outside the router, by their last words.
_NAMES_A_PLACE = re.compile(
    r"(^|_)(host|port|address|addresses|endpoint|url|path|dir|directory|backend|backend_type|store)$"
)


def is_listed(path: str) -> bool:
    settings = {setting.path for setting in places.SETTINGS}
    needs = {f"{need.section}.{key}" for need in places.NEEDS for key in (need.key, *need.keys)}
    return path in settings | needs or any(
        fnmatchcase(path, pattern.replace("**", "*")) for pattern in places.OTHERS
    )


@pytest.mark.parametrize("contract", WITH_SCHEMA)
def test_every_place_that_the_release_names_is_looked_after(contract: str) -> None:
    """A default that holds only in upstream's compose stack shows here before it is in force."""
    found = [
        ".".join(place).removesuffix(".*")
        for place in leaves(schema_of(contract))
        if place and place[0] != "recipes"
    ]
    named = [path for path in found if _NAMES_A_PLACE.search(path.rpartition(".")[2])]
    assert len(named) > 60
    assert [path for path in named if not is_listed(path)] == []
    assert not is_listed("global.services.audit.endpoint")


_SERVICE_DEFAULTS = """
import json
try:
    from cli.managed_storage_detection import CANONICAL_SERVICE_DEFAULTS
except ImportError:
    from cli.service_defaults import CANONICAL_SERVICE_DEFAULTS
print("RESULT", json.dumps(CANONICAL_SERVICE_DEFAULTS))
"""


@pytest.mark.parametrize("contract", sorted(VALIDATE))
def test_no_store_of_the_compose_stack_is_left_in_force(contract: str) -> None:
    (defaults,) = in_release(contract, _SERVICE_DEFAULTS)
    document = yaml.safe_load(golden.documents(contract)["no_backends"])
    ours = document["global"]["services"]
    for service, default in defaults.items():
        merged = {**default, **ours.get(service, {})}
        assert merged["store_backend"] in ("memory", "file"), service
    assert len(defaults) >= 3
