"""kwok as the kubelet of one node whose pods are processes of this machine.

The control plane's own kwok serves no ports and no logs. This one does nothing else: whoever
forwards a port of the pod through the API server reaches what really listens.
"""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from control_plane import ControlPlane, Kubectl
from control_plane.certificates import Authority
from control_plane.plane import progress_to_stderr
from control_plane.programs import ensure
from integration.data_path import wait
from integration.data_path.envoy_process import free_ports

NODE = "this-machine"


@contextmanager
def serving(
    plane: ControlPlane,
    kubectl: Kubectl,
    kwok: Path,
    directory: Path,
    ports: Mapping[int, int],
    logs: Mapping[str, Path],
) -> Iterator[None]:
    """A node with a kubelet.

    ports: of its pods, each with one of this machine. logs: by container.
    """
    (port,) = free_ports(1)
    certificate, key = Authority.create().server(["127.0.0.1"]).write(directory, "kubelet")
    config = directory / "kwok.yaml"
    config.write_text(yaml.safe_dump_all(_behaviour(ports, logs)))
    command = [
        kwok, f"--kubeconfig={plane.kubeconfig}", f"--config={config}",
        # It looks after no node: the other one does, and this one answers for the pods.
        "--manage-single-node=no-node-of-this-name", f"--server-address=127.0.0.1:{port}",
        f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
        "--node-lease-duration-seconds=0",
    ]  # fmt: skip
    with (directory / "kwok.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait.until(lambda: _listens(port), "kwok listens")
            kubectl("apply", "-f", "-", stdin=json.dumps(_node()))
            status = ("patch", "node", NODE, "--subresource=status", "--type=merge", "-p")
            kubectl(*status, json.dumps({"status": _status(port)}))
            yield
        finally:
            kubectl("delete", "node", NODE, "--ignore-not-found", "--wait=false")
            process.terminate()
            process.wait(20)


def _behaviour(ports: Mapping[int, int], logs: Mapping[str, Path]) -> list[dict[str, Any]]:
    forwards = [
        {"ports": [port], "target": {"address": "127.0.0.1", "port": here}}
        for port, here in ports.items()
    ]
    files = [{"containers": [container], "logsFile": str(file)} for container, file in logs.items()]
    head = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "metadata": {"name": "all"}}
    return [
        {**head, "kind": "ClusterPortForward", "spec": {"forwards": forwards}},
        {**head, "kind": "ClusterLogs", "spec": {"logs": files}},
        # It does not start without one.
        {
            **head,
            "kind": "Stage",
            "spec": {
                "resourceRef": {"apiGroup": "v1", "kind": "Node"},
                "selector": {"matchLabels": {"never": "matches"}},
                "next": {"statusTemplate": ""},
            },
        },
    ]


def _node() -> dict[str, Any]:
    # No other pod wants to be here.
    taint = {"key": "this-machine", "effect": "NoSchedule"}
    head = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}
    return {**head, "spec": {"taints": [taint]}}


def _status(port: int) -> dict[str, Any]:
    return {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "conditions": [{"type": "Ready", "status": "True", "reason": "Test", "message": ""}],
    }


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def program() -> Path:
    """kwok, built with the control plane."""
    return ensure(progress_to_stderr).kwok


class ContainerLog:
    """What a program writes into a file, as a container runtime does: each line with a time."""

    def __init__(self, source: Path, target: Path) -> None:
        self.path = target
        self._source = source
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._copy)
        self.path.touch()

    def __enter__(self) -> ContainerLog:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _copy(self) -> None:
        with self._source.open() as lines, self.path.open("a", buffering=1) as out:
            while not self._end.is_set():
                line = lines.readline()
                if not line:
                    self._end.wait(0.02)
                    continue
                now = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
                out.write(f"{now} stdout F {line.rstrip()}\n")
