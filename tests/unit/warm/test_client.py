"""The client starts fast, because it imports nothing, and always gets its program to run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from warm_runner import client_scripts, protocol

# What Python itself has loaded by then, and the modules that are compiled in.
BUILTIN = {*sys.builtin_module_names, "fcntl", "_socket", "array", "__future__"}
# Python has it loaded by itself, but for `site`, which is left out.
BUILTIN |= {"os", "os.path", "posixpath", "genericpath", "stat", "_collections_abc"}


@pytest.fixture
def binaries(tmp_path: Path) -> Path:
    client_scripts.write(tmp_path / "bin", tmp_path / "socket")
    real = tmp_path / "real"
    real.mkdir()
    program = real / "ansible-runner"
    program.write_text('#!/bin/sh\necho "cold $0 $*"\nexit 7\n')
    program.chmod(0o700)
    return tmp_path / "bin"


def call(binaries: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(binaries / "ansible-runner"), "run", "a b"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_server_the_real_program_runs(binaries: Path) -> None:
    done = call(binaries, f"{binaries}:{binaries.parent / 'real'}")
    assert done.stdout == f"cold {binaries.parent / 'real' / 'ansible-runner'} run a b\n"
    assert done.returncode == 7


def test_it_never_finds_itself(binaries: Path) -> None:
    alias = binaries.parent / "alias"
    alias.symlink_to(binaries)
    done = call(binaries, f"{binaries}:{alias}:")
    assert done.returncode == 127
    assert done.stderr == "warm-runner: there is no ansible-runner on PATH\n"


def test_it_imports_only_what_is_compiled_in(tmp_path: Path) -> None:
    script = tmp_path / "client.py"
    script.write_text(f"{client_scripts.source()}\nprint(*sys.modules)\n")
    before = modules("-c", "import sys; print(*sys.modules)")
    assert modules(str(script)) - before <= BUILTIN


def modules(*arguments: str) -> set[str]:
    command = [sys.executable, "-ISE", *arguments]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_a_directory_of_the_programs_name_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "ansible-runner").mkdir()
    own = os.path.realpath("/nowhere")
    assert protocol.cold_program("ansible-runner", own, str(tmp_path)) == ""
