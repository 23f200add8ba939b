"""`make demo` where a node can run: two answers, each from a pod of its model."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import real_node

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
    reasons = real_node.missing(tmp_path)
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
    assert "default/my-router  Running · 2/2 ready · standalone" in status
    assert "simulated" not in status
    assert "ended the node" in demo("down", state)
    assert not state.exists()
