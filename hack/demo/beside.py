"""Where pods are simulated: Envoy on the files that the operator rendered, beside the cluster.

Envoy is the real one. The router and the model servers are the stand-ins that real pods would have.
Of the files, addresses alone are changed: what a pod has for itself is on free ports of loopback.
"""

from __future__ import annotations

import copy
import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import yaml
from control_plane import ControlPlaneError, Kubectl
from control_plane.process import Process

PACKAGES = Path(__file__).resolve().parent.parent
LOCAL = ("127.0.0.1", "0.0.0.0", "::")  # noqa: S104 what the rendered files have
EXT_PROC, API, METRICS, ADMIN, LISTENER = 50051, 8081, 9190, 19000, 8080
DEADLINE = 30.0
INTERVAL = 0.1


def moved(
    bootstrap: dict[str, Any], servers: Mapping[str, int], port_for: Callable[[int], int], own: str
) -> dict[str, Any]:
    """servers: Service's name -> port of loopback; own: what tells this one's sockets apart."""
    document = copy.deepcopy(bootstrap)
    _move(document, servers, port_for, own)
    return document


def _move(node: Any, servers: Mapping[str, int], port_for: Callable[[int], int], own: str) -> None:
    if isinstance(node, list):
        for item in node:
            _move(item, servers, port_for, own)
    elif isinstance(node, dict):
        address = node.get("address")
        if isinstance(address, str) and "port_value" in node:
            known = servers.get(address)
            if address in LOCAL:
                node["port_value"] = port_for(node["port_value"])
            elif known:
                node["port_value"] = known
            # Who is not there gets no neighbour's answer either, and nobody else is let in.
            node["address"] = "127.0.0.1"
        if "pipe" in node:
            node["pipe"] = {"path": node["pipe"]["path"] + own}
        for value in node.values():
            _move(value, servers, port_for, own)


class Beside:
    """Processes of one directory, which outlive this one until `stop`."""

    def __init__(self, state: Path) -> None:
        self._root = state.resolve() / "data-path"

    def start(self, kubectl: Kubectl, router: str, models: Mapping[str, tuple[str, str]]) -> int:
        """The port that Envoy listens on. models: host -> who serves there, and which model."""
        names = (f"{router}-config", f"{router}-envoy-config")
        return self.serve({**_data(kubectl, names[0]), **_data(kubectl, names[1])}, models)

    def serve(self, files: Mapping[str, str], models: Mapping[str, tuple[str, str]]) -> int:
        """The same on these files, by their names in a pod."""
        self.stop()
        for folder in ("logs", "run"):
            (self._root / folder).mkdir(parents=True)
        with ExitStack() as stack:
            # Held until all are known, so that no two are the same.
            free = {port: _free(stack) for port in (EXT_PROC, API, METRICS, ADMIN, LISTENER)}
            others: dict[int, int] = {}

            def port_for(port: int) -> int:
                return free.get(port) or others.setdefault(port, _free(stack))

            servers = {host: _free(stack) for host in models}
            envoy = yaml.safe_load(files["envoy.yaml"])
            (self._root / "config.yaml").write_text(files["config.yaml"])
            there = moved(envoy, servers, port_for, f"-{os.getpid()}")
            (self._root / "envoy.yaml").write_text(yaml.safe_dump(there, sort_keys=False))
        for host, (name, model) in models.items():
            said = {"STAND_IN_NAME": name}
            self._start(name, "stand_ins.model", (str(servers[host]), model), said)
        ports = {"port": EXT_PROC, "api-port": API, "metrics-port": METRICS}
        flags = [f"-{name}={free[port]}" for name, port in ports.items()]
        file = f"-config={self._root / 'config.yaml'}"
        self._start("router", "stand_ins.router", (file, *flags), {"STAND_IN_LOAD_SECONDS": "0"})
        envoy_program = str(Path(sys.executable).parent / "envoy")
        options = (
            "--disable-hot-restart",
            "--concurrency",
            "2",
            "--file-flush-interval-msec",
            "100",
        )
        configuration = ("--config-path", str(self._root / "envoy.yaml"))
        command = [envoy_program, *configuration, *options]
        self._wait_for(Process.start("envoy", command, self._root, detached=True), free[ADMIN])
        return free[LISTENER]

    def log(self, name: str) -> Path:
        return self._root / "logs" / f"{name}.log"

    def stop(self) -> bool:
        """Whether there was something to end."""
        running = [process for process in Process.recorded(self._root) if process.alive]
        for process in running:
            process.stop()
        shutil.rmtree(self._root, ignore_errors=True)
        return bool(running)

    def _start(
        self, name: str, module: str, arguments: tuple[str, ...], environment: dict[str, str]
    ) -> None:
        given = {"PYTHONPATH": str(PACKAGES), **environment}
        assigned = [f"{key}={value}" for key, value in given.items()]
        directory = f"--chdir={self._root}"
        # `env` is gone once it has become Python, whose arguments name no directory.
        named = ("-X", f"pycache_prefix={self._root / 'pycache'}")
        program = [sys.executable, *named, "-m", module, *arguments]
        Process.start(name, ["env", directory, *assigned, *program], self._root, detached=True)

    def _wait_for(self, process: Process, admin: int) -> None:
        deadline = time.monotonic() + DEADLINE
        while not _is_ready(admin):
            if not process.alive or time.monotonic() > deadline:
                raise ControlPlaneError(f"Envoy does not serve.\n{process.log_tail()}")
            time.sleep(INTERVAL)


def _data(kubectl: Kubectl, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(kubectl("get", "configmap", name, "-o", "json"))["data"]
    return found


def _free(stack: ExitStack) -> int:
    each = stack.enter_context(socket.socket())
    each.bind(("127.0.0.1", 0))
    port: int = each.getsockname()[1]
    return port


def _is_ready(admin: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()
