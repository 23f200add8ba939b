"""Every limit of the CRD is found broken without an API server, at the field that breaks it."""

from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from bad_input import systematic


@pytest.mark.parametrize("case", systematic.cases(), ids=str)
def test_a_broken_limit_is_told_with_the_field(case: systematic.Wrong):
    problems = crd.validate(case.resource("broken"))

    assert case.field in {problem.field for problem in problems}
    assert all(problem.remedy for problem in problems)


def test_most_fields_have_a_limit_to_break():
    assert len(systematic.cases()) > 900
