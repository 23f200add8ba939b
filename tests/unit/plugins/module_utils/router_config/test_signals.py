from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.signals import (
    refused,
)

KEYWORDS = {"name": "code", "operator": "OR", "keywords": ["function"]}
BINDING = {"name": "a", "role": "admin", "subjects": [{"kind": "User", "name": "ann"}]}


def places(**signals: Any) -> list[str]:
    found = [path for path, _, _ in refused({"routing": {"signals": signals}})]
    assert all(path[:2] == ("routing", "signals") for path in found)
    return [".".join(str(step) for step in path[2:]) for path in found]


@pytest.mark.parametrize("operator", ["AND", "OR", "NOR"])
@pytest.mark.parametrize("method", [None, "", "regex", "bm25", "ngram", "BM25"])
def test_keywords_of_every_kind_are_taken(operator: str, method: str | None) -> None:
    assert places(keywords=[{**KEYWORDS, "operator": operator, "method": method}]) == []


@pytest.mark.parametrize("operator", ["or", "ANY", "", None, 1])
def test_an_operator_that_no_router_knows_is_refused(operator: Any) -> None:
    rules = [KEYWORDS, {**KEYWORDS, "operator": operator}]
    assert places(keywords=rules) == ["keywords.1.operator"]


def test_keywords_without_an_operator_are_refused_where_they_stand() -> None:
    assert places(keywords=[{"name": "code", "keywords": ["x"]}]) == ["keywords.0"]


def test_whoever_writes_fuzzy_as_a_method_hears_what_it_is_called() -> None:
    """As upstream's own example of a configuration does."""
    signals = {"keywords": [{**KEYWORDS, "method": "fuzzy"}]}
    [(path, found, remedy)] = refused({"routing": {"signals": signals}})
    assert path[-2:] == (0, "method")
    assert "'fuzzy'" in found
    assert "fuzzy_match to true" in remedy


@pytest.mark.parametrize("kind", ["User", "Group", "group", " user "])
def test_users_and_groups_may_have_a_role(kind: str) -> None:
    assert places(role_bindings=[{**BINDING, "subjects": [{"kind": kind, "name": "x"}]}]) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"role": ""}, "role_bindings.0.role"),
        ({"name": None}, "role_bindings.0.name"),
        ({"subjects": []}, "role_bindings.0.subjects"),
        ({"subjects": [{"kind": "Robot", "name": "x"}]}, "role_bindings.0.subjects.0.kind"),
        ({"subjects": [{"kind": "User", "name": " "}]}, "role_bindings.0.subjects.0.name"),
        ({"subjects": [{"kind": "User"}]}, "role_bindings.0.subjects.0"),
    ],
)
def test_a_binding_that_binds_nobody_is_refused(change: dict[str, Any], place: str) -> None:
    assert places(role_bindings=[{**BINDING, **change}]) == [place]


def test_two_bindings_of_one_name_are_refused() -> None:
    assert places(role_bindings=[BINDING, BINDING]) == ["role_bindings.1.name"]


def test_recipes_are_looked_at_too() -> None:
    routing = {"signals": {"keywords": [{**KEYWORDS, "method": "exact"}]}}
    [(path, _, _)] = refused({"recipes": [{"name": "r", "routing": routing}]})
    assert path == ("recipes", 0, "routing", "signals", "keywords", 0, "method")


@pytest.mark.parametrize(
    "document",
    [{}, {"routing": []}, {"routing": {"signals": 1}}, {"routing": {"signals": {"keywords": {}}}}],
)
def test_what_has_not_the_right_shape_is_the_schema_s_to_tell(document: dict[str, Any]) -> None:
    assert list(refused(document)) == []
