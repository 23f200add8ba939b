"""Starts and stops one real node, with a control plane beside it, all in one directory.

`Node.start` makes it a part of this process: it ends with `stop()`, with the `with` block, and when
the thread that started it dies. Detached it is left running; `attach` finds it again.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import yaml
from control_plane import ControlPlane, Kubectl
from control_plane.plane import progress_to_stderr
from control_plane.process import Process
from control_plane.programs import Progress, file_lock

from real_node import cgroups, configuration, inside, oci, prerequisites, programs
from real_node.errors import NodeError
from real_node.layout import HIDDEN, INTERFACE, NAME, Layout, Network

MANIFESTS = Path(__file__).resolve().parent / "manifests"
PACKAGES = Path(__file__).resolve().parent.parent
READY_DEADLINE = 120.0
POLL_INTERVAL = 0.1
STOP_DEADLINE = 15.0
# How many claims can be bound, and a size that none asks more than.
VOLUMES = 12
VOLUME_SIZE = "100Gi"
NAMESPACE_OF_IMAGES = "k8s.io"


class Node:
    """A running node: its cluster is `plane`, its namespaces are entered with `command`."""

    def __init__(self, state_dir: Path, progress: Progress = progress_to_stderr) -> None:
        self.state_dir = state_dir.resolve()
        self._root = self.state_dir / "node"
        self._progress = progress
        self._process: Process | None = None
        self._layout: Layout | None = None
        self.plane = ControlPlane.attach(self.state_dir, progress)

    @classmethod
    def start(
        cls,
        state_dir: Path,
        *,
        crds: Sequence[Path] = (),
        detached: bool = False,
        progress: Progress = progress_to_stderr,
    ) -> Node:
        """A node of this process, or, `detached`, one that outlives it.

        NodeError says what is missing where none can run.
        """
        node = cls(state_dir, progress)
        node._start(crds, detached=detached)
        return node

    @classmethod
    def attach(cls, state_dir: Path, progress: Progress = progress_to_stderr) -> Node:
        """What an earlier process started in `state_dir`, running or not: ask `alive`."""
        node = cls(state_dir, progress)
        node._process = next(iter(Process.recorded(node._root)), None)
        recorded = node._root / "layout.json"
        if recorded.exists():
            node._layout = inside.decode(recorded.read_text())
        return node

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def kubectl(self) -> Kubectl:
        return Kubectl(self.plane.kubectl, self.plane.env)

    @property
    def logs(self) -> Path:
        return self._root / "logs"

    def command(self, *arguments: str) -> list[str]:
        """A command line that runs in the node's namespaces, where Services have their names."""
        nsenter = prerequisites.program("nsenter")
        pid = str(self._first_process())
        entered = [nsenter, f"--target={pid}", "--mount", "--net", "--pid", f"--wd={Path.cwd()}"]
        return [*entered, "--", *arguments]

    def send(self, name: str, program: str) -> None:
        """A signal to one of the node's own programs: send("STOP", "kubelet")."""
        if self._layout is None:
            raise NodeError(f"No node is up in {self.state_dir}.")
        pid = (self._layout.pids / program).read_text()
        self.run("kill", f"-{name}", pid)

    def run(self, *arguments: str) -> str:
        """What a program in the node's namespaces prints; NodeError with its words if it fails."""
        answer = subprocess.run(
            self.command(*arguments), capture_output=True, text=True, check=False
        )
        if answer.returncode != 0:
            raise NodeError(f"{' '.join(arguments)}: {answer.stdout}{answer.stderr}".strip())
        return answer.stdout

    def import_images(self, archive: Path) -> None:
        """All of an OCI archive, under the names that it has in it."""
        self._ctr("images", "import", "--local", str(archive))

    def stop(self) -> None:
        """Ends everything, and removes what only the machine would keep: cgroups and files."""
        if self._process:
            with contextlib.suppress(NodeError, ProcessLookupError):
                os.kill(self._first_process(), signal.SIGTERM)
            _wait_ended(self._process)
            self._process = None
        self.plane.stop()
        if self._layout:
            cgroups.remove(self._layout.cgroup)
            self._layout = None
        shutil.rmtree(self._root, ignore_errors=True)

    def _start(self, crds: Sequence[Path], *, detached: bool) -> None:
        reasons = [*prerequisites.missing(self.state_dir), *_hidden(self.state_dir)]
        if reasons:
            raise NodeError("No node can run here. " + " ".join(reasons))
        found = programs.ensure(self._progress)
        self.state_dir.mkdir(parents=True, exist_ok=True)
        waiting = f"another start in {self.state_dir} is under way: waiting"
        with file_lock(self.state_dir / ".node.lock", lambda: self._progress(waiting)):
            earlier = Node.attach(self.state_dir, self._progress)
            if earlier.alive:
                raise NodeError(f"A node is up in {self.state_dir} already.")
            earlier.stop()
            try:
                self._start_once(found, crds, detached=detached)
            except BaseException:
                self.stop()
                raise

    def _start_once(
        self, found: programs.Programs, crds: Sequence[Path], *, detached: bool
    ) -> None:
        started = time.monotonic()
        layout = self._layout = _claimed(self._root, found.directory)
        self._lay_out(layout)
        cgroups.create(layout.cgroup)
        self._process = Process.start("node", _command(layout), self._root, detached=detached)
        self._wait("the node's namespaces", self._has_namespaces)
        self._plug_in(layout.network)
        self.plane = ControlPlane.start(
            self.state_dir,
            crds=crds,
            address=layout.network.machine,
            detached=detached,
            progress=self._progress,
        )
        user = self.plane.kubeconfig_for(f"system:node:{NAME}", ["system:masters"])
        layout.kubeconfig.with_suffix(".new").write_text(user.read_text())
        layout.kubeconfig.with_suffix(".new").chmod(0o600)
        layout.kubeconfig.with_suffix(".new").rename(layout.kubeconfig)
        self._import_own_images(found)
        self._wait("the node to be Ready", self._is_ready)
        self._apply_base(layout)
        self._wait("the cluster's DNS", self._has_dns)
        self._progress(f"node {NAME}: up in {time.monotonic() - started:.1f} s")

    def _lay_out(self, layout: Layout) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700)
        for name in ("logs", "run", "pids"):
            (self._root / name).mkdir()
        (self._root / "layout.json").write_text(inside.encode(layout))
        configuration.write(layout, self.state_dir / "control-plane" / "pki" / "ca.crt")
        for number in range(VOLUMES):
            (layout.volumes / str(number)).mkdir(parents=True)

    def _plug_in(self, network: Network) -> None:
        pid = str(self._first_process())
        far_end = ("peer", "name", INTERFACE, "netns", pid)
        _ip("link", "add", network.cable, "type", "veth", *far_end)
        _ip("address", "add", f"{network.machine}/30", "dev", network.cable)
        _ip("link", "set", network.cable, "up")

    def _import_own_images(self, found: programs.Programs) -> None:
        self._wait("containerd", self._answers_ctr)
        made = []
        for name, image in (
            ("pause", configuration.PAUSE_IMAGE),
            ("coredns", configuration.DNS_IMAGE),
        ):
            directory = self._root / "images" / name
            directory.mkdir(parents=True)
            shutil.copy(found.path(name), directory / name)
            layer = oci.layer(directory, directory.with_suffix(".layer.tar"))
            made.append(oci.Image([image], [layer], {"Entrypoint": [f"/{name}"]}))
        archive = self._root / "images" / "own.tar"
        oci.write(archive, made)
        self.import_images(archive)
        shutil.rmtree(self._root / "images")

    def _apply_base(self, layout: Layout) -> None:
        files = [MANIFESTS / "storage.yaml", MANIFESTS / "dns.yaml"]
        self.kubectl("apply", "--server-side", *(f"--filename={file}" for file in files))
        volumes = yaml.safe_dump_all(_volumes(layout))
        self.kubectl("apply", "--server-side", "--filename=-", stdin=volumes)

    def _first_process(self) -> int:
        """The pid, on this machine, of the first process in the node's pid namespace."""
        if self._process is None or not self._process.alive:
            raise NodeError(f"No node is up in {self.state_dir}.{self._last_words()}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError, IndexError):
            return int(children.read_text().split()[0])
        raise NodeError(f"The node in {self.state_dir} is just starting, or ending.")

    def _has_namespaces(self) -> bool:
        try:
            pid = self._first_process()
            own = os.stat("/proc/self/ns/net").st_ino
            return os.stat(f"/proc/{pid}/ns/net").st_ino != own
        except (NodeError, OSError):
            return False

    def _answers_ctr(self) -> bool:
        return self._run_ctr("version").returncode == 0

    def _is_ready(self) -> bool:
        path = "{.status.conditions[?(@.type=='Ready')].status}"
        answer = self.kubectl.run("get", "node", NAME, f"--output=jsonpath={path}")
        return answer.stdout == "True"

    def _has_dns(self) -> bool:
        coredns = ("get", "deployment", "coredns", "--namespace=kube-system", "--output=json")
        answer = self.kubectl.run(*coredns)
        if answer.returncode != 0:
            return False
        return bool(json.loads(answer.stdout).get("status", {}).get("readyReplicas"))

    def _ctr(self, *arguments: str) -> str:
        answer = self._run_ctr(*arguments)
        if answer.returncode != 0:
            raise NodeError(f"ctr {' '.join(arguments)}: {answer.stderr.strip()}")
        return answer.stdout

    def _run_ctr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        if self._layout is None:
            raise NodeError(f"No node is up in {self.state_dir}.")
        ctr = str(self._layout.programs / "ctr")
        command = self.command(ctr, f"--namespace={NAMESPACE_OF_IMAGES}", *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_DEADLINE
        while not condition():
            if self._process is not None and not self._process.alive:
                raise NodeError(f"The node ended while {what} was waited for.{self._last_words()}")
            if time.monotonic() > deadline:
                raise NodeError(f"Waited {READY_DEADLINE:.0f} s for {what}.{self._last_words()}")
            time.sleep(POLL_INTERVAL)

    def _last_words(self) -> str:
        if not self.logs.is_dir():
            return ""
        logs = sorted(self.logs.glob("*.log"))
        tails = (f"--- {log}\n" + _tail(log) for log in logs if log.stat().st_size)
        return "\n" + "\n".join(tails)


def _wait_ended(process: Process) -> None:
    deadline = time.monotonic() + STOP_DEADLINE
    while process.alive and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL)
    # The parent of the first process: whoever kills it kills all of the pid namespace.
    process.stop()


def _tail(log: Path, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _command(layout: Layout) -> list[str]:
    """`unshare` is the parent of the first process, which ends when it does."""
    namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child=KILL"]
    first = [sys.executable, "-m", "real_node.inside", inside.encode(layout)]
    return [
        "env",
        f"PYTHONPATH={PACKAGES}",
        prerequisites.program("unshare"),
        *namespaces,
        "--propagation=private",
        "--mount-proc",
        *first,
    ]


def _hidden(state_dir: Path) -> Iterator[str]:
    for directory in HIDDEN:
        if directory.resolve() in (state_dir, *state_dir.parents):
            yield f"The state directory may not be below {directory}: choose another one."


def _claimed(root: Path, directory: Path) -> Layout:
    """With a network that nobody else has, be it another node that starts or ends at this moment.

    Its cgroup is the claim: it is made at once or not at all, and goes after all else of a node.
    """
    answer = _ip("-oneline", "-family", "inet", "address")
    for number in range(256):
        layout = Layout(root, directory, Network(number))
        network = layout.network
        is_free = f" {network.machine}/" not in answer and network.cable not in answer
        if is_free and cgroups.claim(layout.cgroup):
            return layout
    raise NodeError("All of 198.18.0.0/16 is taken: end some of the nodes on this machine.")


def _ip(*arguments: str) -> str:
    command = [prerequisites.program("ip"), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise NodeError(f"ip {' '.join(arguments)}: {answer.stderr.strip()}")
    return answer.stdout


def _volumes(layout: Layout) -> Iterator[dict[str, object]]:
    """Local ones: of those a kubelet sets the group, as of a disk's."""
    node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NAME]}
    for number in range(VOLUMES):
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"local-{number}"},
            "spec": {
                "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
                "capacity": {"storage": VOLUME_SIZE},
                "storageClassName": "standard",
                "persistentVolumeReclaimPolicy": "Retain",
                "local": {"path": str(layout.volumes / str(number))},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [node]}]}},
            },
        }
