"""ansible-playbook as a person runs it, from a directory that is nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from control_plane import ControlPlane

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
