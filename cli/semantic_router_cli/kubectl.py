"""What kubectl itself does for its plugin: unusual ways in, and ports of pods.

Everyday kubeconfigs are read here, which takes no time. For exec plugins, merged kubeconfigs and
whatever else there is, kubectl is asked to carry the requests: it knows all of them, and a second
client that does would be twenty times the plugin.
"""

from __future__ import annotations

import atexit
import re
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.access import Access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import (
    CONNECTIONS,
    Connection,
    connect_as_told,
    unusable,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)

PROGRAMS = ("kubectl", "oc")
_ENDS_WITHIN = 5.0
_SERVING = "Starting to serve"
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) -> \d+")


@dataclass(frozen=True)
class Kubectl:
    """The options that choose a cluster, as kubectl spells them."""

    kubeconfig: str | None = None
    context: str | None = None
    user: str | None = None

    def connect(self) -> Connection:
        """Without kubectl where the kubeconfig is an everyday one."""
        options = {
            "kubeconfig": self.kubeconfig,
            "context": self.context,
            "impersonate_user": self.user,
        }
        given = {name: value for name, value in options.items() if value}
        try:
            return connect_as_told(given, _leave_to_kubectl)
        except _NotEverydayError:
            return self._proxied()

    def namespace(self) -> str:
        """The context's, of kubeconfigs that only kubectl can merge; "" when it has none."""
        chosen = "jsonpath={.contexts[0].context.namespace}"
        done = subprocess.run(
            self._command("config", "view", "--minify", "-o", chosen),
            capture_output=True, text=True, check=False, timeout=_ENDS_WITHIN,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else ""

    @contextmanager
    def forwarded(
        self, namespace: str, target: str, ports: Sequence[int], seconds: float
    ) -> Iterator[dict[int, int]]:
        """Ports of pod/NAME or service/NAME, each with the one on loopback here that leads to it.

        Loopback of a pod is reached too, which the API server's own proxy cannot.
        """
        command = self._command(
            "port-forward", "--namespace", namespace, "--address", "127.0.0.1",
            f"--pod-running-timeout={seconds:g}s", target, *(f":{port}" for port in ports),
        )  # fmt: skip
        process = _start(command, subprocess.STDOUT)
        try:
            found = _local_ports(process, target, ports)
            # It tells of each connection, and would wait for somebody to listen.
            threading.Thread(target=process.communicate, daemon=True).start()
            yield found
        finally:
            _end(process)

    def _proxied(self) -> Connection:
        directory = tempfile.TemporaryDirectory(prefix="semantic-router-")
        # A socket of this user's alone: on a port everybody of this machine could ask.
        path = Path(directory.name, "kubectl.sock")
        # What an exec plugin has to say to somebody who logs in goes to the terminal.
        process = _start(self._command("proxy", f"--unix-socket={path}"), None)
        atexit.register(directory.cleanup)
        atexit.register(_end, process)
        said = _next_line(process)
        if not said.startswith(_SERVING):
            raise _failed("the API server", said)
        return Connection(url="http://localhost", pool=_through(str(path)), headers=dict)

    def _command(self, *words: str) -> list[str]:
        chosen = {"kubeconfig": self.kubeconfig, "context": self.context, "as": self.user}
        options = [f"--{name}={value}" for name, value in chosen.items() if value]
        return [_program(), *words, *options]


class _NotEverydayError(Exception):
    """The kubeconfig is one that the plugin does not read itself."""


def _leave_to_kubectl(source: Any, *_: Any) -> Access:
    if source is None:
        # kubectl would try a port of this machine.
        raise unusable("there is no kubeconfig")
    raise _NotEverydayError


def _program() -> str:
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise _failed("the cluster", "neither kubectl nor oc is on PATH", "Put kubectl on PATH")
    return found


def _start(command: Sequence[str], stderr: int | None) -> subprocess.Popen[str]:
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _next_line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline() if process.stdout else ""


def _local_ports(
    process: subprocess.Popen[str], target: str, wanted: Sequence[int]
) -> dict[int, int]:
    """In the order in which they were asked for: of a Service it tells the pod's ports."""
    found: list[int] = []
    said: list[str] = []
    while len(found) < len(wanted):
        line = _next_line(process)
        said.append(line)
        match = _FORWARDING.match(line)
        if match:
            found.append(int(match[1]))
        elif not line:
            what = target.replace("/", " ")
            raise _failed(what, "".join(said), "You may have to create pods/portforward")
    return dict(zip(wanted, found, strict=True))


def _failed(what: str, why: str, remedy: str = "See what kubectl says") -> RouterError:
    said = why.strip().removeprefix("error: ").rstrip(".") or "kubectl ended without a word"
    found = f"{what} cannot be reached: {said}"
    return RouterError(Problem("ApiUnavailable", "", found, remedy, retry=True))


def _through(path: str) -> urllib3.PoolManager:
    """A pool whose connections all lead to a socket in the file system."""

    class SocketConnection(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            found.connect(path)
            return found

    class SocketPool(urllib3.HTTPConnectionPool):
        ConnectionCls = SocketConnection

    manager = urllib3.PoolManager(maxsize=CONNECTIONS)
    pools: Mapping[str, Any] = {"http": SocketPool}
    vars(manager)["pool_classes_by_scheme"] = pools
    return manager
