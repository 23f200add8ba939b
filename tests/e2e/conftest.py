"""The operator on the control plane, in the engines that this machine has."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane, Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter

ENGINES = ["embedded"] + (["stock"] if os.environ.get("ANSIBLE_OPERATOR_BIN") else [])


@pytest.fixture(scope="session", params=ENGINES)
def operator(
    request: pytest.FixtureRequest,
    control_plane: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """One operator for all tests that do not disturb it."""
    started = Operator(tmp_path_factory.mktemp("operator"), control_plane.env, request.param)
    started.start()
    started.wait_until_said("Starting workers")
    yield started
    assert started.running, f"the operator ended by itself:\n{started.text[-4000:]}"
    assert started.stop() == 0, f"the operator did not end cleanly:\n{started.text[-4000:]}"


@pytest.fixture
def own_operator(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Operator]:
    """An operator that the test starts, stops and kills itself; it must not use `operator` too."""
    mine = Operator(tmp_path / "operator", control_plane.env, "embedded")
    yield mine
    if mine.running:
        mine.kill()


@pytest.fixture
def router(kubectl: Kubectl, namespace: str) -> SemanticRouter:
    """A SemanticRouter of this test alone; nothing is created until it is applied."""
    return SemanticRouter(kubectl, namespace)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    used = getattr(item, "funcargs", {})
    for name in ("operator", "own_operator"):
        if report.failed and name in used:
            tail = "\n".join(used[name].text.splitlines()[-60:])
            report.sections.append(("the operator's log", tail))
    return report
