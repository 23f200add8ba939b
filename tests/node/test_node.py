"""A run of tests may be killed, and a machine goes on without the node that it had."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import clusters
import pytest
import real_node
from eventually import eventually
from node.test_demo import CHECKOUT, left_on_this_machine
from real_node import Node

PROGRAM = (
    "import os, pathlib, signal, sys; from real_node import Node;"
    "Node.start(pathlib.Path(sys.argv[1]));"
    "os.kill(os.getpid(), signal.SIGKILL)"
)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_a_node_of_a_killed_run_ends_with_it(tmp_path: Path) -> None:
    """All but its cgroups, with nobody in them: what the kernel keeps goes with the next stop."""
    if os.environ.get(clusters.VARIABLE):
        pytest.skip("makes a node, and a cluster is named instead")
    reasons = real_node.missing(tmp_path)
    if reasons:
        pytest.skip("No node can run here. " + " ".join(reasons))
    state = tmp_path / "killed"
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(state)],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "hack")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "up in" in killed.stderr
    traces = left_on_this_machine(state)
    groups = {trace for trace in traces() if trace.startswith("/sys/fs/cgroup/")}
    assert groups

    def is_over() -> bool:
        files = [file for group in groups for file in Path(group).rglob("cgroup.procs")]
        return set(traces()) == groups and not [file for file in files if file.read_text()]

    eventually(is_over, 30, "its processes and its cable to be gone")
    Node.attach(state).stop()
    assert traces() == []
