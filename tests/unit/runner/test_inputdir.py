"""The input directory is laid out as ansible-operator lays it out."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from wrapper_runner import inputdir
from wrapper_runner.inputdir import InputDirectory
from wrapper_runner.problems import StartError


def write(tmp_path: Path, ansible_args: str = "", **environment: str) -> Path:
    playbook = tmp_path / "reconcile.yml"
    playbook.write_text("- hosts: localhost\n")
    kubeconfig = {"KUBECONFIG": "/kube/config"}
    directory = InputDirectory(tmp_path / "input")
    parameters: dict[str, Any] = {"replicas": 2}
    directory.write(playbook, parameters, kubeconfig, ansible_args, environment)
    return directory.path


def test_directory_has_what_ansible_runner_reads(tmp_path: Path) -> None:
    path = write(tmp_path)
    assert json.loads((path / "env/extravars").read_text()) == {"replicas": 2}
    assert json.loads((path / "env/envvars").read_text()) == {"KUBECONFIG": "/kube/config"}
    assert json.loads((path / "env/settings").read_text()) == inputdir.SETTINGS
    assert (path / "project/playbook.yaml").read_text() == "- hosts: localhost\n"
    assert not (path / "env/cmdline").exists()


@pytest.mark.parametrize(
    ("environment", "python"),
    [({}, "{{ansible_playbook_python}}"), ({"VIRTUAL_ENV": "/venv"}, "/venv/bin/python3")],
)
def test_inventory_is_this_machine(
    tmp_path: Path, environment: dict[str, str], python: str
) -> None:
    hosts = write(tmp_path, **environment) / "inventory" / "hosts"
    line = f"localhost ansible_connection=local ansible_python_interpreter={python}"
    assert hosts.read_text() == line


def test_inventory_of_the_environment_is_copied(tmp_path: Path) -> None:
    directory = tmp_path / "given"
    directory.mkdir()
    (directory / "hosts").write_text("elsewhere\n")
    (directory / "more").write_text("there\n")
    path = write(tmp_path, ANSIBLE_INVENTORY=str(directory / "hosts"))
    assert (path / "inventory" / "hosts").read_text() == "elsewhere\n"
    path = write(tmp_path, ANSIBLE_INVENTORY=str(directory))
    assert (path / "inventory" / "more").read_text() == "there\n"


@pytest.mark.parametrize("given", ["--tags a", "'--tags a'"])
def test_ansible_args_lose_the_quotes_around_them(tmp_path: Path, given: str) -> None:
    assert (write(tmp_path, given) / "env" / "cmdline").read_text() == "--tags a"


def test_hosts_take_the_place_of_this_machine_and_their_objects_go_by_a_file(
    tmp_path: Path,
) -> None:
    playbook = tmp_path / "reconcile.yml"
    playbook.write_text("- hosts: all\n")
    directory = InputDirectory(tmp_path / "input")
    hosts = {"a.b": {"replicas": 2}, "a.c": {"replicas": 3}}
    variables = directory.write_objects(hosts, {"ANSIBLE_VARS_PLUGINS": "/mine"})
    directory.write(playbook, {"routers": "all"}, variables, "", {}, hosts=hosts)
    env = directory.path / "env"
    assert json.loads((env / "envvars").read_text()) == {
        "ANSIBLE_VARS_PLUGINS": f"{inputdir.PLUGINS / 'vars'}:/mine",
        "WRAPPER_RUNNER_OBJECTS": str(env / "objects"),
    }
    assert json.loads((env / "objects").read_text()) == hosts
    [inventory] = (directory.path / "inventory").iterdir()
    assert json.loads(inventory.read_text())["all"]["hosts"] == {"a.b": None, "a.c": None}
    directory.remove_objects()
    assert not (env / "objects").exists()


def test_base_goes_away_unless_it_was_given(tmp_path: Path) -> None:
    with inputdir.base(None) as fresh:
        assert stat.S_IMODE(fresh.stat().st_mode) == 0o700
    assert not fresh.exists()
    with inputdir.base(tmp_path / "kept") as kept:
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert kept.exists()


def test_base_that_is_in_use_is_refused(tmp_path: Path) -> None:
    with (
        inputdir.base(tmp_path),
        pytest.raises(StartError, match="in use by another runner"),
        inputdir.base(tmp_path),
    ):
        pass
