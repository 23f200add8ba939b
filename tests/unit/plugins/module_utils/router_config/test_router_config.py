"""Which contract a router image understands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    assumption,
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


@pytest.mark.parametrize(
    "tag", ["v0.2.0", "v0.3.1", "v0.4", "0.5.0-rc1", "v0.4.0@sha256:" + "0" * 64]
)
def test_of_a_release_that_is_known_nothing_is_assumed(
    tag: str, make_router: Callable[..., Router]
) -> None:
    assert assumption(make_router(image={"tag": tag}).spec) == ""


@pytest.mark.parametrize("tag", ["v0.9.1", "v0.50.0", "latest", "sha256:" + "0" * 64, "mine", ""])
def test_of_any_other_image_it_is_said_what_is_assumed_until_the_contract_is_given(
    tag: str, make_router: Callable[..., Router]
) -> None:
    said = assumption(make_router(image={"tag": tag}).spec)
    assert tag in said
    assert f"contract {contract(make_router(image={'tag': tag}).spec)}," in said
    assert assumption(make_router({"contract": "0.4"}, image={"tag": tag}).spec) == ""


def test_a_tag_beside_a_digest_decides_and_is_said_to_be_an_assumption(
    make_router: Callable[..., Router],
) -> None:
    found = make_router(image={"repository": "example.com/r@sha256:0a1b", "tag": "v0.3.0"}).spec
    assert contract(found) == "0.3"
    assert "spec.image.repository names a digest" in assumption(found)
    assert "contract 0.3." in assumption(found)


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
