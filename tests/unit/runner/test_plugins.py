"""What the engine has loaded into ansible-playbook, in one of the ansible-core at hand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from handed_run import Executed
from wrapper_runner.handed import Command, Run
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.outcome import Outcome
from wrapper_runner.parameters import host_name, host_vars, mark_unsafe
from wrapper_runner.playing import Play, Player
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind

KIND = Kind("runner.test", "v1", "Widget")
BINARIES = Path(sys.executable).parent


def test_hosts_have_their_objects_and_no_text_of_these_is_a_template(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    jinja = f"{{{{ lookup('pipe', 'touch {mark}') }}}}"
    # What Ansible would take for a range, an address or a group, were it not for the whole name.
    keys = [Key("ai", "a"), Key("10", "0.0.1"), Key("all", "all"), Key("ai", "x" * 200 + ".y")]
    tests = [
        "text == wanted",
        "deep[0].text == wanted",
        "_runner_test_widget.metadata.annotations.note == wanted",
        "_runner_test_widget.spec.text == wanted",
        "_runner_test_widget_spec.text == wanted",
        "ansible_operator_meta.name == _runner_test_widget.metadata.name",
        "inventory_hostname == ansible_operator_meta.namespace + '.' + ansible_operator_meta.name",
        "hostvars['10.0.0.1'].text == wanted",
        "ansible_connection == 'local'",
        f"ansible_play_hosts | length == {len(keys)}",
    ]
    playbook = tmp_path / "play.yml"
    check = {"name": "Check", "ansible.builtin.assert": {"that": tests}}
    play = {"hosts": "{{ routers }}", "gather_facts": False, "tasks": [check]}
    playbook.write_text(yaml.safe_dump([play]))
    hosts = {
        host_name(key): host_vars(
            KIND,
            {
                "metadata": {**key._asdict(), "annotations": {"note": jinja}},
                "spec": {"text": jinja, "deep": [{"text": jinja}], "ansible_connection": "ssh"},
            },
        )
        for key in keys
    }
    directory = InputDirectory(tmp_path / "input")
    variables = directory.write_objects(hosts, {})
    parameters = {"routers": "all", "wanted": mark_unsafe(jinja)}
    directory.write(playbook, parameters, variables, "", {}, hosts=hosts)
    answer = subprocess.run(
        [
            *(BINARIES / "ansible-playbook", "-i", directory.path / "inventory"),
            *("-e", f"@{directory.path / 'env' / 'extravars'}", playbook),
        ],
        env={**os.environ, **variables, "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "WARNING" not in answer.stderr
    assert not mark.exists()


def test_objects_of_a_run_are_read_once_for_all_its_hosts_and_tasks(tmp_path: Path) -> None:
    playbook = tmp_path / "play.yml"
    check = {"ansible.builtin.assert": {"that": "colour == inventory_hostname"}}
    tasks = [{"name": "Check", **check}, {"name": "Check again", **check, "delegate_to": "a.c"}]
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    hosts = {name: {"colour": name} for name in ("a.b", "a.c", "a.d")}
    directory = InputDirectory(tmp_path / "input")
    variables = directory.write_objects(hosts, {})
    directory.write(playbook, {}, variables, "", {}, hosts=hosts)
    objects = directory.path / "env" / "objects"
    text = objects.read_text()
    # Who opens a pipe once more waits for a writer that does not come.
    objects.unlink()
    os.mkfifo(objects)
    writer = threading.Thread(target=objects.write_text, args=(text,))
    writer.start()
    answer = subprocess.run(
        [BINARIES / "ansible-playbook", "-i", directory.path / "inventory", playbook],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    writer.join(10)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert not writer.is_alive()


TELL = """
from ansible.plugins.action import ActionBase

class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {**super().run(tmp, task_vars), **self._task.args["result"]}
"""
READY = {"conditions": [{"type": "Ready", "status": "True", "reason": "Ready"}]}
WRITTEN = [{"action": "created", "name": "a"}, {"action": "unchanged", "name": "b"}]
TOLD: dict[str, Any] = {
    "messages": ["one"],
    "objects": WRITTEN,
    "status": READY,
    "reads": [{"collection": "/api/v1/namespaces/ai/services", "seen": {"vllm": "7"}}],
    "reads_suffice": True,
    "changed": True,
    "token": "hunter2",
}
SECRET: dict[str, Any] = {"ansible.builtin.fail": {"msg": "hunter2"}, "no_log": True}
GOES_WELL: list[dict[str, Any]] = [
    {"name": "Tell of {{ 1 + 1 }}", "tell": {"result": TOLD}},
    {"requeue_after": {"result": {"period": "1m15s"}}},
    {"name": "Ignored", "ansible.builtin.fail": {"msg": "so what"}, "ignore_errors": True},
    {"name": "Left out", "ansible.builtin.fail": {}, "when": False},
    {"block": [{"name": "Keep a secret", **SECRET}], "rescue": [{"ansible.builtin.meta": "noop"}]},
    {
        "block": [{"name": "Loop", "loop": ["hunter2"], **SECRET}],
        "rescue": [{"ansible.builtin.meta": "noop"}],
    },
]
FAILS = [*GOES_WELL, {"name": "Fail", "ansible.builtin.fail": {"msg": "no permit"}}]
UNREACHABLE = [{"name": "Reach", "ansible.builtin.ping": {}, "vars": {"ansible_connection": "odd"}}]


ODD_CONNECTION = """
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = "{name: odd, description: [none], short_description: none, options: {}}"

class Connection(ConnectionBase):
    transport = "odd"

    def _connect(self):
        raise AnsibleConnectionFailure("no route")

    def exec_command(self, *args, **kwargs):
        self._connect()

    def put_file(self, *args, **kwargs):
        self._connect()

    def fetch_file(self, *args, **kwargs):
        self._connect()

    def close(self):
        pass
"""


@pytest.mark.parametrize("tasks", [GOES_WELL, FAILS, UNREACHABLE], ids=["well", "fails", "dark"])
def test_run_without_ansible_runner_has_the_same_outcome(
    tmp_path: Path, tasks: list[dict[str, Any]]
) -> None:
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    )
    actions = tmp_path / "action_plugins"
    actions.mkdir()
    for action in ("tell", "requeue_after"):
        (actions / f"{action}.py").write_text(TELL)
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins" / "odd.py").write_text(ODD_CONNECTION)

    def outcome(player: Player, name: str) -> Outcome:
        directory = InputDirectory(tmp_path / name)
        directory.write(playbook, {}, {}, "", {})
        result = Outcome()
        for event in player.events(Play(directory.path, playbook, "job", 2, 2, 60), {}):
            result.take(event)
        return result

    def hand_over(command: Command) -> Run:
        return Executed(command, BINARIES / "ansible-playbook")

    environment = {**os.environ, "PATH": f"{BINARIES}:{os.environ['PATH']}"}
    cold = outcome(Player(environment), "cold")
    handed = outcome(Player(environment, hand_over), "handed")
    for result in (cold, handed):
        result.stats = {
            name: (result.stats or {})[name]
            for name in ("changed", "dark", "failures", "processed")
        }
    assert handed == cold
    assert handed.succeeded is (tasks is GOES_WELL)
    assert handed.reads_suffice is (tasks is not UNREACHABLE)
    assert "hunter2" not in (tmp_path / "handed/artifacts/job/events").read_text()
