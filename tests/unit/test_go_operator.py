"""SemanticRouters that a released Go operator takes are taken here, and mean the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import documents
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

CORPUS: list[dict[str, Any]] = yaml.safe_load(
    (documents.DATA / "go_operator" / "newer-fields.yaml").read_text(encoding="utf-8")
)
BACKEND = {"type": "service", "service": {"name": "a", "port": 8000}}


def resource_of(case: dict[str, Any], contract: str = "0.5") -> dict[str, Any]:
    spec = deepcopy(case["spec"])
    for entry in spec.get("vllmEndpoints", []):
        entry["backend"] = BACKEND
    spec.setdefault("config", {})["contract"] = contract
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "corpus", "namespace": "default"},
        "spec": spec,
    }


def told(resource: dict[str, Any]) -> list[Problem]:
    return problems(Router(resource), Facts())


def at_names(value: Any, place: str) -> Any:
    """What stands at a place whose steps are keys, or names of entries of a list."""
    for step in place.split("."):
        if isinstance(value, list):
            value = next((item for item in value if item["name"] == step), None)
        else:
            value = (value or {}).get(step)
    return value


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: str(case["name"]))
def test_a_newer_field_is_accepted_and_means_what_it_meant(case: dict[str, Any]) -> None:
    resource = resource_of(case)
    assert crd.validate(resource) == []
    assert [str(problem) for problem in told(resource) if problem.blocking] == []
    document = render(Router(resource), Facts())
    assert {place: at_names(document, place) for place in case["means"]} == case["means"]


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: str(case["name"]))
def test_a_router_of_the_release_before_gets_it_too_or_the_field_is_told(
    case: dict[str, Any],
) -> None:
    resource = resource_of(case, "0.4")
    fields = [problem.field for problem in told(resource) if not problem.blocking]
    document = render(Router(resource), Facts())
    missing = {
        place
        for place, meaning in case["means"].items()
        if at_names(document, place) != meaning
        and not any(field.rpartition(".")[2] in place.split(".") for field in fields)
    }
    assert not missing


def test_who_gives_two_families_is_told_which_is_used() -> None:
    (case,) = (case for case in CORPUS if case["name"] == "both ways to name a family")
    (problem,) = told(resource_of(case))
    assert (problem.field, problem.blocking) == ("spec.vllmEndpoints[0].reasoningFamily", False)
    assert "qwen3" in problem.found


@pytest.mark.parametrize(
    ("reasoning", "contract", "field"),
    [
        ({"type": "wish", "parameter": "p"}, "0.5", "reasoning.type"),
        ({"family": "glm-5.2"}, "0.3", "reasoning.family"),
    ],
)
def test_what_no_router_of_the_contract_understands_is_refused(
    reasoning: dict[str, Any], contract: str, field: str
) -> None:
    case = {"spec": {"vllmEndpoints": [{"name": "a", "model": "m", "reasoning": reasoning}]}}
    (problem,) = [item for item in told(resource_of(case, contract)) if item.blocking]
    assert problem.field == f"spec.vllmEndpoints[0].{field}"


def test_a_0_3_router_is_told_of_the_family_of_the_newer_form() -> None:
    case = {
        "spec": {
            "vllmEndpoints": [
                {
                    "name": "a",
                    "model": "m",
                    "reasoning": {"type": "chat_template_kwargs", "parameter": "think"},
                }
            ]
        }
    }
    providers = render(Router(resource_of(case, "0.3")), Facts())["providers"]
    assert providers["models"][0]["reasoning_family"] == "m"
    assert providers["defaults"]["reasoning_families"] == {
        "m": {"type": "chat_template_kwargs", "parameter": "think"}
    }


def test_a_complexity_rule_of_nothing_is_refused() -> None:
    case = {"spec": {"config": {"complexity_rules": [{"name": "empty"}]}}}
    assert "spec.config.complexity_rules[0]" in {
        problem.field for problem in told(resource_of(case)) if problem.blocking
    }
