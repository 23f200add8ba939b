"""The little changes: where in a source text, and what stands there instead. Pure.

A change is one that a reader would call a mistake: a condition that is left out or turned, a
statement that is gone, an entry that is missing, a bound that is off by one. Texts for people are
left alone: their tests would be copies of them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "!=", ast.NotEq: "==", ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Pow: "*",
    ast.FloorDiv: "*", ast.BitOr: "&", ast.BitAnd: "|",
}  # fmt: skip
# None: what it was called with, as it is.
_CALLS = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": None, "reversed": None}
_LOOKUPS = ("get", "pop", "setdefault")


@dataclass(frozen=True)
class Mutation:
    """start, end: offsets into the source."""

    line: int
    start: int
    end: int
    before: str
    after: str


def mutations(source: str) -> list[Mutation]:
    """All of a file, in its order, each once."""
    text = _Text(source)
    found = dict.fromkeys(
        change
        for node in _in_bodies(ast.parse(source))
        for operator in _OPERATORS
        for change in operator(text, node)
    )
    return sorted(found, key=lambda change: (change.start, change.end, change.after))


def mutated(source: str, mutation: Mutation) -> str:
    return source[: mutation.start] + mutation.after + source[mutation.end :]


class _Text:
    """Offsets of what the syntax tree counts in lines and bytes."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def start(self, node: ast.AST) -> int:
        return self._offset(node.lineno, node.col_offset)  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def of(self, node: ast.AST) -> str:
        return self.source[self.start(node) : self.end(node)]

    def instead(self, node: ast.AST, after: str) -> Mutation:
        return self.between(self.start(node), self.end(node), after)

    def between(self, start: int, end: int, after: str) -> Mutation:
        line = self.source.count("\n", 0, start) + 1
        return Mutation(line, start, end, self.source[start:end], after)

    def without(self, items: list[ast.AST], index: int, end: int) -> Mutation:
        """A list of things without one of them, and without its comma; end: of the whole list."""
        start = self.start(items[index])
        return self.between(start, self.start(items[index + 1]) if items[index + 1 :] else end, "")

    def _offset(self, line: int, column: int) -> int:
        encoded = self._lines[line - 1].encode()
        return self._starts[line - 1] + len(encoded[:column].decode())


def _in_bodies(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those of annotations, decorators, imports and docstrings."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not _says_nothing(node):
                yield node
                yield from _in_bodies(node)


def _says_nothing(node: ast.AST) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.JoinedStr)


def _comparison(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Compare):
        operands = [node.left, *node.comparators]
        for (left, right), operator in zip(pairwise(operands), node.ops, strict=True):
            yield _operator(text, left, right, _COMPARISONS[type(operator)])


def _arithmetic(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.BinOp) and (other := _ARITHMETIC.get(type(node.op))):
        yield _operator(text, node.left, node.right, other)


def _operator(text: _Text, left: ast.AST, right: ast.AST, after: str) -> Mutation:
    start, end = text.end(left), text.start(right)
    between = text.source[start:end]
    # Parentheses of the operands stay where they are.
    kept = "".join(sign for sign in between if sign in "()")
    closing, opening = kept.count(")"), kept.count("(")
    return text.between(start, end, f"{')' * closing} {after} {'(' * opening}")


def _operand(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    """A chain of and, or of or, without one of its links."""
    if isinstance(node, ast.BoolOp):
        neutral = "True" if isinstance(node.op, ast.And) else "False"
        for value in node.values:
            yield text.instead(value, neutral)


def _condition(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    tests: list[ast.expr] = []
    if isinstance(node, ast.If | ast.IfExp):
        tests = [node.test]
    elif isinstance(node, ast.comprehension):
        tests = node.ifs
    for test in tests:
        yield text.instead(test, "True")
        yield text.instead(test, "False")


def _negation(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield text.instead(node, f"bool({text.of(node.operand)})")


def _answer(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Return) and node.value is not None and text.of(node.value) != "None":
        yield text.instead(node.value, "None")


def _number(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield text.instead(node, str(not node.value))
        elif isinstance(node.value, int | float):
            yield text.instead(node, str(node.value + 1))


def _name(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    """Texts for programs: what is compared, and what things are looked up by."""
    named: list[ast.expr | None] = []
    if isinstance(node, ast.Compare):
        named = [node.left, *node.comparators]
    elif isinstance(node, ast.Subscript):
        named = [node.slice]
    elif isinstance(node, ast.Dict):
        named = list(node.keys)
    elif isinstance(node, ast.Call) and _called(node) in _LOOKUPS:
        named = list(node.args[:1])
    for item in named:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            yield text.instead(item, repr(f"{item.value}-else"))


def _entry(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    """A list, tuple, set or mapping without one of its entries."""
    if isinstance(node, ast.List | ast.Set):
        for index in range(len(node.elts) * (len(node.elts) > 1 or isinstance(node, ast.List))):
            yield text.without(list(node.elts), index, text.end(node) - 1)
    elif isinstance(node, ast.Tuple) and len(node.elts) > 2 and _is_closed(text.of(node)):
        for index in range(len(node.elts)):
            yield text.without(list(node.elts), index, text.end(node) - 1)
    elif isinstance(node, ast.Dict):
        keys: list[ast.AST] = [
            key or value for key, value in zip(node.keys, node.values, strict=True)
        ]
        for index, key in enumerate(node.keys):
            # Two dots before what is spread are no part of it.
            if key is not None and None not in node.keys[index + 1 : index + 2]:
                yield text.without(keys, index, text.end(node) - 1)


def _is_closed(written: str) -> bool:
    return written.startswith("(") and written.endswith(")")


def _keyword(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Call):
        for index, keyword in enumerate(node.keywords):
            following = node.keywords[index + 1 : index + 2]
            if keyword.arg and all(other.arg for other in following):
                yield text.without(list(node.keywords), index, text.end(node) - 1)


def _statement(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    stored = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if stored or isinstance(
        node, ast.Expr | ast.Raise | ast.Continue | ast.Break | ast.AugAssign | ast.Delete
    ):
        yield text.instead(node, "pass")


def _call(text: _Text, node: ast.AST) -> Iterator[Mutation]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        other = _CALLS[node.func.id]
        if other:
            yield text.instead(node.func, other)
        elif node.args:
            argument = text.of(node.args[0])
            yield text.instead(node, f"list({argument.removesuffix(',')})")


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


_OPERATORS: tuple[Callable[[_Text, ast.AST], Iterator[Mutation]], ...] = (
    _comparison,
    _arithmetic,
    _operand,
    _condition,
    _negation,
    _answer,
    _number,
    _name,
    _entry,
    _keyword,
    _statement,
    _call,
)
