"""One control plane, one operator and one Envoy Gateway for all that is about Gateways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import crd_files
from control_plane import ControlPlane, Kubectl, envoy_gateway
from control_plane.plane import ENDPOINTS, progress_to_stderr
from control_plane.process import Process
from e2e.gateway.gateways import create_class
from e2e.operator_process import Operator, running_operator


@pytest.fixture(scope="package")
def control_plane(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[ControlPlane]:
    """With the Gateway API; what a Service leads to, the tests say."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # Uncaptured: the first run downloads modules, and minutes of silence look like a hang.
    with capture.global_and_fixture_disabled():
        crds = [*crd_files(), *envoy_gateway.crd_files()]
    directory = tmp_path_factory.mktemp("plane")
    with ControlPlane.start(directory, without=ENDPOINTS, crds=crds) as plane:
        yield plane


@pytest.fixture(scope="package")
def kubectl(control_plane: ControlPlane) -> Kubectl:
    return Kubectl(control_plane.kubectl, control_plane.env)


@pytest.fixture(scope="package")
def operator(
    engine: str, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    with running_operator(tmp_path_factory, control_plane, engine) as started:
        yield started


@pytest.fixture(scope="package")
def real_controller(
    control_plane: ControlPlane,
    kubectl: Kubectl,
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> Iterator[Process]:
    """Envoy Gateway with a GatewayClass of its own."""
    kubectl("create", "namespace", envoy_gateway.NAMESPACE)
    create_class(kubectl, "eg", envoy_gateway.CONTROLLER)
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        envoy_gateway.ensure(progress_to_stderr)
    directory = tmp_path_factory.mktemp("envoy-gateway")
    with envoy_gateway.running(directory, control_plane.env, progress_to_stderr) as process:
        yield process
