"""Every reason of a condition is on the closed list."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import KINDS
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import conditions, reasons

ROOT = Path(conditions.__file__).parents[3]


def _stated_reasons() -> Iterator[tuple[str, str]]:
    """Every literal that becomes a reason, wherever a Problem or a Trouble is made."""
    for path in ROOT.glob("plugins/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = getattr(node.func, "id", getattr(node.func, "attr", ""))
            values: list[ast.expr] = []
            if called in ("Problem", "Trouble", "Admission"):
                values += [word.value for word in node.keywords if word.arg == "reason"]
                values += node.args[:1]
            if called == "condition":
                values += node.args[2:3]
            if called in ("_not_ready", "_unresolved"):
                values += node.args[1:2]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
                    yield str(path.relative_to(ROOT)), value.value


def test_every_reason_is_on_the_closed_list() -> None:
    stated = list(_stated_reasons())
    assert len(stated) > 20
    assert [pair for pair in stated if pair[1] not in reasons.REASONS] == []


def test_reasons_are_camel_case_words() -> None:
    assert [word for word in reasons.REASONS if not re.fullmatch(r"[A-Z][A-Za-z]+", word)] == []


def test_every_reason_of_an_unresolved_backend_has_a_field_and_a_remedy() -> None:
    source = ast.parse((ROOT / "plugins/module_utils/facts/backends.py").read_text())
    used = {
        call.args[1].value
        for call in ast.walk(source)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("_not_ready", "unresolved")
        and len(call.args) > 1
        and isinstance(call.args[1], ast.Constant)
    }
    assert used
    of_kinds = {kind.nothing for kind in KINDS} | {
        reason for kind in KINDS if kind.object for reason in kind.object.reasons
    }
    used |= of_kinds - {""}
    assert used == set(reasons._BACKEND_REMEDIES)
