"""Rules across fields: each wrong object of tests/bad_input, and right ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bad_input
import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from bad_input import problems


def stored(resource: dict[str, Any]) -> dict[str, Any]:
    """As an API server keeps it."""
    return {**resource, "spec": crd.with_defaults(resource["spec"])}


@pytest.mark.parametrize("case", bad_input.cases(bad_input.RULE, bad_input.OPERATOR), ids=str)
def test_a_wrong_object_is_found_with_field_and_remedy(case: bad_input.Case) -> None:
    told = problems(stored(case.resource()))
    found = {problem.field: problem for problem in told if problem.blocking}
    assert case.field in found
    problem = found[case.field]
    assert case.remedy in problem.remedy
    assert problem.reason == case.reason
    assert not problem.retry


@pytest.mark.parametrize("case", bad_input.cases(bad_input.RULE, bad_input.OPERATOR), ids=str)
def test_a_wrong_object_is_blamed_for_nothing_else(case: bad_input.Case) -> None:
    blamed = [problem.field for problem in problems(stored(case.resource())) if problem.blocking]
    assert blamed == [case.field]


@pytest.mark.parametrize("case", bad_input.cases(bad_input.OPERATOR), ids=str)
def test_discovery_which_comes_first_gets_past_a_wrong_object(case: bad_input.Case) -> None:
    router = Router(stored(case.resource()))
    found = discovery.offline_facts(router, PLATFORM_KUBERNETES)
    assert case.field in {problem.field for problem in rules.check(router, found)}


@pytest.mark.parametrize("case", bad_input.cases(bad_input.SCHEMA), ids=str)
def test_a_structural_mistake_in_a_file_hides_the_rules(case: bad_input.Case) -> None:
    assert [problem.field for problem in problems(case.resource())] == [case.field]


def test_the_good_object_is_good() -> None:
    assert problems(bad_input.good()) == []
    assert problems(stored(bad_input.good())) == []


@pytest.mark.parametrize(
    "path", [*documents.DOCUMENT, *documents.FORMS], ids=lambda path: path.stem
)
def test_a_right_object_is_held_up_by_nothing_but_what_this_version_does_not_build(
    path: Path,
) -> None:
    found = problems(stored(documents.document(path)))
    assert {problem.reason for problem in found if problem.blocking} <= {"FeatureNotAvailable"}
