"""The operator on the control plane, in the engines that this machine has."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from conftest import crd_files
from control_plane import ControlPlane, Kubectl
from e2e.operator_process import ENGINES, Operator, making_room, running_operator
from e2e.semantic_router import SemanticRouter
from e2e.shell import Shell


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """What drives the playbooks."""
    return str(request.param)


@pytest.fixture(scope="module")
def extra_crds() -> list[Path]:
    """A module that wants a cluster of its own gives CRDs beside the project's."""
    return []


@pytest.fixture(scope="module")
def control_plane(
    request: pytest.FixtureRequest,
    extra_crds: list[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ControlPlane]:
    """The cluster that all share, or the module's own."""
    if not extra_crds:
        yield request.getfixturevalue("shared_control_plane")
        return
    crds = [*crd_files(), *extra_crds]
    with ControlPlane.start(tmp_path_factory.mktemp("plane"), crds=crds) as plane:
        yield plane


@pytest.fixture(scope="module")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """As in ../conftest.py, for this cluster."""
    return Kubectl(control_plane.kubectl, control_plane.env)


@pytest.fixture(scope="session")
def shared_operator(
    engine: str, shared_control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    with running_operator(tmp_path_factory, shared_control_plane, engine) as started:
        yield started


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest,
    extra_crds: list[Path],
    engine: str,
    control_plane: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Operator]:
    """One operator for all tests of a cluster that do not disturb it."""
    if not extra_crds:
        yield request.getfixturevalue("shared_operator")
        return
    with running_operator(tmp_path_factory, control_plane, engine) as started:
        yield started


@pytest.fixture
def other_namespace(kubectl: Kubectl) -> Iterator[str]:
    """Another team's."""
    name = f"test-other-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def own_operator(engine: str, control_plane: ControlPlane, tmp_path: Path) -> Iterator[Operator]:
    """An operator that the test starts, stops and kills itself; it must not use `operator` too."""
    mine = Operator(tmp_path / "operator", control_plane, engine)
    with making_room(mine, engine):
        yield mine
        if mine.running:
            mine.kill()


@pytest.fixture
def router(kubectl: Kubectl, namespace: str) -> SemanticRouter:
    """A SemanticRouter of this test alone; nothing is created until it is applied."""
    return SemanticRouter(kubectl, namespace)


@pytest.fixture
def shell(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Shell:
    """Runs a user's commands in this test's namespace."""
    return Shell(tmp_path, control_plane, namespace)


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
