"""CEL as far as the CRD's rules need it: as the language says, and as its own implementation does.

That one is cel-expr-python; tests/integration/test_crd.py asks an API server.
"""

from __future__ import annotations

from typing import Any

import bad_input
import documents
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import cel, crd, rule
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import places

POD = {"name": "a", "ports": [1, 2], "none": None, "time": "1m30s", "on": True}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("self.name == 'a'", True),
        ("!(self.name != 'a')", True),
        ("!has(self.name) == has(self.other)", True),
        ("has(self.none)", False),
        ("self.name == 'b' || self.on && self.name == 'a'", True),
        ("self.name in ['!', 'a && b']", False),
        ("size(self.ports) >= 2 && self.ports.size() < 3", True),
        ("self.ports.filter(port, port > 1).size() <= 1", True),
        ("self.name.matches('^[!-~]+$')", True),
        ("self.name.startsWith('b')", False),
        ("duration(self.time) > duration('89s')", True),
    ],
)
def test_an_expression_means_what_cel_says(expression: str, holds: bool) -> None:
    assert cel.predicate(expression)(POD) is holds


def test_a_pattern_ends_with_the_text_and_not_before_a_last_line_break() -> None:
    assert not cel.predicate("self.matches('^[a-z]+$')")("name\n")


@pytest.mark.parametrize(
    "expression", ["self.name + 'a'", "self.ports[0] == 1", "1 < 2 < 3", "self.name.trim()", "-1"]
)
def test_what_no_rule_has_is_refused_and_not_guessed(expression: str) -> None:
    with pytest.raises(ValueError, match="no rule had that before"):
        cel.predicate(expression)


def expressions() -> dict[tuple[str, ...], list[str]]:
    """Every rule of the CRD by its place."""
    found: dict[tuple[str, ...], list[str]] = {}
    for one in rule.rules():
        found.setdefault(one.place, []).append(one.expression)
    return found


def objects() -> list[dict[str, Any]]:
    """With defaults, as the operator looks at them."""
    wrong = [case.resource() for case in bad_input.cases(bad_input.RULE, bad_input.OPERATOR)]
    right = [documents.document(path) for path in documents.FORMS]
    return [{**one, "spec": crd.with_defaults(one["spec"])} for one in (*wrong, *right)]


def test_every_rule_means_the_same_to_the_implementation_of_the_language() -> None:
    language = pytest.importorskip("cel_expr_python.cel")
    environment = language.NewEnv(variables={"self": language.Type.DYN})
    asked = 0
    for place, rules in expressions().items():
        values = [value for one in objects() for _, value in places(one, place)]
        # Most objects say the same at most places.
        different = list({repr(value): value for value in values}.values())
        for expression in rules:
            theirs, ours = environment.compile(expression), cel.predicate(expression)
            for value in different:
                assert ours(value) is theirs.eval(data={"self": value}).value(), (expression, value)
                asked += 1
    assert asked > 500
