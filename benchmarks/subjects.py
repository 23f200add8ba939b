"""Who is measured, in single runs and as an operator: only this knows how each is started."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import stock_engine
import yaml
from control_plane import ControlPlane
from warm_runner import server
from wrapper_runner import warm

from benchmarks import conventional, processes
from benchmarks.operators import Command
from benchmarks.plays import Subject
from benchmarks.routers import ROOT

# The name by which the audit log tells the subjects' requests from the benchmark's own.
USER = "bench-subject"
BINARIES = Path(sys.executable).parent
RECONCILE = ROOT / "playbooks" / "reconcile.yml"
FLOOR = Path(__file__).parent / "floor" / "playbook.yml"
PEER = "BENCH_PEER_CMD"


@dataclass(frozen=True)
class Site:
    """Where a run of the benchmark happens: its control plane and its directory."""

    plane: ControlPlane
    directory: Path
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {stock_engine.BINARY, PEER}
        }
        kubeconfig = str(self.kubeconfig)
        return {
            **kept,
            "KUBECONFIG": kubeconfig,
            "K8S_AUTH_KUBECONFIG": kubeconfig,
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
        }

    @property
    def templates(self) -> Path:
        return self.directory / "templates"


def single(site: Site, name: str, playbook: Path) -> Subject:
    """A subject that the real ansible-runner starts anew for each run."""
    return Subject(
        name=name,
        playbook=playbook,
        environment=site.environment,
        directory=site.directory / "runs" / name,
        user=USER,
        audit_log=site.plane.audit_log,
        variables={"templates": str(site.templates)} if name == "conventional" else {},
    )


@contextmanager
def singles(site: Site) -> Iterator[list[Subject]]:
    """All subjects for single runs; the warm one has its server for as long as this lasts."""
    environment = site.environment
    options = server.Options(preload=warm.PRELOAD, reload=warm.RELOAD)
    started = server.start(site.directory / "warm", options, environment)
    try:
        yield [
            single(site, "floor", FLOOR),
            single(site, "conventional", conventional.PLAYBOOK),
            single(site, "cold", RECONCILE),
            replace(
                single(site, "warm", RECONCILE),
                environment={**environment, "PATH": started.first_on(environment["PATH"])},
                cpu_elsewhere=lambda: processes.cpu_seconds(started.pid),
            ),
        ]
    finally:
        started.stop()


def operators(site: Site) -> list[Command]:
    """Ours, warm and cold; the conventional playbook in our engine; where they are named, ours in
    the stock engine, and a peer."""
    commands = [
        Command("warm", _wrapper_runner(site, "warm", ROOT / "watches.yaml"), site.environment),
        Command("cold", _wrapper_runner(site, "cold", ROOT / "watches.yaml"), site.environment),
        Command(
            "conventional",
            _wrapper_runner(site, "conventional", _conventional_watches(site)),
            site.environment,
            writes_phase=False,
        ),
    ]
    stock = stock_engine.environment()
    if stock:
        command = _wrapper_runner(site, "stock", ROOT / "watches.yaml")
        commands.append(Command("stock", command, {**site.environment, **stock}))
    if os.environ.get(PEER):
        command = shlex.split(os.environ[PEER])
        commands.append(Command("peer", command, site.environment))
    return commands


def _wrapper_runner(site: Site, name: str, watches: Path) -> list[str]:
    return [
        str(BINARIES / "wrapper-runner"),
        "run",
        f"--engine={'stock' if name == 'stock' else 'embedded'}",
        f"--watches-file={watches}",
        f"--runner-dir={site.directory / 'operators' / name}",
        "--metrics-bind-address=0",
        "--health-probe-bind-address=0",
        f"--execution={'warm' if name in ('warm', 'stock') else 'cold'}",
    ]


def _conventional_watches(site: Site) -> Path:
    """Ours, with the other playbook: what wakes it up is the same."""
    watches = yaml.safe_load((ROOT / "watches.yaml").read_text())
    watches[0]["playbook"] = str(conventional.PLAYBOOK)
    watches[0]["vars"] = {"templates": str(site.templates)}
    path = site.directory / "watches.yaml"
    path.write_text(yaml.safe_dump(watches))
    return path
