"""What every test of a cluster starts from: one control plane per run, one namespace per test.

A test that asks for `control_plane`, directly or through `kubectl` or `namespace`, gets the marker
`cluster`. When a test with a namespace fails, its report shows what was in there.
"""

from __future__ import annotations

import signal
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from control_plane import ControlPlane, Kubectl

CHECKOUT = Path(__file__).resolve().parent.parent
CRD_DIRECTORIES = (CHECKOUT / "config" / "crd" / "bases", CHECKOUT / "tests" / "crds")
DUMPED = (
    ("get", "semanticrouters.vllm.ai", "--output=yaml"),
    ("get", "all,configmaps,persistentvolumeclaims", "--output=wide"),
    ("get", "events", "--sort-by=.lastTimestamp"),
)

# A shell has its background jobs ignore these, and so all that the tests start, and interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGQUIT) == signal.SIG_IGN:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def shared_control_plane(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ControlPlane]:
    """A control plane with the project's CRD and the stand-ins of tests/crds."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # Uncaptured: the first run builds the programs, and minutes of silence look like a hang.
    with capture.global_and_fixture_disabled():
        plane = ControlPlane.start(tmp_path_factory.mktemp("plane"), crds=crd_files())
    with plane:
        yield plane


@pytest.fixture(scope="session")
def control_plane(shared_control_plane: ControlPlane) -> ControlPlane:
    """The cluster of a test; directories of tests may have another one."""
    return shared_control_plane


def crd_files() -> list[Path]:
    return [file for directory in CRD_DIRECTORIES for file in sorted(directory.glob("*.yaml"))]


@pytest.fixture(scope="session")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """`kubectl("get", "pods", "-n", namespace, stdin=None, check=True)` returns what it printed."""
    return Kubectl(control_plane.kubectl, control_plane.env)


@pytest.fixture
def namespace(kubectl: Kubectl) -> Iterator[str]:
    """A namespace that only this test uses; its removal is not waited for."""
    yield from _fresh_namespace(kubectl)


@pytest.fixture(scope="module")
def shared_namespace(kubectl: Kubectl) -> Iterator[str]:
    """The same for the tests of one file together."""
    yield from _fresh_namespace(kubectl)


def _fresh_namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:10]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    used = getattr(item, "funcargs", {})
    if report.failed and "namespace" in used:
        title = f"namespace {used['namespace']}"
        report.sections.append((title, dump(used["kubectl"], used["namespace"])))
    return report


def dump(kubectl: Kubectl, namespace: str) -> str:
    """For a failure's report: must not fail itself, so kubectl's complaints are part of it."""
    parts = []
    for arguments in DUMPED:
        answer = kubectl.run(*arguments, f"--namespace={namespace}")
        parts.append(f"$ kubectl {' '.join(arguments)}\n{answer.stdout}{answer.stderr}")
    return "\n".join(parts)
