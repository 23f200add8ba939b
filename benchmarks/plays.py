"""One reconcile at a time, through ansible-runner as an operator calls it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from control_plane import audit
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.parameters import extra_vars
from wrapper_runner.playing import Play
from wrapper_runner.watches import Kind

from benchmarks.routers import BenchmarkError

KIND = Kind("vllm.ai", "v1alpha1", "SemanticRouter")
DEADLINE = 300.0


@dataclass(frozen=True)
class Cost:
    """What one run takes: wall and CPU seconds, and requests to the API server."""

    seconds: float
    cpu_seconds: float
    requests: int


@dataclass(frozen=True)
class Subject:
    """A playbook, and the environment whose PATH says which ansible-runner runs it.

    cpu_elsewhere: CPU seconds so far of processes that work for it but are not its children.
    """

    name: str
    playbook: Path
    environment: Mapping[str, str]
    directory: Path
    user: str
    audit_log: Path
    variables: Mapping[str, Any] = field(default_factory=dict)
    cpu_elsewhere: Callable[[], float] = lambda: 0.0

    def run(self, cr: Mapping[str, Any]) -> Cost:
        """A reconcile of a SemanticRouter as the API server has it; BenchmarkError if it fails."""
        place = InputDirectory(self.directory / cr["metadata"]["name"])
        kubeconfig = {"K8S_AUTH_KUBECONFIG": self.environment["KUBECONFIG"]}
        parameters = extra_vars(KIND, cr, self.variables, unsafe=True)
        place.write(self.playbook, parameters, kubeconfig, "")
        play = Play(place.path, self.playbook, uuid.uuid4().hex, 3, 2, DEADLINE)
        offset = self.audit_log.stat().st_size
        cpu = _cpu_of_children() + self.cpu_elsewhere()
        started = time.monotonic()
        answer = subprocess.run(
            ["ansible-runner", *play.arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        seconds = time.monotonic() - started
        cpu = _cpu_of_children() + self.cpu_elsewhere() - cpu
        if answer.returncode != 0:
            raise BenchmarkError(f"{self.name} failed: {_told(answer.stdout) or answer.stderr}")
        requests = sum(
            request.user == self.user for request in audit.requests(self.audit_log, offset)
        )
        return Cost(seconds, cpu, requests)


def _told(events: str) -> str:
    """What ansible-playbook printed."""
    return "\n".join(json.loads(line)["stdout"] for line in events.splitlines() if line[:1] == "{")


def _cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def path_with(*directories: Path) -> str:
    return os.pathsep.join([*map(str, directories), os.environ["PATH"]])
