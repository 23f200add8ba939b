"""A tree on a terminal of any width: nothing is lost, nothing sticks out."""

from __future__ import annotations

import pytest
from semantic_router_cli import outline
from semantic_router_cli.tree import Node, State

LOST = Node(
    "backend", "llama", State.BROKEN, "llama3-8b · service · vllm.default.svc:8000",
    "ServiceNotFound", "Service default/vllm does not exist", "spec.vllmEndpoints[0]",
    "Create it in the router's namespace, or correct the name",
)  # fmt: skip
TREE = Node(
    "SemanticRouter", "default/my-router", State.BROKEN, "Degraded",
    children=(
        Node("condition", "Degraded=True", State.BROKEN, "see backends", "NoBackendsResolved"),
        Node("backends", "", State.BROKEN, "1 of 2 backends well", children=(
            LOST, Node("backend", "qwen-endpoint", State.OK, "qwen2.5-7b"),
        )),
    ),
)  # fmt: skip


def drawn(columns: int, root: Node = TREE) -> list[str]:
    return [outline.painted(line, colours=False) for line in outline.lines(root, columns)]


@pytest.fixture(autouse=True)
def _unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "speaks_unicode", lambda: True)


def test_a_link_stands_below_its_own_with_why_and_what_to_do() -> None:
    assert drawn(120) == [
        "✗ SemanticRouter default/my-router  Degraded",
        "├── ✗ Degraded=True NoBackendsResolved  see backends",
        "└── ✗ backends   1 of 2 backends well",
        "    ├── ✗ llama          llama3-8b · service · vllm.default.svc:8000",
        "    │     ServiceNotFound  Service default/vllm does not exist",
        "    │     → spec.vllmEndpoints[0]: Create it in the router's namespace, or correct the "
        "name",
        "    └── ✓ qwen-endpoint  qwen2.5-7b",
    ]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_what_is_too_long_goes_on_in_the_next_line_at_the_same_depth(columns: int) -> None:
    lines = drawn(columns)
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).replace("│", " ").split())
    assert LOST.remedy in text
    assert LOST.found in text
    own = lines[lines.index(next(line for line in lines if "llama " in line)) + 1 :]
    below = own[: own.index(next(line for line in own if "qwen-endpoint" in line))]
    assert all(line.startswith("    │   ") for line in below)


def test_a_word_that_is_longer_than_a_line_is_cut() -> None:
    lines = drawn(40, Node("Pod", "x", State.OK, "y" * 100))
    assert max(map(len, lines)) <= 40
    assert "".join(lines).count("y") == 100


def test_signs_that_are_two_columns_wide_are_counted_so() -> None:
    (line, *others) = outline.folded([("語" * 10 + " ", ""), ("end", "")], 22)
    assert outline.length(line) == 21
    assert len(others) == 1


def test_without_unicode_there_are_other_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "speaks_unicode", lambda: False)
    tree = Node("Service", "a", State.BROKEN, children=(Node("Pod", "b", State.OK),))
    assert drawn(80, tree) == ["x Service a", "`-- + Pod b"]


def test_colours_begin_and_end_with_what_they_are_for() -> None:
    line = [("Error: ", "bold red"), ("a", ""), ("b", "")]
    assert outline.painted(line, colours=True) == "\x1b[1;31mError: \x1b[0mab"
    assert outline.painted(line, colours=False) == "Error: ab"
