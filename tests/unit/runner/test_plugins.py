"""What the engine has loaded into ansible-playbook, in one of the ansible-core at hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.parameters import host_name, host_vars, mark_unsafe
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
