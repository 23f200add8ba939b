"""A user's shell: commands as a guide prints them, in one namespace, with kubectl on the PATH."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from control_plane import ControlPlane


class Shell:
    """`shell("kubectl get pods | grep my-router")` returns what it printed, errors included."""

    def __init__(self, directory: Path, plane: ControlPlane, namespace: str) -> None:
        kubeconfig = directory / "kubeconfig"
        kubeconfig.write_bytes(plane.kubeconfig.read_bytes())
        self._environment = {
            **os.environ,
            **plane.env,
            "PATH": f"{plane.kubectl.parent}:{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
        }
        # As a user works: one namespace for all commands that name none.
        self(f"kubectl config set-context --current --namespace={namespace}")

    def __call__(self, command: str, fails: bool = False) -> str:
        """AssertionError when it fails, or does not fail where it should."""
        done = self.run(command)
        printed = done.stdout + done.stderr
        assert (done.returncode != 0) is fails, f"{command}: {done.returncode}\n{printed}"
        return printed

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Whatever comes of it."""
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
