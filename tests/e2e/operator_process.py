"""The operator as a user starts it, as a process of a test: started, watched, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import operator_account
import pytest
import stock_engine
from control_plane import ControlPlane, audit
from e2e.semantic_router import SemanticRouter
from eventually import eventually

CHECKOUT = Path(__file__).resolve().parents[2]
STOP_DEADLINE = 60.0
# What either engine logs then.
WATCHING = "Starting workers"
# The stock engine has no flag for it.
STOCK_RUNTIME = Path("/tmp/ansible-operator/runner")  # noqa: S108
# Shorter than the time after which the operator looks again by itself: an event wakes it.
BY_EVENT = 20.0
# requeue_after.UNTOLD and a run.
BY_LOOK = 90.0
ENGINES = ["embedded"] + (["stock"] if os.environ.get(stock_engine.BINARY) else [])


class Operator:
    """`wrapper-runner run` on one control plane, as the ServiceAccount that config/ gives it.

    access: KUBECONFIG and the like of another account. Its log is one JSON object a line.
    """

    def __init__(
        self,
        directory: Path,
        plane: ControlPlane,
        engine: str,
        access: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.log = directory / "operator.log"
        self.runtime = directory / "runtime" if engine == "embedded" else STOCK_RUNTIME
        binaries = Path(sys.executable).parent
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != stock_engine.BINARY},
            **(access or operator_account.environment(plane)),
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONFAULTHANDLER": "1",
        }
        if engine == "stock":
            self.environment.update(stock_engine.environment())
        self.program = [
            str(binaries / "wrapper-runner"),
            "run",
            f"--watches-file={CHECKOUT / 'watches.yaml'}",
        ]
        self._plane = plane
        self.engine = engine
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **extra_env: str) -> None:
        arguments = ["--metrics-bind-address=0", "--health-probe-bind-address=0"]
        if self.engine == "embedded":
            arguments.append(f"--runner-dir={self.runtime}")
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.program, *arguments],
                env={**self.environment, **extra_env},
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def start_until_it_watches(self, **extra_env: str) -> None:
        """Not only until it is there: while Python starts, it would die of the signal."""
        starts = self.text.count(WATCHING)
        self.start(**extra_env)
        eventually(lambda: self.text.count(WATCHING) > starts, 60, "the operator to watch")

    def stop(self) -> int:
        """SIGTERM, as a kubelet does; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            # faulthandler writes into its log what each of its threads is at.
            self._process.send_signal(signal.SIGABRT)
            self._process.wait(STOP_DEADLINE)
            raise
        self._process = None
        return code

    def kill(self) -> None:
        """SIGKILL to the operator and everything it started: a node that lost power."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_DEADLINE)
        self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Every structured line."""
        return [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]

    def said(self, words: str, name: str | None = None) -> bool:
        """Whether some line of the log has these words, of the SemanticRouter `name` if given."""
        if name is None:
            return words in self.text
        return any(
            words in json.dumps(entry) and entry.get("name") == name for entry in self.entries
        )

    def jobs(self, namespace: str, ended: bool = False) -> set[str]:
        """The runs for a namespace, by either engine's words; only those that came to their end."""
        ends = ("Reconciled", "Ansible-runner exited successfully")
        return {
            entry["job"]
            for entry in self.entries
            if entry.get("namespace") == namespace and "job" in entry
            if not ended or entry["msg"] in ends
        }

    def artifacts(self, namespace: str) -> str:
        """All that ansible-runner was given for this namespace, and has left."""
        return "".join(
            file.read_text(errors="replace")
            for file in self.runtime.rglob("*")
            if file.is_file() and namespace in file.parts
        )

    @property
    def hears_of_status_within(self) -> float:
        """Seconds until it knows that a child has other values in its status, and no others."""
        return BY_EVENT if self.engine == "embedded" else BY_LOOK

    def look_again(self, router: SemanticRouter) -> str:
        """What a run prints that an annotation has started which means nothing to it."""
        # Not by what a run says of the router: what the one before has said is not repeated.
        before = self.jobs(router.namespace)
        annotations = {"look": str(len(before))}
        router.patch("semanticrouter", router.name, {"metadata": {"annotations": annotations}})
        (job, *_) = eventually(
            lambda: self.jobs(router.namespace, ended=True) - before, 60, "another run"
        )
        return "".join(file.read_text() for file in self.runtime.rglob(f"{job}/stdout"))

    def writes_of_another_run(self, router: SemanticRouter) -> list[audit.Request]:
        """What it writes when it looks again."""
        offset = self._plane.audit_log.stat().st_size
        self.look_again(router)
        return [
            request
            for request in audit.writes(self._plane.audit_log, offset)
            if request.namespace == router.namespace
            and request.agent.startswith("semantic-router-operator")
        ]

    def wait_until_said(self, words: str, timeout: float = 60) -> None:
        def look() -> bool:
            if not self.running and not self.said(words):
                raise RuntimeError(f"the operator has ended:\n{self.text[-4000:]}")
            return self.said(words)

        eventually(look, timeout, f"the operator's log to say {words!r}")


@contextmanager
def running_operator(
    tmp_path_factory: pytest.TempPathFactory, plane: ControlPlane, engine: str
) -> Iterator[Operator]:
    """An operator that watches, and that ends cleanly and with all the rights it asked for."""
    started = Operator(tmp_path_factory.mktemp("operator"), plane, engine)
    with making_room(started, engine):
        started.start()
        started.wait_until_said(WATCHING)
        yield started
        assert started.running, f"the operator ended by itself:\n{started.text[-4000:]}"
        assert started.stop() == 0, f"the operator did not end cleanly:\n{started.text[-4000:]}"
    refused = operator_account.refused(plane)
    assert not refused, f"the operator lacks a right, see config/rbac: {refused}"


_stock_operators: list[Operator] = []


@contextmanager
def making_room(operator: Operator, engine: str) -> Iterator[None]:
    """Stops the stock operator of another cluster for as long as this one runs.

    A stock engine's playbooks look for its proxy at port 8888, whatever --proxy-port says.
    """
    if engine != "stock":
        yield
        return
    other = _stock_operators[-1] if _stock_operators else None
    if other:
        assert other.stop() == 0
    _stock_operators.append(operator)
    try:
        yield
    finally:
        _stock_operators.remove(operator)
        if other:
            other.start_until_it_watches()
