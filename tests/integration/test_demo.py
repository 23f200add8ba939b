"""The first command of the README: what it shows, what it leaves, and what a Ctrl-C does to it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_plane import Kubectl

CHECKOUT = Path(__file__).parents[2]
DOCUMENT = ["NAME", "PHASE", "REPLICAS", "READY", "AGE"]
CREATED = {
    "deployment.apps/my-router",
    "service/my-router",
    "service/my-router-headless",
    "configmap/my-router-config",
    "configmap/my-router-envoy-config",
    "persistentvolumeclaim/my-router-models",
    "serviceaccount/my-router",
    "poddisruptionbudget.policy/my-router",
}

OBJECTS = "all,configmap,persistentvolumeclaim,serviceaccount,poddisruptionbudget"
MADE_BY_OTHERS = ("pod/", "replicaset.apps/")


def demo(command: str, state: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # Simulated pods are what most machines have; tests/node has real ones.
        # A test run may be a shell's background job, and those ignore Ctrl-C. By a program, since a
        # fork of this process would have its threads' gRPC, which may end it.
        [
            *("env", "--default-signal=INT", sys.executable),
            *("-m", "demo", command, "--simulated", "--state", str(state)),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": "hack"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process: subprocess.Popen[str], deadline: float = 240) -> str:
    output, _ = process.communicate(timeout=deadline)
    assert process.returncode == 0, output
    return output


def processes_of(state: Path) -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(state) in command and " demo " not in command:
            found.append(command)
    return found


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "demo"
    finished(demo("down", tmp_path / "demo"))


def test_the_demo_goes_on_after_ctrl_c_shows_a_running_router_and_ends_without_a_trace(
    state: Path,
) -> None:
    interrupted = demo("up", state)
    assert interrupted.stdout
    for line in interrupted.stdout:
        if "create two backends" in line:
            interrupted.send_signal(signal.SIGINT)
            break
    rest, _ = interrupted.communicate(timeout=180)
    assert interrupted.returncode == 130
    assert "Traceback" not in rest
    assert "`make demo-stop` ends what is running" in rest

    shown = finished(demo("up", state))

    assert "operator: running already" in shown
    table = shown.partition("$ kubectl get semanticrouter my-router\n")[2].splitlines()
    assert table[0].split() == DOCUMENT
    assert table[1].split()[:4] == ["my-router", "Running", "2", "2"]
    assert set(re.findall(r"^[a-z.]+/my-router\S*", shown, re.MULTILINE)) == CREATED
    kubectl = Kubectl(state / "bin" / "kubectl", {"KUBECONFIG": str(state / "kubeconfig")})
    labelled = kubectl("get", OBJECTS, "-l", "app.kubernetes.io/instance=my-router", "-o", "name")
    assert {name for name in labelled.split() if not name.startswith(MADE_BY_OTHERS)} == CREATED
    assert "llama3-8b -> llama-3-8b-predictor.default.svc:80 (weight 1)" in shown
    assert re.search(r"Reconciles so far: \d+; the first took [\d.]+m?s", shown)
    assert re.search(
        r'^"What is a semantic router\?" +llama3-8b +llama-3-8b-predictor +\d+ ms$',
        shown,
        re.MULTILINE,
    )
    assert re.search(
        r'^"Write SQL that counts the users\." +qwen2\.5-coder +vllm-qwen +\d+ ms$',
        shown,
        re.MULTILINE,
    )
    status = shown.partition("$ kubectl sr status my-router\n")[2]
    assert "default/my-router  Running · 2/2 ready · standalone · simulated pods" in status

    assert processes_of(state)
    finished(demo("down", state))
    assert not processes_of(state)
    assert not state.exists()
