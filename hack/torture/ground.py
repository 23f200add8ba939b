"""Where campaigns take place: a control plane, the operator as a process, and the API by hand."""

from __future__ import annotations

import base64
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import operator_account
import stock_engine
import urllib3
import yaml
from control_plane import ControlPlane
from control_plane.envoy_gateway import gateway_api_crd_files

from torture.outcome import Outcome

Manifest = dict[str, Any]
Value = TypeVar("Value")

CHECKOUT = Path(__file__).resolve().parents[2]
EMBEDDED, STOCK = "embedded", "stock"
MERGE, JSON_PATCH, APPLY = (
    f"application/{name}" for name in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)
ALL_ROUTERS = "/apis/vllm.ai/v1alpha1/semanticrouters"
ROUTERS = "/apis/vllm.ai/v1alpha1/namespaces/{namespace}/semanticrouters"
START_DEADLINE = 240.0
STOP_DEADLINE = 60.0
POLL_INTERVAL = 0.2
# In which all is to be right again.
HEALED = 30.0
BUSY = 4.0


class RefusedError(Exception):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """One API server, as the administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        config = yaml.safe_load(plane.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        with tempfile.NamedTemporaryFile() as pair:
            for name in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[name]) + b"\n")
            pair.flush()
            context.load_cert_chain(pair.name)
        self._host = cluster["server"]
        self._pool = urllib3.PoolManager(ssl_context=context, maxsize=4, retries=2)

    def __call__(
        self, method: str, path: str, body: Any = None, content: str = "application/json"
    ) -> Any:
        """The answer; RefusedError for anything from 300 on."""
        answer = self._pool.request(
            method,
            self._host + path,
            body=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content},
            timeout=30,
        )
        told = json.loads(answer.data)
        if answer.status >= 300:
            raise RefusedError(answer.status, told.get("message", ""))
        return told

    def find(self, path: str) -> Any | None:
        """None when there is no such thing."""
        try:
            return self("GET", path)
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise


class Operator:
    """`wrapper-runner run` of this checkout; its log is one JSON object a line.

    environment: by which it finds the API server, and whatever else it is to be told.
    """

    def __init__(
        self, directory: Path, environment: Mapping[str, str], engine: str = EMBEDDED
    ) -> None:
        self.directory = directory
        self.log = directory / "operator.log"
        self.engine = engine
        self.environment = dict(environment)
        self._binaries = Path(sys.executable).parent
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *arguments: str) -> None:
        """Returns when it watches."""
        self.directory.mkdir(parents=True, exist_ok=True)
        inherited = {
            name: value for name, value in os.environ.items() if name != stock_engine.BINARY
        }
        path = f"{self._binaries}:{os.environ['PATH']}"
        if self.engine == STOCK:
            inherited |= stock_engine.environment()
        else:
            arguments = (f"--runner-dir={self.directory / 'runs'}", *arguments)
        starts = self.text.count("Starting workers")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._binaries / "wrapper-runner"),
                    "run",
                    f"--watches-file={CHECKOUT / 'watches.yaml'}",
                    *("--metrics-bind-address=0", "--health-probe-bind-address=0"),
                    *arguments,
                ],
                env={**inherited, "PATH": path, **self.environment},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if not until(lambda: self.text.count("Starting workers") > starts, START_DEADLINE):
            raise RuntimeError(f"the operator does not start:\n{self.text[-4000:]}")

    def kill(self) -> None:
        """SIGKILL to it and all that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_DEADLINE)
            self._process = None

    def pause(self) -> None:
        """Neither it nor what it started does anything, and nobody is told."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGCONT)

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the operator does not end:\n{self.text[-4000:]}") from None
        self._process = None
        if code < 0:
            raise RuntimeError(f"the operator died of signal {-code}:\n{self.text[-4000:]}")

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def runs_took(self) -> list[float]:
        """Seconds, of all runs that have come to their end; only the embedded engine says so."""
        entries = (json.loads(line) for line in self.text.splitlines() if '"Reconciled"' in line)
        return [float(entry["duration"].removesuffix("s")) for entry in entries]

    @property
    def traceback(self) -> str:
        """The first that it has logged, or "" for none."""
        _, found, after = self.text.partition("Traceback")
        return f"{found}{after}"[:2000]


class Ground:
    """One plane, an operator with the rights that config/default gives it, and namespaces with
    what routers need."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.plane = plane
        self.directory = directory
        self.api = Api(plane)
        self.environment = dict(operator_account.environment(plane))
        self.operator = Operator(directory / "operator", self.environment)

    def judge(self, outcome: Outcome, what: str) -> None:
        """What has to hold whatever was done: no traceback, and rights that suffice."""
        if self.operator.traceback:
            outcome.violated("no traceback", what, self.operator.traceback)
        # Its access reviews ask for nothing.
        missed = {
            f"{request.verb} {request.resource} in {request.namespace or 'the cluster'}"
            for request in operator_account.refused(self.plane)
        }
        for request in sorted(missed):
            outcome.violated("the rights of config/default suffice", what, request)

    def namespace(self, name: str) -> None:
        """With the Service that `router` sends its model to."""
        self.api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self.service(name, "vllm-qwen")

    def service(self, namespace: str, name: str) -> None:
        """It has an address."""
        ports = [{"name": "http", "port": 8000}]
        path = f"/api/v1/namespaces/{namespace}/services"
        self.api("POST", path, {"metadata": {"name": name}, "spec": {"ports": ports}})
        self.api(
            "POST",
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            {
                "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4",
                "ports": ports,
                "endpoints": [{"addresses": ["192.0.2.10"]}],
            },
        )

    def tidy(self) -> None:
        """The next one on this plane has nothing to do with its routers."""
        for item in self.api("GET", ALL_ROUTERS)["items"]:
            metadata = item["metadata"]
            self.api("DELETE", self.router_path(metadata["namespace"], metadata["name"]))

    def router_path(self, namespace: str, name: str = "") -> str:
        return ROUTERS.format(namespace=namespace) + (f"/{name}" if name else "")


def router(name: str, spec: Manifest | None = None) -> Manifest:
    """The smallest that serves a model, and `spec` over it."""
    service = {"type": "service", "service": {"name": "vllm-qwen", "port": 8000}}
    least: Manifest = {
        "persistence": {"enabled": False},
        "vllmEndpoints": [{"name": "qwen", "model": "qwen2.5-7b", "backend": service}],
    }
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": name},
        "spec": {**least, **(spec or {})},
    }


def until(look: Callable[[], Value], timeout: float) -> Value | None:
    """The first truthy answer, or None when there was none in time."""
    deadline = time.monotonic() + timeout
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_INTERVAL)


def in_time(seconds: float = HEALED) -> float:
    """Longer where more than BUSY processes want each core, as much as there are more."""
    return seconds * max(1.0, load() / BUSY)


def load() -> float:
    """How many processes want a core at a time, of late."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


@contextmanager
def plane() -> Iterator[ControlPlane]:
    """A control plane with the CRDs of what routers and their backends may be."""
    of_ours = [
        file
        for folder in (CHECKOUT / "config" / "crd" / "bases", CHECKOUT / "tests" / "crds")
        for file in sorted(folder.glob("*.yaml"))
    ]
    crds = [*of_ours, *gateway_api_crd_files()]
    with (
        tempfile.TemporaryDirectory(prefix="torture-") as directory,
        ControlPlane.start(Path(directory), crds=crds) as made,
    ):
        yield made


@contextmanager
def ground(plane: ControlPlane) -> Iterator[Ground]:
    """An operator that watches; it and all routers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="torture-") as directory:
        made = Ground(plane, Path(directory))
        try:
            made.operator.start("--max-concurrent-reconciles=2")
            yield made
        finally:
            try:
                made.operator.stop()
            finally:
                made.tidy()
