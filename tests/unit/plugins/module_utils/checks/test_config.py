"""Sections of spec.config: what they need, and numbers that the CRD leaves open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from bad_input import problems, with_spec


def test_a_disabled_cache_needs_no_host() -> None:
    cache = {"enabled": False, "backend_type": "redis"}
    assert problems(with_spec(config={"response_cache": cache})) == []


@pytest.mark.parametrize(
    ("backend", "connection", "where"),
    [
        ("redis", {"password_secret_ref": {"key": "word"}}, "connection"),
        ("valkey", {"password_secret_ref": {"key": "word"}}, "connection"),
        ("milvus", {"auth": {"password_secret_ref": {"key": "word"}}}, "connection.auth"),
    ],
)
def test_a_reference_to_a_secret_has_a_name(
    backend: str, connection: dict[str, Any], where: str
) -> None:
    server = {"connection": {"host": "cache", **connection}}
    cache = {"enabled": True, "backend_type": backend, backend: server}
    found = [problem.field for problem in problems(with_spec(config={"response_cache": cache}))]
    field = f"spec.config.response_cache.{backend}.{where}.password_secret_ref.name"
    assert field in found


def open_leaves(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Leaves without a type: thresholds and the like."""
    if "type" not in node:
        yield path
    for name, child in node.get("properties", {}).items():
        yield from open_leaves(child, (*path, name))
    if node.get("items", {}).get("properties"):
        yield from open_leaves(node["items"], (*path, "[]"))


CONFIG_SCHEMA = crd.schema()["properties"]["spec"]["properties"]["config"]
# Scores, which have no bounds.
SCORES = {"hard_above", "easy_below", "hard_below", "easy_above"}
FRACTIONS = [path for path in open_leaves(CONFIG_SCHEMA) if path[-1] not in SCORES]
RULE_EXAMPLE = {"name": "code", "hard": {"candidates": ["a"]}, "easy": {"candidates": ["b"]}}


def config_with(path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    if path[0] == "[]":
        return [{**RULE_EXAMPLE, **config_with(path[1:], value)}]
    return {path[0]: config_with(path[1:], value)}


def test_there_are_open_leaves_to_check() -> None:
    assert len(FRACTIONS) >= 10


@pytest.mark.parametrize("path", FRACTIONS, ids=".".join)
@pytest.mark.parametrize("value", ["1.5", 1.5, "-0.1", "high", True, {}], ids=repr)
def test_every_leaf_that_the_schema_leaves_open_is_checked(
    path: tuple[str, ...], value: Any
) -> None:
    field = "spec.config." + ".".join(path).replace(".[]", "[0]")
    found = problems(with_spec(config=config_with(path, value)))
    assert field in [problem.field for problem in found if problem.blocking]


@pytest.mark.parametrize("path", FRACTIONS, ids=".".join)
@pytest.mark.parametrize("value", ["0.6", 0.6, 0, 1, "1.0"], ids=repr)
def test_every_leaf_that_the_schema_leaves_open_takes_text_and_numbers(
    path: tuple[str, ...], value: Any
) -> None:
    field = "spec.config." + ".".join(path).replace(".[]", "[0]")
    found = problems(with_spec(config=config_with(path, value)))
    assert field not in [problem.field for problem in found]
