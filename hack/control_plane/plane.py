"""Starts and stops one control plane whose whole state is in one directory.

`ControlPlane.start` makes it a part of this process: it ends with `stop()`, with the `with` block,
and (on Linux) when the thread that started it dies. Detached it is left running; `attach`
finds it again in its directory.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from control_plane import components, programs
from control_plane.certificates import Authority, KeyPair, service_account_key, write_private
from control_plane.components import LOOPBACK, MANIFESTS, Ports
from control_plane.errors import ControlPlaneError
from control_plane.kubectl import Kubectl, KubectlError
from control_plane.process import Process
from control_plane.programs import Programs, Progress

# What can be left out of kube-controller-manager.
ENDPOINTS = ("endpointslice-controller", "endpoints-controller")
GARBAGE_COLLECTOR = ("garbage-collector-controller",)

READY_DEADLINE = 90.0
POLL_INTERVAL = 0.05
PORT_ATTEMPTS = 3

# Clients before the server, the server before its store: otherwise each waits for the other.
STOP_ORDER = (
    ("kwok", "kube-scheduler", "kube-controller-manager"),
    ("kube-apiserver",),
    ("etcd",),
)


def progress_to_stderr(text: str) -> None:
    print(f"control plane: {text}", file=sys.stderr, flush=True)


class PortTakenError(ControlPlaneError):
    """Another program took a port between our looking and our starting."""


class ControlPlane:
    """A running plane: where it is, and how to talk to it."""

    def __init__(
        self, state_dir: Path, progress: Progress = progress_to_stderr, address: str = LOOPBACK
    ) -> None:
        # Resolved: processes are recognised by this path in their command lines.
        self.state_dir = state_dir.resolve()
        self._root = self.state_dir / "control-plane"
        self._progress = progress
        self._address = address
        self._processes: list[Process] = []
        self._detached = False

    @classmethod
    def start(
        cls,
        state_dir: Path,
        *,
        kubelet: bool = True,
        audit: bool = True,
        without: Sequence[str] = (),
        crds: Sequence[Path] = (),
        address: str = LOOPBACK,
        detached: bool = False,
        progress: Progress = progress_to_stderr,
    ) -> ControlPlane:
        """A plane of this process, or, `detached`, one that outlives it.

        Without `kubelet` (kwok) no pod runs and no claim is bound.

        `without` some controllers of kube-controller-manager, such as ENDPOINTS: the addresses of
        simulated pods lead nowhere, and whoever wants requests to arrive writes others.

        Owners of a kind in `crds` (files) are known to the garbage collector from the start; it
        takes up to a minute to notice a CRD that comes later.

        At another `address` of this machine real kubelets reach the API server, and there are no
        simulated nodes: `real_node` does that.
        """
        plane = cls(state_dir, progress, address)
        plane._detached = detached
        plane._start(kubelet=kubelet, audit=audit, without=without, crds=crds)
        return plane

    @classmethod
    def attach(cls, state_dir: Path, progress: Progress = progress_to_stderr) -> ControlPlane:
        """What an earlier process started in `state_dir`, running or not: ask `ready`."""
        plane = cls(state_dir, progress)
        plane._processes = Process.recorded(plane._root)
        return plane

    def __enter__(self) -> ControlPlane:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's: self-contained, may be copied elsewhere."""
        return self.state_dir / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        return self.state_dir / "bin" / "kubectl"

    @property
    def audit_log(self) -> Path:
        """One JSON line per finished request: read it with `control_plane.audit`."""
        return self._root / "logs" / "audit.log"

    @property
    def logs(self) -> Path:
        return self._root / "logs"

    @property
    def url(self) -> str:
        return str(yaml.safe_load(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])

    @property
    def env(self) -> Mapping[str, str]:
        """To be added to a child's environment, so that it talks to this plane and no other."""
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "K8S_AUTH_KUBECONFIG": str(self.kubeconfig),
            # kubectl caches per address what it discovers, and the next plane may get this port.
            "KUBECACHEDIR": str(self._root / "kubectl-cache"),
        }

    @property
    def ready(self) -> bool:
        if not self._processes or not all(process.alive for process in self._processes):
            return False
        return self._answers_ready()

    @property
    def processes(self) -> Mapping[str, int]:
        """The pid of each program that is alive."""
        return {process.name: process.pid for process in self._processes if process.alive}

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig of somebody else, with the rights that RBAC gives them: none at first."""
        path = self._root / "pki" / f"user-{user.replace(':', '-')}.kubeconfig"
        pair = Authority.load(self._root / "pki").client(user, groups)
        self._write_kubeconfig(path, self.url, user, pair)
        return path

    def restart(self, name: str) -> None:
        """Kills one program of a plane of this process, and starts it as it was."""
        (found,) = (process for process in self._processes if process.name == name)
        found.kill()
        self._processes.remove(found)
        started = self._launch(name, list(found.command))
        self._wait("the API server to be ready", self._answers_ready, started)

    def stop(self) -> None:
        """Ends what was started, by pid, in order; harmless when nothing is left."""
        for names in STOP_ORDER:
            group = [process for process in self._processes if process.name in names]
            for process in group:
                process.terminate()
            for process in group:
                process.wait_stopped()
        self._processes = []

    def _start(
        self, *, kubelet: bool, audit: bool, without: Sequence[str], crds: Sequence[Path]
    ) -> None:
        found = programs.ensure(self._progress)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        waiting = f"another start in {self.state_dir} is under way: waiting"
        lock = self.state_dir / ".control-plane.lock"
        with programs.file_lock(lock, lambda: self._progress(waiting)):
            self._discard_leftovers()
            for attempt in range(1, PORT_ATTEMPTS + 1):
                try:
                    self._start_once(
                        found,
                        kubelet=kubelet,
                        audit=audit,
                        without=without,
                        crds=crds,
                    )
                    return
                except PortTakenError as taken:
                    self.stop()
                    if attempt == PORT_ATTEMPTS:
                        raise
                    self._progress(f"{taken}: trying other ports")
                except BaseException:
                    self.stop()
                    raise

    def _discard_leftovers(self) -> None:
        earlier = ControlPlane.attach(self.state_dir, self._progress)
        if earlier.ready:
            raise ControlPlaneError(
                f"A control plane is up in {self.state_dir} already. End it with "
                f"`python -m control_plane down --state {self.state_dir}`."
            )
        earlier.stop()
        shutil.rmtree(self._root, ignore_errors=True)

    def _start_once(
        self,
        found: Programs,
        *,
        kubelet: bool,
        audit: bool,
        without: Sequence[str],
        crds: Sequence[Path],
    ) -> None:
        started = time.monotonic()
        ports = _free_ports()
        self._lay_out(found, ports)
        root = self._root
        store = self._launch("etcd", components.etcd(found, root, ports))
        self._wait("etcd to listen", lambda: _listens(ports.etcd), store)
        command = components.kube_apiserver(found, root, ports, audit=audit, address=self._address)
        server = self._launch("kube-apiserver", command)
        self._wait("the API server to be ready", self._answers_ready, server)
        self._install_crds(crds)
        command = components.kube_controller_manager(
            found, root, without=without, heartbeats=not self._is_simulated
        )
        manager = self._launch("kube-controller-manager", command)
        self._launch("kube-scheduler", components.kube_scheduler(found, root))
        if self._is_simulated:
            base = (MANIFESTS / name for name in ("nodes.yaml", "storage-class.yaml"))
            self._kubectl("apply", "--server-side", *_filenames(base))
        self._wait("the default ServiceAccount", self._has_default_account, manager)
        if kubelet and self._is_simulated:
            fake = self._launch("kwok", components.kwok(found, root))
            self._wait("the nodes to be Ready", self._nodes_are_ready, fake)
        self._progress(f"up at {self.url} in {time.monotonic() - started:.1f} s")

    @property
    def _is_simulated(self) -> bool:
        return self._address == LOOPBACK

    def _launch(self, name: str, command: list[str]) -> Process:
        process = Process.start(name, command, self._root, detached=self._detached)
        self._processes.append(process)
        return process

    def _lay_out(self, found: Programs, ports: Ports) -> None:
        # Keys and the store are in there: for nobody else to read.
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700)
        for name in ("pki", "logs", "run"):
            (self._root / name).mkdir()
        self._write_certificates(f"https://{self._address}:{ports.api}")
        self.kubectl.parent.mkdir(exist_ok=True)
        self.kubectl.unlink(missing_ok=True)
        self.kubectl.symlink_to(found.kubectl)

    def _write_certificates(self, url: str) -> None:
        pki = self._root / "pki"
        authority = Authority.create()
        authority.pair.write(pki, "ca")
        hosts = ("127.0.0.1", "localhost", "kubernetes.default.svc", "10.96.0.1", self._address)
        authority.server(tuple(dict.fromkeys(hosts))).write(pki, "server")
        authority.client("kube-apiserver", ["system:masters"]).write(pki, "kubelet-client")
        write_private(pki / "service-account.key", service_account_key())
        # The controllers are administrators too: their narrow roles are upstream's to test, and
        # one account per controller costs a second at every start.
        for user, path in {
            "admin": self.kubeconfig,
            "system:kube-controller-manager": pki / "kube-controller-manager.kubeconfig",
            "system:kube-scheduler": pki / "kube-scheduler.kubeconfig",
            "kwok": pki / "kwok.kubeconfig",
        }.items():
            self._write_kubeconfig(path, url, user, authority.client(user, ["system:masters"]))

    def _write_kubeconfig(self, path: Path, url: str, user: str, pair: KeyPair) -> None:
        authority = (self._root / "pki" / "ca.crt").read_bytes()
        content: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": url, "certificate-authority-data": _base64(authority)},
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _base64(pair.certificate),
                        "client-key-data": _base64(pair.key),
                    },
                }
            ],
            "contexts": [
                {
                    "name": "local",
                    "context": {"cluster": "local", "user": user, "namespace": "default"},
                }
            ],
            "current-context": "local",
        }
        write_private(path, yaml.safe_dump(content, sort_keys=False).encode())

    def _install_crds(self, crds: Sequence[Path]) -> None:
        if crds:
            self._kubectl("apply", "--server-side", *_filenames(crds))
            apiserver = next(item for item in self._processes if item.name == "kube-apiserver")
            self._wait("the CRDs to be served", lambda: self._are_established(crds), apiserver)

    def _are_established(self, crds: Sequence[Path]) -> bool:
        # Not `kubectl wait` or jsonpath: both fail on a CRD that has no conditions yet.
        found = json.loads(self._kubectl("get", *_filenames(crds), "--output=json"))
        return all(_is_established(crd) for crd in found.get("items", [found]))

    def _kubectl(self, *arguments: str) -> str:
        try:
            return Kubectl(self.kubectl, self.env)(*arguments)
        except KubectlError as error:
            raise ControlPlaneError(str(error)) from error

    def _has_default_account(self) -> bool:
        answer = Kubectl(self.kubectl, self.env).run("get", "serviceaccount", "default")
        return answer.returncode == 0

    def _nodes_are_ready(self) -> bool:
        path = "{.items[*].status.conditions[?(@.type=='Ready')].status}"
        return self._kubectl("get", "nodes", f"--output=jsonpath={path}") == "True True True"

    def _answers_ready(self) -> bool:
        try:
            context = ssl.create_default_context(cafile=str(self._root / "pki" / "ca.crt"))
            url = f"{self.url}/readyz"
            with urllib.request.urlopen(url, timeout=2, context=context) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            # Refused, reset, not yet allowed, or no files left: all of them "not ready".
            return False

    def _wait(self, what: str, condition: Callable[[], bool], concerned: Process) -> None:
        deadline = time.monotonic() + READY_DEADLINE
        while not self._holds(condition):
            if time.monotonic() > deadline:
                raise ControlPlaneError(
                    f"Waited {READY_DEADLINE:.0f} s for {what}.\n{concerned.log_tail()}"
                )
            time.sleep(POLL_INTERVAL)

    def _holds(self, condition: Callable[[], bool]) -> bool:
        for process in self._processes:
            if not process.alive:
                raise _ended(process)
        return condition()


def _is_established(crd: Mapping[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)


def _ended(process: Process) -> ControlPlaneError:
    if process.said("address already in use"):
        return PortTakenError(f"{process.name} found its port taken")
    code = process.child.returncode if process.child else "unknown"
    return ControlPlaneError(
        f"{process.name} ended (exit code {code}) while the plane was starting.\n"
        f"{process.log_tail()}"
    )


def _filenames(files: Iterable[Path]) -> list[str]:
    return [f"--filename={file}" for file in files]


def _free_ports() -> Ports:
    # All three are held open together, so that they differ.
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return Ports(*(held.getsockname()[1] for held in sockets))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
