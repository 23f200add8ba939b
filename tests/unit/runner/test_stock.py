"""The stock binary is found and gets the command line that it understands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from wrapper_runner import stock
from wrapper_runner.problems import StartError

# Says what it was given, as JSON, instead of operating anything.
FAKE = f"""#!{sys.executable}
import json, os, sys
names = ("KUBECONFIG",)
print(json.dumps({{"argv": sys.argv[1:], "cwd": os.getcwd(),
                  "env": {{name: os.environ.get(name) for name in names}}}}))
"""


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    file = tmp_path / "bin" / "ansible-operator"
    file.parent.mkdir()
    file.write_text(FAKE)
    file.chmod(0o755)
    return file


def test_named_binary_comes_before_the_one_on_path(binary: Path) -> None:
    named = {"ANSIBLE_OPERATOR_BIN": sys.executable, "PATH": str(binary.parent)}
    assert stock.find(named) == sys.executable
    assert stock.find({"PATH": str(binary.parent)}) == str(binary)
    assert stock.find({"PATH": "/nowhere"}) is None


def test_named_binary_that_is_missing_is_an_error_and_not_another_engine() -> None:
    with pytest.raises(StartError, match="ANSIBLE_OPERATOR_BIN=/nowhere/x: there is no such"):
        stock.find({"ANSIBLE_OPERATOR_BIN": "/nowhere/x", "PATH": os.defpath})


def test_command_line_is_passed_on_with_absolute_paths() -> None:
    given = ["--engine=stock", "--ansible-roles-path", "roles:/r", "--watches-file", "w.yaml"]
    given += ["--leader-elect", "--ansible-collections-path=c"]
    assert stock.command_line(given, Path("/op/w.yaml")) == [
        "--watches-file=/op/w.yaml",
        *("--ansible-roles-path", f"{Path.cwd() / 'roles'}:/r"),
        "--leader-elect",
        f"--ansible-collections-path={Path.cwd() / 'c'}",
    ]


def test_runner_becomes_the_binary_in_the_directory_of_the_watches_file(
    binary: Path, tmp_path: Path
) -> None:
    operator = tmp_path / "operator"
    operator.mkdir()
    (operator / "watches.yaml").touch()
    # A cluster that refuses connections: the platform stays unknown, and that holds nothing up.
    (tmp_path / "kubeconfig").write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "users": [{"name": "u", "user": {}}],
                "current-context": "c",
            }
        )
    )
    arguments = ["--watches-file=operator/watches.yaml", "--run-timeout", "1m", "--leader-elect"]
    answer = subprocess.run(
        [sys.executable, "-m", "wrapper_runner", "run", *arguments],
        env={
            **os.environ,
            "ANSIBLE_OPERATOR_BIN": str(binary),
            "KUBECONFIG": "kubeconfig",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == {
        "argv": ["run", f"--watches-file={operator / 'watches.yaml'}", "--leader-elect"],
        "cwd": str(operator),
        "env": {"KUBECONFIG": str(tmp_path / "kubeconfig")},
    }
    assert "Handing over to the stock engine" in answer.stderr
    assert "Detected" not in answer.stderr
