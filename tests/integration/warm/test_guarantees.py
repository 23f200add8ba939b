"""Nothing hangs, nothing is left behind, and there is always a run: warm, cold, or failed with a
reason."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eventually import eventually
from integration.warm.warm_server import WarmServer, children, command, processes, run, state

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Begin
      ansible.builtin.debug:
    - name: Wait
      ansible.builtin.command: sleep {seconds}
      changed_when: false
"""
QUICK = "- {hosts: localhost, gather_facts: false, tasks: [{ansible.builtin.debug: }]}"

# The second is meant to draw the same in every run, as it does in every program that imports it.
GENERATORS = "import random\nby_chance, chosen = random.Random(), random.Random(7)\n"
DRAWS = """
import random, generators

class FilterModule:
    def filters(self):
        drawn = (random, generators.by_chance, generators.chosen)
        return {"draw": lambda _: [generator.random() for generator in drawn]}
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmServer]:
    with WarmServer(tmp_path_factory.mktemp("warm")) as server:
        yield server
        assert server.cold_reasons == []


class Runs:
    """Starts ansible-runner on playbooks that wait for a time that no other process waits for."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.started: list[subprocess.Popen[str]] = []

    def start(self, server: WarmServer) -> tuple[subprocess.Popen[str], str]:
        seconds = f"600.{uuid.uuid4().int % 10**12:012}"
        data = self._directory / f"data-{seconds}"
        for name, text in {
            "project/play.yml": PLAY.format(seconds=seconds),
            "inventory/hosts": "localhost ansible_connection=local "
            "ansible_python_interpreter='{{ ansible_playbook_python }}'",
            "env/settings": '{"pexpect_timeout": 1}',
        }.items():
            (data / name).parent.mkdir(parents=True, exist_ok=True)
            (data / name).write_text(text)
        process = subprocess.Popen(
            ["ansible-runner", "run", str(data), "-p", "play.yml", "-i", "one"],
            env=server.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        waiting = f"sleep {seconds}"
        eventually(lambda: waits(waiting), 60, f"the playbook to get to {waiting}")
        return process, waiting


def waits(waiting: str) -> list[int]:
    return [pid for pid in processes(waiting) if command(pid).strip() == waiting]


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    made = Runs(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.communicate()


def workers(server: WarmServer) -> list[int]:
    """The processes that the template has forked: one for each run."""
    return children(server.template())


def quick(server: WarmServer, tmp_path: Path) -> subprocess.CompletedProcess[bytes]:
    if not (tmp_path / "quick.yml").exists():
        (tmp_path / "quick.yml").write_text(QUICK)
    arguments = ["ansible-playbook", "-i", "localhost,", "-c", "local", "quick.yml"]
    return run(arguments, server.environment, tmp_path)


def test_a_run_that_lasts_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, runs: Runs
) -> None:
    with WarmServer(tmp_path, "--run-timeout=8") as server:
        process, waiting = runs.start(server)
        said = process.communicate(timeout=60)[1]
        assert "warm-runner: ended after 8 s, the limit for a run" in said
        assert process.returncode != 0
        eventually(lambda: not waits(waiting), 30, "what it started to be gone")
        eventually(lambda: not workers(server), 30, "its processes to be gone")


def test_a_worker_that_crashes_is_a_failed_run_with_a_reason(warm: WarmServer, runs: Runs) -> None:
    process, waiting = runs.start(warm)
    (runner,) = workers(warm)
    os.kill(runner, signal.SIGKILL)
    said = process.communicate(timeout=30)[1]
    assert "warm-runner: the run was ended by SIGKILL" in said
    assert process.returncode == -signal.SIGKILL
    eventually(lambda: not waits(waiting), 30, "its playbook to be gone")


def test_a_client_that_is_killed_takes_its_run_with_it(warm: WarmServer, runs: Runs) -> None:
    process, waiting = runs.start(warm)
    process.kill()
    eventually(lambda: not waits(waiting), 30, "what it started to be gone")
    eventually(lambda: not workers(warm), 30, "its processes to be gone")


def test_a_template_that_is_killed_fails_its_runs_and_is_replaced(
    warm: WarmServer, runs: Runs, tmp_path: Path
) -> None:
    process, waiting = runs.start(warm)
    before = warm.template()
    os.kill(before, signal.SIGKILL)
    said = process.communicate(timeout=30)[1]
    assert "warm-runner: the process that served this run is gone" in said
    assert process.returncode == 254
    eventually(lambda: warm.template() != before, 30, "another template")
    assert quick(warm, tmp_path).returncode == 0
    (keeper,) = warm.keepers()
    for pid in waits(waiting):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: children(keeper) == [warm.template()], 30, "orphans to be reaped")


def test_without_a_server_runs_are_cold(tmp_path: Path) -> None:
    with WarmServer(tmp_path) as server:
        template, (keeper,) = server.template(), server.keepers()
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: not state(template), 20, "the template to end with its keeper")
        assert quick(server, tmp_path).returncode == 0


def test_the_server_ends_with_its_owner_and_leaves_nothing(tmp_path: Path, runs: Runs) -> None:
    with WarmServer(tmp_path) as server:
        process, waiting = runs.start(server)
        os.kill(server.owner.pid, signal.SIGKILL)
        process.communicate(timeout=30)
        assert process.returncode != 0
        eventually(lambda: not waits(waiting), 30, "the run to be gone")
        eventually(lambda: not server.directory.exists(), 30, "socket and programs to be gone")


def test_changed_code_is_loaded_anew(tmp_path: Path) -> None:
    (tmp_path / "loaded_before.py").write_text("NUMBER = 1\n")
    environment = {"PYTHONPATH": str(tmp_path)}
    with WarmServer(tmp_path, "--preload=loaded_before", **environment) as server:
        before = server.template()
        (tmp_path / "loaded_before.py").write_text("NUMBER = 1 + 1\n")

        def replaced() -> bool:
            assert quick(server, tmp_path).returncode == 0
            return server.template() != before

        eventually(replaced, 30, "a template with the new code")
        (reason,) = (e["reason"] for e in server.log if e["msg"] == "Replacing the warm process")
        assert reason.endswith("loaded_before.py has changed")


def test_a_preload_that_fails_costs_only_time(tmp_path: Path) -> None:
    with WarmServer(tmp_path, "--preload=not_there") as server:
        assert quick(server, tmp_path).returncode == 0
        assert [entry["module"] for entry in server.log] == ["not_there"]


def test_beyond_the_limit_runs_are_cold(tmp_path: Path, runs: Runs) -> None:
    with WarmServer(tmp_path, "--max-runs=1") as server:
        runs.start(server)
        assert quick(server, tmp_path).returncode == 0
        assert server.cold_reasons == ["too many runs"]


def test_templates_are_replaced_after_a_number_of_runs(tmp_path: Path) -> None:
    with WarmServer(tmp_path, "--recycle-after=3") as server:
        before = server.template()

        def replaced() -> bool:
            assert quick(server, tmp_path).returncode == 0
            return server.template() != before

        eventually(replaced, 60, "a new template")
        assert server.cold_reasons == []


def test_many_runs_leave_no_zombies_and_no_descriptors(warm: WarmServer, tmp_path: Path) -> None:
    def descriptors() -> int:
        return len(os.listdir(f"/proc/{warm.template()}/fd"))

    quick(warm, tmp_path)
    before = descriptors()
    started = time.monotonic()
    for _ in range(50):
        done = run(["ansible-playbook", "--version"], warm.environment, tmp_path)
        assert done.returncode == 0
    print(f"{(time.monotonic() - started) / 50:.3f} s for each")
    # The template closes what it has of a run after the client has heard the end; before, too.
    eventually(lambda: descriptors() <= before, 10, "the descriptors of all runs to be closed")
    eventually(lambda: not workers(warm), 10, "every run to be reaped")


def test_no_two_runs_draw_the_same_random_numbers(tmp_path: Path) -> None:
    for name, text in {
        "generators.py": GENERATORS,
        "filter_plugins/draws.py": DRAWS,
        "quick.yml": QUICK.replace("debug: ", "debug: {msg: '{{ 0 | draw }}'}"),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {"PYTHONPATH": str(tmp_path)}
    with WarmServer(tmp_path, "--preload=generators", **environment) as server:
        drawn = []
        for _ in range(2):
            said = quick(server, tmp_path).stdout.decode()
            drawn.append(re.findall(r"0\.\d+", said))
        assert server.log == []
    (one, other) = drawn
    assert len(one) == 3
    assert [a == b for a, b in zip(one, other, strict=True)] == [False, False, True]


def test_the_socket_is_its_owners_alone(warm: WarmServer) -> None:
    mode: Callable[[Path], int] = lambda path: path.stat().st_mode & 0o777  # noqa: E731
    assert mode(warm.directory) == 0o700
    assert mode(warm.directory / "socket") == 0o600
