"""A mutation is one little change of a source that still is one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mutants.operators import mutated, mutations

CHECKOUT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x = a < b", {"x = a <= b"}),
        ("x = a + b", {"x = a - b"}),
        ("x = not a", {"x = bool(a)"}),
        ("x = a and b", {"x = True and b", "x = a and True"}),
        ("x = 7", {"x = 8"}),
        ("x = True", {"x = False"}),
        ("x = d['ü']", {"x = d['ü-else']"}),
        ("x = [a, b]", {"x = [b]", "x = [a, ]"}),
        ("x = f(a, k=b)", {"x = f(a, )"}),
        ("x = any(a)", {"x = all(a)"}),
        ("x = sorted(a)", {"x = list(a)"}),
        ("f(a)", {"pass"}),
        ("del d[a]", {"pass"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("if a:\n    x = b", {"if True:\n    x = b", "if False:\n    x = b"}),
        ('"""Texts for people stay."""\nimport a\nx: list[int] = f"{a + 1}"', set()),
    ],
)
def test_these_are_the_changes(source: str, expected: set[str]) -> None:
    assert {mutated(source, change) for change in mutations(source)} == expected


@pytest.mark.parametrize(
    "name", ["plugins/module_utils/cluster/reads.py", "warm/warm_runner/in_process.py"]
)
def test_every_change_of_real_code_is_one_and_still_is_python(name: str) -> None:
    """Else the tests would notice that there is no module any more."""
    source = (CHECKOUT / name).read_text("utf-8")
    changes = mutations(source)
    assert len(changes) > 30
    for change in changes:
        text = mutated(source, change)
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(source))
        assert source.splitlines()[change.line - 1] not in ("", change.after)
