"""Every case in tests/unit/golden/config, in every contract, as reviewed.

<case>.cr.yaml is what a user writes, <case>.<contract>.yaml what the router gets, and
<case>.<contract>.problems what the user is told, if anything. A case whose problems are blocking
has no document. tests/integration/test_router_contract.py shows the documents to the validators.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

GOLDEN = Path(__file__).parents[3] / "golden" / "config"
CASES = sorted(file.name.removesuffix(".cr.yaml") for file in GOLDEN.glob("*.cr.yaml"))
CONTRACTS = sorted(router_config.CONTRACTS)


def load(case: str, contract: str) -> Router:
    resource = yaml.safe_load((GOLDEN / f"{case}.cr.yaml").read_text(encoding="utf-8"))
    resource["spec"] = resource["spec"] or {}
    resource["spec"].setdefault("config", {})["contract"] = contract
    return Router(resource)


def told(problems: list[Problem]) -> str:
    return "".join(
        f"{'blocking' if problem.blocking else 'left out'}: {problem}\n" for problem in problems
    )


def compare(file: Path, text: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        if text:
            file.write_text(text, encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
    assert text == (file.read_text(encoding="utf-8") if file.exists() else "")


@pytest.mark.parametrize("case", CASES)
def test_case_is_valid_for_the_api_server(case: str) -> None:
    resource = yaml.safe_load((GOLDEN / f"{case}.cr.yaml").read_text(encoding="utf-8"))
    assert crd.validate(resource) == []


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("case", CASES)
def test_config_is_as_reviewed(
    case: str, contract: str, facts_of: Callable[[Router], Facts]
) -> None:
    router = load(case, contract)
    problems = router_config.problems(router, facts_of(router))
    blocked = any(problem.blocking for problem in problems)
    document = "" if blocked else yaml_text(router_config.render(router, facts_of(router)))
    compare(GOLDEN / f"{case}.{contract}.problems", told(problems))
    compare(GOLDEN / f"{case}.{contract}.yaml", document)


def test_no_golden_file_is_left_over() -> None:
    names = {f"{case}.{rest}" for case in CASES for rest in ("cr.yaml", *_outputs())}
    assert {file.name for file in GOLDEN.iterdir()} <= names


def test_every_contract_writes_most_cases() -> None:
    for contract in CONTRACTS:
        assert len(list(GOLDEN.glob(f"*.{contract}.yaml"))) >= len(CASES) - 5


def _outputs() -> list[str]:
    return [f"{contract}.{suffix}" for contract in CONTRACTS for suffix in ("yaml", "problems")]
