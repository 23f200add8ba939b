"""`python -m real_node.inside LAYOUT`: the first process in the namespaces of a node.

It makes what only they have, starts the node's programs and waits. When it ends, for whatever
reason, the kernel ends all that is in its pid namespace, every container included.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from real_node import configuration
from real_node.errors import NodeError
from real_node.layout import HIDDEN, INTERFACE, SOCKET, Layout, Network
from real_node.prerequisites import PATH, program

SECONDS = 90.0
INTERVAL = 0.05


def main(layout: Layout) -> None:
    _hide()
    _wait("its end of the cable", lambda: _ip("link", "show", INTERFACE).returncode == 0)
    _connect(layout)
    commands = configuration.commands(layout)
    running: dict[int, str] = {}
    _start("containerd", commands["containerd"], layout, running)
    _wait("containerd to listen", SOCKET.exists)
    _wait("the kubeconfig", layout.kubeconfig.exists)
    _use_dns_of_the_cluster(layout)
    for name in commands:
        if name != "containerd":
            _start(name, commands[name], layout, running)
    _reap(running)


def encode(layout: Layout) -> str:
    return json.dumps([str(layout.root), str(layout.programs), layout.network.number])


def decode(text: str) -> Layout:
    root, programs, number = json.loads(text)
    return Layout(Path(root), Path(programs), Network(number))


def _hide() -> None:
    """What is the machine's, and would be written to. Mounts of kubelets reach containers."""
    _run("mount", "--make-rshared", "/")
    for directory in HIDDEN:
        if directory.is_dir() and not directory.is_symlink():
            _run("mount", "-t", "tmpfs", "-o", "mode=755", "node", str(directory))
    # Beside the pids: which namespaces these interfaces and tables are of.
    Path("/run/cni").mkdir(exist_ok=True)


def _connect(layout: Layout) -> None:
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "address", "add", f"{layout.network.node}/30", "dev", INTERFACE)
    _run("ip", "link", "set", INTERFACE, "up")
    _run("ip", "route", "add", "default", "via", layout.network.machine)
    for switch in ("ipv4/ip_forward", "bridge/bridge-nf-call-iptables"):
        Path("/proc/sys/net", switch).write_text("1")


def _use_dns_of_the_cluster(layout: Layout) -> None:
    """For what is run in here to ask Services by their names."""
    file = Path("/etc/resolv.conf").resolve()
    if not file.exists():
        # A link into what is hidden now.
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    _run("mount", "--bind", str(layout.own_resolver), str(file))


def _start(name: str, command: Sequence[str], layout: Layout, running: dict[int, str]) -> None:
    path = f"{layout.programs}:{PATH}"
    with (layout.logs / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    running[child.pid] = name
    (layout.pids / name).write_text(str(child.pid))


def _reap(running: dict[int, str]) -> None:
    """Until one of its programs ends; the shims of containers become children of this too."""
    while True:
        pid, status = os.wait()
        if pid in running:
            code = os.waitstatus_to_exitcode(status)
            raise NodeError(f"{running[pid]} ended (exit code {code}), and so does the node")


def _run(name: str, *arguments: str) -> None:
    answer = subprocess.run(
        [program(name), *arguments], capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        raise NodeError(f"{name} {' '.join(arguments)}: {answer.stderr.strip()}")


def _ip(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program("ip"), *arguments], capture_output=True, check=False)


def _wait(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise NodeError(f"Waited {SECONDS:.0f} s for {what}.")
        time.sleep(INTERVAL)


def _end(*_: object) -> None:
    # Not sys.exit: there is nothing to clean up that the kernel does not.
    os._exit(0)


if __name__ == "__main__":
    # The first process of a pid namespace gets no signal that it does not ask for.
    signal.signal(signal.SIGTERM, _end)
    try:
        main(decode(sys.argv[1]))
    except NodeError as error:
        print(f"node: {error}", file=sys.stderr)
        sys.exit(1)
