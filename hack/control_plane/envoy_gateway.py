"""The real Envoy Gateway controller beside a control plane, and the CRDs that it needs.

It runs with the provider Kubernetes, as in a cluster. Its Gateways stay unprogrammed, because the
proxies' pods are simulated, but what it thinks of Gateways, routes and policies it says.

One at a time on a machine: several of its ports (18000 to 18002, 8081, 19001) are fixed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from control_plane.errors import ControlPlaneError
from control_plane.modules import module_directory
from control_plane.process import Process
from control_plane.programs import MODULE, Progress, build, cached

PINS = MODULE / "envoy-gateway"
ENVOY_GATEWAY = "github.com/envoyproxy/gateway"
GATEWAY_API = "sigs.k8s.io/gateway-api"
NAMESPACE = "envoy-gateway-system"
CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"

# Absolute in its source, where only root could put them, and open to no flag.
_CERTIFICATES = ('"/certs', '"certs')
_SOURCES_WITH_CERTIFICATES = (
    "internal/gatewayapi/runner/runner.go",
    "internal/globalratelimit/runner/runner.go",
    "internal/provider/kubernetes/kubernetes.go",
    "internal/xds/runner/runner.go",
)
_CONFIGURATION = f"""
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyGateway
gateway: {{controllerName: {CONTROLLER}}}
provider:
  type: Kubernetes
  kubernetes:
    leaderElection: {{disable: true}}
    # A webhook for the proxies' pods, of which there are none.
    topologyInjector: {{disable: true}}
"""


def crd_files() -> list[Path]:
    """The Gateway API's own CRDs, then Envoy Gateway's."""
    chart = module_directory(ENVOY_GATEWAY, PINS) / "charts" / "gateway-helm"
    generated = chart / "charts" / "crds" / "crds" / "generated"
    return [*gateway_api_crd_files(), *sorted(generated.glob("*.yaml"))]


def gateway_api_crd_files() -> list[Path]:
    """The Gateway API's own CRDs (standard channel)."""
    standard = module_directory(GATEWAY_API, PINS) / "config" / "crd" / "standard"
    files = sorted(standard.glob("gateway.networking.k8s.io_*s.yaml"))
    # The safe upgrade policy is for clusters that somebody upgrades.
    return [file for file in files if "vap_" not in file.name]


def ensure(progress: Progress) -> Path:
    """The program, built when it is missing: three minutes on two free cores."""
    source = module_directory(ENVOY_GATEWAY, PINS)
    parts = (text.encode() for text in (*_CERTIFICATES, *_SOURCES_WITH_CERTIFICATES))

    def make(program: Path) -> None:
        progress(f"building Envoy Gateway into {program.parent} (once; about three minutes)")
        _build(source, program, progress)

    return cached("envoy-gateway", [(PINS / "go.sum").read_bytes(), *parts], make, progress)


@contextlib.contextmanager
def running(
    directory: Path, environment: Mapping[str, str], progress: Progress
) -> Iterator[Process]:
    """The controller of the plane that `environment` leads to, until the end of the block."""
    program = ensure(progress)
    root = directory.resolve()
    for name in ("logs", "run"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "envoy-gateway.yaml").write_text(_CONFIGURATION)
    _make_certificates(program, root, environment)
    # Its certificates are looked for where it is started; its environment names the plane.
    settings = [f"{key}={value}" for key, value in _environment(environment).items()]
    command = [str(program), "server", "--config-path", str(root / "envoy-gateway.yaml")]
    process = Process.start(
        "envoy-gateway",
        ["env", f"--chdir={root}", *settings, *command],
        root,
        detached=False,
    )
    try:
        yield process
    finally:
        process.stop()


def proxy_certificates(directory: Path) -> Path:
    """ca.crt, tls.crt and tls.key for the proxies of the controller that runs in `directory`."""
    return directory.resolve() / "home" / "certs" / "envoy"


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    return {**environment, "ENVOY_GATEWAY_NAMESPACE": NAMESPACE}


def _make_certificates(program: Path, root: Path, environment: Mapping[str, str]) -> None:
    answer = subprocess.run(
        [str(program), "certgen", "--local", "--config-home", str(root / "home")],
        env={**os.environ, **_environment(environment)},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        raise ControlPlaneError(f"envoy-gateway certgen failed: {answer.stdout}{answer.stderr}")
    shutil.copytree(root / "home" / "certs" / "envoy-gateway", root / "certs")


def _build(source: Path, program: Path, progress: Progress) -> None:
    """With the versions of its own go.mod, from a copy that has its certificates where it runs."""
    copy = program.with_name("source")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    # The module cache is read-only, its directories too, and the copy is to be removed again.
    for directory in (copy, *(path for path in copy.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    for name in _SOURCES_WITH_CERTIFICATES:
        file = copy / name
        text = file.read_text()
        if _CERTIFICATES[0] not in text:
            raise ControlPlaneError(f"{name} of {ENVOY_GATEWAY} names no {_CERTIFICATES[0]}.")
        file.write_text(text.replace(*_CERTIFICATES))
    try:
        build("./cmd/envoy-gateway", program, progress, copy)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
