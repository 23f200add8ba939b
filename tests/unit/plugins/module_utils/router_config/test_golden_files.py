"""Every case in tests/unit/golden/config, in every contract, as reviewed.

<case>.cr.yaml, or a sample, is what a user writes, <case>.<contract>.yaml what the router gets, and
<case>.<contract>.problems what the user is told, if anything. Where the next newer contract has a
document too, <case>.<contract>.patch is the difference from that one. A case whose problems are
blocking has no document. tests/integration/test_router_contract.py shows the documents to the
validators.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from typing import Any

import golden
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import SAMPLES

# Cases that a sample has already.
FROM_SAMPLES = {"my_router": "vllm.ai_v1alpha1_semanticrouter_my-router"}
WRITTEN = {file.name.removesuffix(".cr.yaml") for file in golden.CONFIG.glob("*.cr.yaml")}
CASES = sorted({*FROM_SAMPLES, *WRITTEN})
CONTRACTS = sorted(router_config.CONTRACTS)
NEWER = dict(pairwise(CONTRACTS))


def resource_of(case: str) -> dict[str, Any]:
    if case in FROM_SAMPLES:
        return deepcopy(SAMPLES[FROM_SAMPLES[case]])
    resource: dict[str, Any] = yaml.safe_load(golden.stored(golden.CONFIG / f"{case}.cr.yaml"))
    return resource


def load(case: str, contract: str) -> Router:
    resource = resource_of(case)
    resource["spec"] = resource["spec"] or {}
    resource["spec"].setdefault("config", {})["contract"] = contract
    return Router(resource)


def told(problems: list[Problem]) -> str:
    return "".join(
        f"{'blocking' if problem.blocking else 'left out'}: {problem}\n" for problem in problems
    )


@pytest.mark.parametrize("case", CASES)
def test_case_is_valid_for_the_api_server(case: str) -> None:
    assert crd.validate(resource_of(case)) == []


def rendered(router: Router, facts: Facts) -> str:
    if any(problem.blocking for problem in router_config.problems(router, facts)):
        return ""
    return yaml_text(router_config.render(router, facts))


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("case", CASES)
def test_config_is_as_reviewed(
    case: str, contract: str, facts_of: Callable[[Router], Facts]
) -> None:
    router = load(case, contract)
    document = rendered(router, facts_of(router))
    base = ""
    if contract in NEWER:
        newer = load(case, NEWER[contract])
        base = rendered(newer, facts_of(newer))
    golden.check(
        golden.CONFIG / f"{case}.{contract}.problems",
        told(router_config.problems(router, facts_of(router))),
    )
    whole, patch = (golden.CONFIG / f"{case}.{contract}.{kind}" for kind in ("yaml", "patch"))
    if base and document:
        golden.check(whole, "")
        golden.check_patch(patch, base, document)
    else:
        golden.check(whole, document)
        golden.check(patch, "")


def test_golden_documents_are_those_of_the_files(facts_of: Callable[[Router], Facts]) -> None:
    for contract in CONTRACTS:
        routers = {case: load(case, contract) for case in CASES}
        written = {case: rendered(router, facts_of(router)) for case, router in routers.items()}
        assert golden.documents(contract) == {case: text for case, text in written.items() if text}


def test_no_golden_file_is_left_over() -> None:
    names = {f"{case}.{rest}" for case in CASES for rest in ("cr.yaml", *_outputs())}
    assert {file.name for file in golden.CONFIG.iterdir()} <= names


def test_every_contract_writes_most_cases() -> None:
    for contract in CONTRACTS:
        assert len(golden.documents(contract)) >= len(CASES) - 5


def _outputs() -> list[str]:
    kinds = ("yaml", "patch", "problems")
    return [f"{contract}.{kind}" for contract in CONTRACTS for kind in kinds]
