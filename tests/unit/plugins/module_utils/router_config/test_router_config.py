"""Which contract a router image understands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    contract,
    problems,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("0.2.0", "0.3"),
        ("v0.3.0", "0.3"),
        ("v0.3", "0.3"),
        ("v0.3.1-rocm", "0.3"),
        ("0.3.0+build.7", "0.3"),
        ("v0.3@sha256:" + "0" * 64, "0.3"),
        ("v0.4.0", "0.4"),
        ("v0.4", "0.4"),
        ("v0.4.1-rocm", "0.4"),
        ("v0.5.0", "0.5"),
        ("0.30.0", "0.5"),
        ("v0.40.0", "0.5"),
        ("v1.0.4", "0.5"),
        ("latest", "0.5"),
        ("nightly-20261101", "0.5"),
        ("", "0.5"),
    ],
)
def test_tag_decides(tag: str, expected: str, make_router: Callable[..., Router]) -> None:
    assert contract(make_router(image={"tag": tag}).spec) == expected


def test_contract_of_the_spec_beats_the_tag(make_router: Callable[..., Router]) -> None:
    assert contract(make_router({"contract": "0.4"}, image={"tag": "v0.3.0"}).spec) == "0.4"


def test_unknown_contract_is_told_with_the_known_ones(make_router: Callable[..., Router]) -> None:
    (problem,) = problems(make_router({"contract": "9.9"}), Facts())
    assert problem.field == "spec.config.contract"
    assert "0.3, 0.4, 0.5" in problem.remedy


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
@pytest.mark.parametrize("example", documents.DOCUMENT, ids=lambda path: path.stem)
def test_every_example_of_the_document_is_accepted_by_every_contract(
    example: Path, contract: str
) -> None:
    resource = documents.document(example)
    resource["spec"].setdefault("config", {})["contract"] = contract
    assert [str(p) for p in problems(Router(resource), Facts()) if p.blocking] == []
