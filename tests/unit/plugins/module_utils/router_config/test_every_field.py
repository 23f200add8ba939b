"""No field of spec.config is silently dropped: each one changes config.yaml or is told of.

The fields come from the CRD, so a new one without a place fails here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    secret_environment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from schema_walk import Steps, leaves, with_leaf

# Fields that change no document, and why that is right.
EXPLAINED = {
    "contract": "chooses the document",
    "version": "every contract has one version; any other is refused",
    # Given alone, a family is used by no model; the golden case "complexity" has one in use.
    "reasoning_families.*.type": "0.4 keeps families with the models that use them",
    "reasoning_families.*.parameter": "0.4 keeps families with the models that use them",
}


CONFIG = crd.schema()["properties"]["spec"]["properties"]["config"]
LEAVES = {".".join(steps): (steps, node) for steps, node in leaves(CONFIG)}


def two_values(steps: Steps, node: dict[str, Any]) -> tuple[Any, Any]:
    """Two values that the field may have."""
    if len(node.get("enum", [])) > 1:
        return node["enum"][0], node["enum"][-1]
    kind = node.get("type")
    if kind == "boolean":
        return True, False
    if kind in ("integer", "number"):
        return 21, 22
    if kind == "object":
        return {"one": 1}, {"two": 2}
    if kind == "string" and steps[-1] not in ("[]",):
        return "one", "two"
    return ("0.25", "0.75") if kind is None or "buckets" in steps[-2] else ("one", "two")


@pytest.mark.parametrize("contract", sorted(router_config.CONTRACTS))
@pytest.mark.parametrize("field", sorted(set(LEAVES) - set(EXPLAINED)))
def test_field_reaches_the_document_or_the_user(
    field: str,
    contract: str,
    make_router: Callable[..., Router],
) -> None:
    steps, node = LEAVES[field]
    seen = []
    told: list[Problem] = []
    for value in two_values(steps, node):
        config = {**with_leaf(CONFIG, steps, value), "contract": contract}
        router = make_router(config)
        told += router_config.problems(router, Facts())
        environment = secret_environment(router.spec)
        seen.append((router_config.render(router, Facts()), environment))
    assert seen[0] != seen[1] or any(names(problem, steps) for problem in told)


def names(problem: Problem, steps: Steps) -> bool:
    """The problem is about the field or about something that it is a part of."""
    field = "spec.config"
    for step in steps:
        field += "[0]" if step == "[]" else f".{step}" if step != "*" else ".any"
        if problem.field == field:
            return True
    return False


def test_explanations_are_of_fields_that_exist() -> None:
    assert set(EXPLAINED) <= set(LEAVES)


def test_crd_has_the_sections_that_the_neutral_model_reads() -> None:
    assert set(CONFIG["properties"]) >= router_config.sections.FLAT_KEYS
