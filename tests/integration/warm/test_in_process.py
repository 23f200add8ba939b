"""An action that says so is executed in ansible-playbook's own process, and no other is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.warm.warm_server import WarmServer, run

PLAYBOOKS = Path(__file__).parent / "playbooks" / "in_process"
RESULT = re.compile(r"^ok: \[(?P<host>\S+?)( -> \S+)?\] => (?P<result>\{.*\})$", re.MULTILINE)
# What may become of Ansible: here, its workers take one more argument.
ANOTHER_ANSIBLE = """
from ansible.plugins import strategy

class WorkerProcess(strategy.WorkerProcess):
    def __init__(self, *arguments, colour=None, **keywords):
        super().__init__(*arguments, **keywords)

strategy.WorkerProcess = WorkerProcess
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmServer]:
    with WarmServer(tmp_path_factory.mktemp("warm")) as server:
        yield server
        assert server.log == []


def results(server: WarmServer, playbook: str, hosts: int, *more: str) -> list[tuple[str, Any]]:
    """What a verbose run says, in its order."""
    inventory = "".join(f"host-{number}," for number in range(hosts))
    arguments = ["ansible-playbook", "-v", "-i", inventory, "-c", "local", *more]
    done = run([*arguments, str(PLAYBOOKS / playbook)], server.environment, PLAYBOOKS)
    assert done.returncode == 0, done.stdout.decode()
    found = RESULT.finditer(done.stdout.decode())
    return [(match["host"], json.loads(match["result"])) for match in found]


def test_only_what_says_so_and_is_plain_is_executed_in_place(warm: WarmServer) -> None:
    seen = [result for _, result in results(warm, "where.yml", 2)]
    ours = {result["process"] for result in seen[:2]}
    assert len(ours) == 1
    for result in seen[2:]:
        assert {result["parent"]} == ours
    assert len({result["process"] for result in seen[2:]} - ours) == len(seen[2:]) == 4


def test_in_a_run_of_ansible_runner_too(warm: WarmServer, tmp_path: Path) -> None:
    (tmp_path / "project").symlink_to(PLAYBOOKS)
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "hosts").write_text("host-0 ansible_connection=local")
    command = ["ansible-runner", "run", str(tmp_path), "-p", "where.yml", "--json", "-i", "one"]
    done = run(command, warm.environment, tmp_path)
    assert done.returncode == 0
    events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    seen = [event for event in events if event["event"] == "runner_on_ok"]
    # An event has the process of the callback plugins, which is the playbook's.
    in_place = [event["pid"] == event["event_data"]["res"]["process"] for event in seen]
    assert in_place == [True, False, False]


def test_each_of_many_hosts_has_its_own_large_result_in_its_turn(warm: WarmServer) -> None:
    seen = results(warm, "many.yml", 7)
    assert [host for host, _ in seen] == [f"host-{number}" for number in range(7)]
    for host, result in seen:
        assert result["msg"] == f"said {host}"
        assert len(result["much"]) == 1 << 20


def test_become_asks_for_a_process(warm: WarmServer) -> None:
    asked = ("-e", "ansible_become=true", "-e", "ansible_become_method=ansible.builtin.su")
    processes = [result["process"] for _, result in results(warm, "where.yml", 1, *asked)]
    assert len(set(processes)) == 3
    assert len({result["parent"] for _, result in results(warm, "where.yml", 1, *asked)}) == 1


def test_with_workers_that_are_unknown_all_is_forked_and_said_once(tmp_path: Path) -> None:
    (tmp_path / "another_ansible.py").write_text(ANOTHER_ANSIBLE)
    environment = {"PYTHONPATH": str(tmp_path)}
    with WarmServer(tmp_path, "--preload=another_ansible", **environment) as server:
        for _ in range(2):
            seen = [result for _, result in results(server, "where.yml", 1)]
            assert len({result["process"] for result in seen}) == 3
            assert len({result["parent"] for result in seen}) == 1
        (entry,) = server.log
        assert entry["msg"] == "Every task is forked"
        assert re.fullmatch(
            r"the workers of ansible-core 2\.\d+\.\d+\S* are unknown", entry["reason"]
        )
