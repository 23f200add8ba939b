"""What somebody else has in a cluster is found before anything is written there."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from clusters import used
from control_plane import Kubectl

OURS = "example.com/ours"


class Fake(Kubectl):
    """A cluster with these namespaces (name -> whether ours), and routers in some of them."""

    def __init__(self, namespaces: dict[str, bool], routers: list[str] | None) -> None:
        super().__init__(Path("kubectl"), {})
        self._namespaces, self._routers = namespaces, routers

    def run(self, *arguments: str, **_: object) -> CompletedProcess[str]:
        if arguments[:2] == ("get", "namespaces"):
            assert arguments[2:4] == ("-l", f"!{OURS}")
            names = [f"namespace/{name}" for name, ours in self._namespaces.items() if not ours]
            return CompletedProcess(arguments, 0, "\n".join(names), "")
        if self._routers is None:
            return CompletedProcess(arguments, 1, "", "NotFound")
        items = [{"metadata": {"namespace": name}} for name in self._routers]
        return CompletedProcess(arguments, 0, json.dumps({"items": items}), "")


@pytest.mark.parametrize("routers", [None, [], ["test"]])
def test_what_these_tests_have_left_is_nobody_elses(routers: list[str] | None) -> None:
    namespaces = {"default": False, "test": True, used.OPERATOR_NAMESPACE: True}
    assert used.why_not(Fake(namespaces, routers), OURS) == ""


def test_an_operator_that_somebody_installed_is_told() -> None:
    said = used.why_not(Fake({used.OPERATOR_NAMESPACE: False}, None), OURS)
    assert said == f"Somebody's operator is in {used.OPERATOR_NAMESPACE}: name another cluster."


def test_routers_are_told_by_their_namespaces_each_once() -> None:
    namespaces = {"production": False, "default": False, "test": True}
    routers = ["production", "default", "production", "test"]
    said = used.why_not(Fake(namespaces, routers), OURS)
    assert said == "SemanticRouters are in default, production: name another cluster."
