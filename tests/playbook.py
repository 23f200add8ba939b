"""ansible-playbook as a person runs it, from a directory that is nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from control_plane import ControlPlane
from e2e.semantic_router import SemanticRouter

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


class Playbook:
    """ansible-playbook of the environment that runs the tests, in a directory that is nobody's."""

    def __init__(self, directory: Path, plane: ControlPlane | None) -> None:
        self.directory = directory
        self._env = {name: value for name, value in os.environ.items() if "KUBE" not in name}
        self._env.update(plane.env if plane else {"KUBECONFIG": "/dev/null"})

    def __call__(
        self, name: str, *options: str, check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(PLAYBOOK), name, *options],
            cwd=self.directory,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stdout + done.stderr
        return done


class Reconcile:
    """The playbook of the operator, for many routers in one go."""

    def __init__(self, directory: Path, plane: ControlPlane) -> None:
        self._playbook = Playbook(directory, plane)

    def __call__(self, routers: list[SemanticRouter]) -> None:
        plays = [
            {
                "import_playbook": "vllm.semantic_router.reconcile",
                "vars": {"router_name": router.name, "router_namespace": router.namespace},
            }
            for router in routers
        ]
        (self._playbook.directory / "all.yml").write_text(yaml.safe_dump(plays))
        self._playbook("all.yml", timeout=900)
