"""`kubectl sr explain`: who reads a field, and what makes it act."""

from __future__ import annotations

import pytest
from semantic_router_cli import explanation


def test_a_section_is_read_by_the_router_in_every_contract() -> None:
    found = explanation.explain("spec.config.prompt_guard.enabled")
    assert found is not None
    assert (found.type, found.default) == ("boolean", True)
    (reading,) = found.readings
    assert reading.contracts == ("0.3", "0.4", "0.5")
    assert reading.reader == "the router"
    assert "decision" in reading.acts


@pytest.mark.parametrize("field", ["config.semantic_cache.enabled", "spec.config.semantic_cache"])
def test_an_older_name_is_known(field: str) -> None:
    found = explanation.explain(field)
    assert found is not None
    assert {contract for reading in found.readings for contract in reading.contracts} == {
        "0.3",
        "0.4",
        "0.5",
    }


def test_the_routers_own_document_is_known_where_the_crd_ends() -> None:
    found = explanation.explain("spec.config.global.services.management_api.port")
    assert found is not None
    (reading,) = found.readings
    assert (reading.contracts, reading.reader) == (("0.4", "0.5"), "nobody")


def test_an_index_is_no_hindrance() -> None:
    with_index = explanation.explain("spec.config.listeners[0].api_keys[]")
    assert with_index == explanation.explain("spec.config.listeners.api_keys")
    assert with_index is not None


def test_of_a_group_the_parts_are_told() -> None:
    found = explanation.explain("spec.config.global.stores")
    assert found is not None
    assert {reading.field for reading in found.readings} == {
        "response_cache",
        "semantic_cache",
        "memory",
        "vector_store",
        "tool_sessions",
    }


def test_everything_else_is_the_operators() -> None:
    found = explanation.explain("spec.vllmEndpoints[].weight")
    assert found is not None
    assert [reading.reader for reading in found.readings] == ["the operator"]


@pytest.mark.parametrize("field", ["spec.replcas", "spec.config.promt_guard", "", "spec"])
def test_a_field_that_there_is_not_is_not_explained(field: str) -> None:
    assert explanation.explain(field) is None


def test_what_counts_for_a_router_that_serves_alone_is_told_beside_the_rest() -> None:
    found = explanation.explain("spec.config.listeners.models")
    assert found
    assert [(each.reader, each.contracts) for each in found.readings] == [
        ("nobody", ("0.5",)),
        ("the router", ("0.5",)),
    ]
    assert found.readings[1].acts.startswith("with spec.gateway.mode router: ")


@pytest.mark.parametrize("field", ["spec.cors.allowOrigins", "auth.jwt", "spec.envoy.image.tag"])
def test_what_only_envoy_reads_is_said_to_be_nobodys_without_it(field: str) -> None:
    found = explanation.explain(field)
    assert found
    assert [each.reader for each in found.readings] == ["the operator", "nobody"]
