# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The part of CEL that the validation rules of the CRD are written in.

No library for CEL is fit for a program that starts for every reconcile and for every command:
docs/adr/0037-the-crds-rules.md. Python's own parser reads these expressions once the operators are
spelled in its way; what none of the rules has is refused, and so found by the first test.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import seconds

Names = dict[str, Any]
Meaning = Callable[[Names], Any]

_TOKENS = re.compile(r"'[^']*'|&&|\|\||!(?!=)")
# ~ binds as CEL's ! does; Python's "not" does not.
_SPELLED = {"&&": " and ", "||": " or ", "!": "~"}

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
}


def predicate(expression: str) -> Callable[[Any], bool]:
    """Of the value that the expression calls self."""
    spelled = _TOKENS.sub(lambda token: _SPELLED.get(token[0], token[0]), expression)
    meaning = _meaning(ast.parse(spelled.strip(), mode="eval").body)
    return lambda value: bool(meaning({"self": value}))


def _meaning(node: ast.expr) -> Meaning:
    match node:
        case ast.Name(name):
            return lambda names: names[name]
        case ast.Constant(value):
            return lambda _: value
        case ast.List(items):
            parts = [_meaning(item) for item in items]
            return lambda names: [part(names) for part in parts]
        case ast.BoolOp(ast.And(), values):
            parts = [_meaning(value) for value in values]
            return lambda names: all(part(names) for part in parts)
        case ast.BoolOp(ast.Or(), values):
            parts = [_meaning(value) for value in values]
            return lambda names: any(part(names) for part in parts)
        case ast.UnaryOp(ast.Invert(), value):
            inner = _meaning(value)
            return lambda names: not inner(names)
        case ast.Compare(left, [word], [right]) if type(word) in _COMPARISONS:
            first, second, compare = _meaning(left), _meaning(right), _COMPARISONS[type(word)]
            return lambda names: compare(first(names), second(names))
        case ast.Attribute(value, name):
            inner = _meaning(value)
            return lambda names: inner(names)[name]
        case ast.Call():
            return _call(node)
    raise ValueError(f"{ast.unparse(node)}: no rule had that before")


def _call(node: ast.Call) -> Meaning:
    match node:
        case ast.Call(ast.Name("has"), [ast.Attribute(value, name)]):
            inner = _meaning(value)
            # An API server drops null before it looks at rules.
            return lambda names: inner(names).get(name) is not None
        case ast.Call(ast.Name("duration"), [value]):
            inner = _meaning(value)
            return lambda names: seconds(inner(names)) or 0.0
        case ast.Call(ast.Name("size"), [value]) | ast.Call(ast.Attribute(value, "size"), []):
            inner = _meaning(value)
            return lambda names: len(inner(names))
        case ast.Call(ast.Attribute(value, "matches"), [ast.Constant(str(pattern))]):
            # In Python, $ is also before a line break at the end.
            inner, found = _meaning(value), re.compile(pattern.replace("$", r"\Z")).search
            return lambda names: found(inner(names)) is not None
        case ast.Call(ast.Attribute(value, "startsWith"), [ast.Constant(str(start))]):
            inner = _meaning(value)
            return lambda names: inner(names).startswith(start)
        case ast.Call(ast.Attribute(value, "filter"), [ast.Name(name), condition]):
            inner, is_kept = _meaning(value), _meaning(condition)
            return lambda names: [item for item in inner(names) if is_kept({**names, name: item})]
    raise ValueError(f"{ast.unparse(node)}: no rule had that before")
