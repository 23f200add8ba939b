"""What was not done, and why, in words for a user."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    RouterError,
    explained,
    invalid,
)


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def test_a_problem_speaks_for_itself() -> None:
    problem = invalid("spec.replicas", "it is -1", "Give at least 0")
    assert explained(RouterError(problem)) == "spec.replicas: it is -1. Give at least 0."


def test_a_package_that_is_missing_is_named() -> None:
    missing = _raised(ModuleNotFoundError("No module named 'durationpy'", name="durationpy"))
    assert explained(missing) == (
        "The Python package durationpy is missing where Ansible runs: install it."
    )


def test_a_defect_is_told_by_its_place_and_no_value() -> None:
    said = explained(_raised(ValueError("the value")))
    assert said.startswith("ValueError at test_problem.py:")
    assert "the value" not in said
