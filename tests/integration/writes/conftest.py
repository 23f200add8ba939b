"""A control plane that serves every kind that a router can own, refuses on demand, and leaves what
loses its owner where it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import every_kind
import pytest
from conftest import crd_files
from control_plane import ControlPlane, Kubectl
from control_plane.plane import ENDPOINTS, GARBAGE_COLLECTOR
from eventually import eventually
from integration.writes import optional_kinds
from integration.writes.cluster import ADMISSION, OPERATOR, REFUSED, Cluster, with_annotation


@pytest.fixture(scope="package")
def control_plane(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ControlPlane]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    directory = tmp_path_factory.mktemp("plane")
    with capture.global_and_fixture_disabled():
        crds = [*crd_files(), *optional_kinds.crd_files(directory)]
        without = (*ENDPOINTS, *GARBAGE_COLLECTOR)
        plane = ControlPlane.start(directory, kubelet=False, without=without, crds=crds)
    with plane:
        yield plane


@pytest.fixture(scope="package")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    """With the admission policy in force."""
    run = Kubectl(control_plane.kubectl, control_plane.env)
    run("apply", f"--filename={ADMISSION}")
    probe = with_annotation(every_kind.objects("default")[-1], REFUSED)
    eventually(
        lambda: (
            run.run(
                "create", "--dry-run=server", "--filename=-", stdin=json.dumps(probe)
            ).returncode
        ),
        message="the admission policy to be in force",
    )
    return run


@pytest.fixture(scope="package")
def kubeconfig(control_plane: ControlPlane) -> Path:
    """The operator's, by whose name the audit log knows it."""
    return control_plane.kubeconfig_for(OPERATOR, ["system:masters"])


@pytest.fixture
def cluster(control_plane: ControlPlane, kubeconfig: Path, namespace: str) -> Cluster:
    return Cluster(control_plane, kubeconfig, namespace)


@pytest.fixture(scope="module")
def shared_cluster(control_plane: ControlPlane, kubeconfig: Path, shared_namespace: str) -> Cluster:
    return Cluster(control_plane, kubeconfig, shared_namespace)
