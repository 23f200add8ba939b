"""What tests and demo need of a cluster: kubectl for it, images in it, a hand on its nodes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from control_plane import ControlPlaneError, programs
from control_plane.certificates import write_private


class ClusterError(ControlPlaneError):
    """The cluster is not what it was said to be, or does not do what it should."""


class Cluster(Protocol):
    """One that is up. What it cannot give it says in words, for who needs it to be skipped."""

    @property
    def env(self) -> Mapping[str, str]:
        """To be added to a child's environment, so that it talks to this cluster and no other."""

    @property
    def kubectl(self) -> Path: ...

    @property
    def nodes_are_out_of_reach(self) -> str:
        """Why neither `on_node` nor what follows it works; "" where they do."""

    @property
    def enforces_policies(self) -> bool | None:
        """Whether a NetworkPolicy closes anything; None where only trying it tells."""

    def import_images(self, archive: Path) -> None:
        """All of an OCI archive, under the names that it has in it, into every node."""

    def on_node(self, node: str, /, *command: str) -> str:
        """What a program prints that root runs on the node, where the kubelet's mounts are."""

    def stop_kubelet(self, node: str, /) -> None:
        """Its containers go on."""

    def start_kubelet(self, node: str, /) -> None: ...


def find_kubectl() -> Path:
    """This machine's own; built where there is none, which takes Go and two minutes."""
    found = shutil.which("kubectl")
    return Path(found) if found else programs.ensure_kubectl(_say)


def environment(kubeconfig: Path) -> dict[str, str]:
    return {
        "KUBECONFIG": str(kubeconfig),
        "K8S_AUTH_KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(kubeconfig.parent / "kubectl-cache"),
    }


def write_kubeconfig(directory: Path, text: str) -> Path:
    """A copy: whoever changes the context of the original changes nothing of a run."""
    file = directory.resolve() / "kubeconfig"
    directory.mkdir(parents=True, exist_ok=True)
    write_private(file, text.encode())
    return file


def run(*command: str, stdin: Path | None = None) -> str:
    """ClusterError with its words if it fails."""
    try:
        with (stdin or Path("/dev/null")).open("rb") as given:
            done = subprocess.run(
                command,
                stdin=given,
                capture_output=True,
                text=True,
                check=False,
            )
    except FileNotFoundError as error:
        raise ClusterError(f"There is no program {command[0]} on PATH.") from error
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command)}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
