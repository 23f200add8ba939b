"""A program that hands its runs over itself gets what the programs on PATH would give it."""

from __future__ import annotations

import gc
import operator
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eventually import eventually
from integration.warm.warm_server import children, command, plain_environment, processes
from warm_runner.run import PLAYBOOK, RUNNER, ColdRun, Run
from warm_runner.server import Options, Server, start

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ told }} {{ lookup('env', 'TOLD') }} {{ lookup('pipe', 'pwd') }}"
"""
WAITS = """
- hosts: localhost
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Wait
      ansible.builtin.command: sleep SECONDS
"""
CALLER = """
import os, sys
from pathlib import Path
from warm_runner import run
streams = (os.open(os.devnull, os.O_RDWR), 1, 2)
place = Path(sys.argv[1]), Path(sys.argv[2])
handed = run.hand_over(*place, run.PLAYBOOK, sys.argv[3:], ".", os.environ, streams)
print("begun", flush=True)
sys.stdin.read()
"""
ARGUMENTS = ("-i", "localhost,", "-c", "local", "play.yml")


class Caller:
    """What a program with a server of its own does."""

    def __init__(self, directory: Path, options: Options | None = None) -> None:
        self.environment = plain_environment()
        self.place = directory / "server"
        self.server: Server = start(self.place, options or Options(), self.environment)
        self.environment["PATH"] = self.server.first_on(self.environment["PATH"])

    def __enter__(self) -> Caller:
        eventually(self.is_warm, 60, "the server to have loaded Ansible")
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def is_warm(self) -> bool:
        try:
            return self.finish(PLAYBOOK, ["--version"], self.place.parent)[0] == 0
        except ColdRun:
            return False

    def template(self) -> int:
        running = children(self.server.pid)
        found = [pid for pid in running if "warm_runner.template" in command(pid)]
        assert len(found) == 1, found
        return found[0]

    def hand_over(
        self, program: str, arguments: list[str], directory: Path, **environment: str
    ) -> tuple[Run, int]:
        """The run, and where its output can be read."""
        reading, writing = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        try:
            handed = self.server.hand_over(
                program,
                arguments,
                directory,
                {**self.environment, **environment},
                stdin=nothing,
                stdout=writing,
                stderr=writing,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
            os.close(nothing)
        return handed, reading

    def finish(
        self, program: str, arguments: list[str], directory: Path, **environment: str
    ) -> tuple[int | None, str]:
        handed, reading = self.hand_over(program, arguments, directory, **environment)
        with handed, open(reading) as output:
            said = output.read()
            return handed.wait(60), said


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with Caller(tmp_path_factory.mktemp("caller")) as made:
        yield made


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[str]:
    """The command line of a process that a playbook in the directory waits for, and no other."""
    seconds = f"600.{uuid.uuid4().int % 10**12:012}"
    (tmp_path / "play.yml").write_text(WAITS.replace("SECONDS", seconds))
    yield f"sleep {seconds}"
    for pid in waits(f"sleep {seconds}"):
        os.kill(pid, signal.SIGKILL)


def waits(waiting: str) -> list[int]:
    return [pid for pid in processes(waiting) if command(pid).strip() == waiting]


def is_gone(caller: Caller, waiting: str) -> None:
    eventually(lambda: not waits(waiting), 30, "what the run started to be gone")
    eventually(lambda: not children(caller.template()), 30, "its processes to be gone")


def test_a_playbook_does_what_the_program_does(caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    arguments = [*ARGUMENTS, "-e", "told=grüße"]
    status, said = caller.finish(PLAYBOOK, arguments, tmp_path, TOLD="☃")
    cold = subprocess.run(
        [PLAYBOOK, *arguments],
        env={**plain_environment(), "TOLD": "☃"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert status == 0
    assert f"grüße ☃ {tmp_path}" in said
    assert said == cold.stdout


def test_a_failed_playbook_has_the_status_of_the_program(caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(
        "- {hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.fail: }]}"
    )
    assert caller.finish(PLAYBOOK, list(ARGUMENTS), tmp_path)[0] == 2


def test_a_run_of_ansible_runner_has_a_warm_playbook(caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "play.yml").write_text(
        """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ lookup('pipe', 'cat /proc/$PPID/cmdline') is search('warm_runner.template') }}"
"""
    )
    arguments = ["run", str(tmp_path), "-p", "play.yml", "-i", "one"]
    status, said = caller.finish(RUNNER, arguments, tmp_path)
    assert status == 0
    assert '"msg": true' in said.lower()
    assert (tmp_path / "artifacts" / "one" / "rc").read_text() == "0"


def test_any_thread_may_hand_over(caller: Caller, tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)

    def one(number: int) -> None:
        assert threading.current_thread() is not threading.main_thread()
        arguments = [*ARGUMENTS, "-e", f"told=number-{number}"]
        status, said = caller.finish(PLAYBOOK, arguments, tmp_path, TOLD=f"variable-{number}")
        assert status == 0
        assert f"number-{number} variable-{number} " in said

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))


def test_neither_side_keeps_a_descriptor(caller: Caller, tmp_path: Path, waiting: str) -> None:
    def descriptors() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), len(os.listdir(f"/proc/{caller.template()}/fd"))

    # What other tests have left to the collector is not ours, and may go at any time.
    gc.collect()
    before = descriptors()
    for _ in range(10):
        assert caller.finish(PLAYBOOK, ["--version"], tmp_path)[0] == 0
        with pytest.raises(ColdRun):
            caller.hand_over(PLAYBOOK, ["--version"], tmp_path, PYTHONPATH="/elsewhere")
        handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
        handed.end()
        os.close(reading)
    eventually(
        lambda: all(map(operator.le, descriptors(), before)),
        10,
        "both to have no more than they had",
    )


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({"PYTHONPATH": "/elsewhere"}, r"^PYTHONPATH is different$"),
        ({"PATH": "/nowhere"}, r"^there is no ansible-playbook on PATH$"),
    ],
)
def test_a_run_that_has_to_be_cold_says_why(
    caller: Caller, tmp_path: Path, environment: dict[str, str], reason: str
) -> None:
    with pytest.raises(ColdRun, match=reason):
        caller.hand_over(PLAYBOOK, ["--version"], tmp_path, **environment)


def test_a_request_that_is_too_large_is_refused_and_not_cut(caller: Caller, tmp_path: Path) -> None:
    with pytest.raises(ColdRun, match=r"^the request is too large$"):
        caller.hand_over(PLAYBOOK, ["--version", "-e", "x" * (17 << 20)], tmp_path)


def test_beyond_the_limit_runs_are_cold(tmp_path: Path, waiting: str) -> None:
    with Caller(tmp_path, Options(max_runs=1)) as caller:
        handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
        with handed, open(reading), pytest.raises(ColdRun, match=r"^too many runs$"):
            caller.hand_over(PLAYBOOK, ["--version"], tmp_path)


def test_after_the_server_runs_are_cold(tmp_path: Path) -> None:
    with Caller(tmp_path) as caller:
        caller.server.stop()
        with pytest.raises(ColdRun, match="there is no server"):
            caller.hand_over(PLAYBOOK, ["--version"], tmp_path)


def test_a_run_that_lasts_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, waiting: str
) -> None:
    with Caller(tmp_path, Options(run_timeout=8)) as caller:
        handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
        with handed, open(reading):
            eventually(lambda: waits(waiting), 60, "the playbook to wait")
            assert handed.wait(0) is None
            assert handed.wait(60) == -signal.SIGTERM
            assert handed.explanation == "warm-runner: ended after 8 s, the limit for a run"
            is_gone(caller, waiting)


def test_a_signal_reaches_its_program(caller: Caller, tmp_path: Path, waiting: str) -> None:
    handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
    with handed, open(reading) as output:
        eventually(lambda: waits(waiting), 60, "the playbook to wait")
        handed.signal(signal.SIGINT)
        assert handed.wait(30) == 99
        assert "User interrupted execution" in output.read()


def test_when_it_is_ended_nothing_of_it_is_left(
    caller: Caller, tmp_path: Path, waiting: str
) -> None:
    handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
    with open(reading):
        eventually(lambda: waits(waiting), 60, "the playbook to wait")
        handed.end()
        assert waits(waiting) == []
        assert handed.wait(0) == -signal.SIGKILL


def test_a_caller_that_is_killed_takes_its_run_with_it(
    caller: Caller, tmp_path: Path, waiting: str
) -> None:
    place = [str(caller.place / "socket"), str(caller.server.binaries)]
    process = subprocess.Popen(
        [sys.executable, "-c", CALLER, *place, *ARGUMENTS],
        env=caller.environment,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        eventually(lambda: waits(waiting), 60, "the playbook to wait")
    finally:
        process.kill()
        process.communicate()
    is_gone(caller, waiting)


def test_a_template_that_is_killed_fails_the_run_with_a_reason(
    caller: Caller, tmp_path: Path, waiting: str
) -> None:
    before = caller.template()
    handed, reading = caller.hand_over(PLAYBOOK, list(ARGUMENTS), tmp_path)
    with handed, open(reading):
        eventually(lambda: waits(waiting), 60, "the playbook to wait")
        os.kill(before, signal.SIGKILL)
        assert handed.wait(30) == 254
        assert handed.explanation.startswith("the process that served this run is gone")
    eventually(lambda: not waits(waiting), 30, "what the run started to be gone")
    eventually(lambda: caller.template() != before, 30, "another template")
    eventually(caller.is_warm, 60, "it to have loaded Ansible")
