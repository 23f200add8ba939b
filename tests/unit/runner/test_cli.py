"""The command line of the runner, from its start to the engine's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from eventually import eventually

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_engine_works_is_a_clean_end(tmp_path: Path, number: int) -> None:
    asked, answer = tmp_path / "asked", tmp_path / "answer"
    # Who asks for credentials waits for a program that waits for the test.
    os.mkfifo(answer)
    login = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", f"touch {asked}; cat {answer}"],
        "interactiveMode": "Never",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "one",
                "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
                "clusters": [{"name": "one", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "one", "user": {"exec": login}}],
            }
        )
    )
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "wrapper_runner", "run", "--engine=embedded"),
            *("--execution=cold", f"--watches-file={CHECKOUT / 'watches.yaml'}"),
        ],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        eventually(asked.exists, 60, "the start to ask for credentials")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        # The program ends when both ends of its pipe have been open.
        os.close(os.open(answer, os.O_RDWR | os.O_NONBLOCK))
    assert process.returncode == 0
    assert "Stopped before the start was over" in said
    assert "Traceback" not in said
