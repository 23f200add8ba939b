"""`make demo`, on a node or the cluster that is named: two answers, each of a pod of its model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import clusters
import pytest
import real_node
from control_plane import Kubectl
from demo.visiting import NAMESPACE, OURS
from real_node import inside

CHECKOUT = Path(__file__).parents[2]
ANSWERS = {
    "What is a semantic router?": ("llama3-8b", "llama-3-8b-predictor"),
    "Write SQL that counts the users.": ("qwen2.5-coder", "vllm-qwen"),
}


def demo(command: str, state: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "demo", command, "--state", str(state)],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": "hack"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    reasons = [] if os.environ.get(clusters.VARIABLE) else real_node.missing(tmp_path)
    if reasons:
        pytest.skip("No node can run here. " + " ".join(reasons))
    yield tmp_path / "demo"
    demo("down", tmp_path / "demo")


@pytest.mark.long
def test_the_demo_ends_with_answers_of_pods_and_what_the_status_says(state: Path) -> None:
    shown = demo("up", state)
    for question, (model, backend) in ANSWERS.items():
        line = rf'^"{re.escape(question)}" +{re.escape(model)} +{backend}-[a-z0-9-]+ +\d+ ms$'
        assert re.search(line, shown, re.MULTILINE), shown
    status = shown.partition("$ kubectl sr status my-router\n")[2]
    visited = bool(os.environ.get(clusters.VARIABLE))
    namespace, ended = (NAMESPACE, "the visit") if visited else ("default", "the node")
    assert f"{namespace}/my-router  Running · 2/2 ready · standalone" in status
    assert "simulated" not in status
    traces = left_in_the_cluster if visited else left_on_this_machine(state)
    assert traces()
    assert f"ended {ended}" in demo("down", state)
    assert not state.exists()
    assert traces() == []


def left_in_the_cluster() -> list[str]:
    with tempfile.TemporaryDirectory() as directory:
        cluster = clusters.named(Path(directory))
        assert cluster is not None
        kubectl = Kubectl(cluster.kubectl, cluster.env)
        found = kubectl("get", "namespaces", "-l", f"{OURS}=demo", "-o", "name")
        return found.split()


def left_on_this_machine(state: Path) -> Callable[[], list[str]]:
    """Of the node that is up now: processes, its end of the cable, cgroups."""
    layout = inside.decode((state / "node" / "layout.json").read_text())
    cables, groups = Path("/sys/class/net"), Path("/sys/fs/cgroup")

    def traces() -> list[str]:
        found = [file for file in Path("/proc").glob("[0-9]*/cmdline") if mentions(file, state)]
        found += [*cables.glob(layout.network.cable), *groups.glob(layout.cgroup)]
        return [str(path) for path in (*found, *groups.glob(f"*/{layout.cgroup}"))]

    return traces


def mentions(file: Path, state: Path) -> bool:
    try:
        command = file.read_bytes()
    except OSError:
        return False
    return str(state).encode() in command and b"demo\0" not in command
