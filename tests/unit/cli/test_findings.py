"""Each finding has a code, each code has its place in the documentation, and none changes."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from semantic_router_cli import doctor, findings

DOCS = Path(__file__).parents[3] / "docs"
CALLS = [
    node
    for node in ast.walk(ast.parse(inspect.getsource(doctor)))
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding"
]
# Somebody suppresses these: add to them, and take none away.
RELEASED = {
    "BeingDeleted", "CRDNotInstalled", "CRDOfAnotherVersion", "CRDUnreadable",
    "GatewayModeNotReported", "KubernetesTooOld", "ModelsNotWritable", "ObjectsUnreadable",
    "OperatorBehind", "OperatorElsewhere", "OperatorMissing", "OperatorNotAvailable",
    "OperatorOfAnotherVersion", "OperatorOutside", "OperatorScaledToZero", "OperatorUnreadable",
    "PlatformMistaken", "SecretUnreadable", "WayInNotReported",
    # The operator's, which its conditions carry too.
    "BackendUnreadable", "DeploymentMissing", "DryRun", "NoBackends", "NoReadyAddress", "Paused",
    "RolloutInProgress", "SecretNotFound", "ServiceNotFound",
}  # fmt: skip


def code_of(call: ast.Call) -> ast.expr | None:
    named = [item.value for item in call.keywords if item.arg == "code"]
    # The seventh of a Finding's fields.
    return named[0] if named else call.args[6] if len(call.args) > 6 else None


@pytest.mark.parametrize("call", CALLS, ids=lambda call: str(call.lineno))
def test_what_is_not_well_has_a_code_and_it_is_a_known_one(call: ast.Call) -> None:
    code = code_of(call)
    if ast.unparse(call.args[1]) == "State.OK":
        assert code is None
        return
    assert code is not None, ast.unparse(call)
    if isinstance(code, ast.Constant):
        assert code.value in findings.codes()


def test_no_code_that_was_released_is_gone() -> None:
    assert set(findings.codes()) >= RELEASED


def test_every_code_of_the_doctors_own_is_used_and_was_declared_released() -> None:
    source = inspect.getsource(doctor)
    assert [code for code in findings.OWN if f'"{code}"' not in source] == []
    assert set(findings.OWN) <= RELEASED


@pytest.mark.parametrize("code", findings.OWN)
def test_the_page_says_what_each_code_means_and_what_helps(code: str) -> None:
    known = findings.OWN[code]
    page, _, anchor = known.page.partition("#")
    text = (DOCS / page).read_text()
    _, found, rest = text.partition(f"\n### {code}\n")
    assert found, f"{page} has no heading {code}"
    assert anchor == code.lower()
    section = " ".join(rest.partition("\n### ")[0].split())
    assert known.means in section
    assert known.remedy in section


def test_the_operators_reasons_are_where_the_table_of_all_reasons_is() -> None:
    pages = {code.page for name, code in findings.codes().items() if name not in findings.OWN}
    (page,) = pages
    assert "\n## Every reason\n" in (DOCS / page.partition("#")[0]).read_text()


def test_a_code_that_is_misspelt_is_told_with_the_one_that_is_meant() -> None:
    assert findings.unknown(["NoReadyAddres", "Nonsense", "Paused"]) == {
        "NoReadyAddres": "NoReadyAddress", "Nonsense": "",
    }  # fmt: skip
