"""The input directory of ansible-runner: same layout and content as ansible-operator's.

It holds the whole CR, so nobody else may read it: the directories above it are made with mode 0700,
the program runs with umask 077.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wrapper_runner.problems import StartError

# What is loaded into ansible-playbook: what gives hosts their objects, and what tells of a run.
PLUGINS = Path(__file__).parent / "plugins"
VARS_PLUGINS = "ANSIBLE_VARS_PLUGINS"
OBJECTS = "WRAPPER_RUNNER_OBJECTS"

# ansible-runner looks at a termination signal only this often (its own default is 5 s).
SETTINGS = {"pexpect_timeout": 1}


@contextmanager
def base(given: Path | None) -> Iterator[Path]:
    """Where input directories go: `given`, which stays, or a fresh place for this process only.

    Never a fixed place by default: two runners on one machine, for two clusters, would run
    objects of the same name in one directory.
    """
    if given is None:
        with tempfile.TemporaryDirectory(
            prefix="wrapper-runner-", ignore_cleanup_errors=True
        ) as made:
            yield Path(made)
        return
    given.mkdir(parents=True, exist_ok=True, mode=0o700)
    if given.stat().st_uid != os.geteuid():
        raise StartError(f"{given} belongs to somebody else; name another --runner-dir")
    given.chmod(0o700)
    handle = os.open(given, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield given.resolve()
    except BlockingIOError as error:
        raise StartError(f"{given} is in use by another runner; name another") from error
    finally:
        os.close(handle)


@dataclass(frozen=True)
class InputDirectory:
    path: Path

    def write(
        self,
        playbook: Path,
        parameters: Mapping[str, Any],
        variables: Mapping[str, str],
        ansible_args: str,
        environment: Mapping[str, str] = os.environ,
        hosts: Iterable[str] = (),
    ) -> None:
        """parameters: extra vars. variables: of the environment. hosts: if none, this machine."""
        for name in ("env", "project", "inventory"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self._write("env/envvars", json.dumps(dict(variables)))
        self._write("env/extravars", json.dumps(dict(parameters)))
        self._write("env/settings", json.dumps(SETTINGS))
        if ansible_args:
            self._write("env/cmdline", _unquoted(ansible_args))
        self._write("project/playbook.yaml", playbook.read_text(encoding="utf-8"))
        if hosts:
            self._write_hosts(hosts, environment)
        else:
            self._write_inventory(environment)

    def write_objects(
        self,
        hosts: Mapping[str, Mapping[str, Any]],
        environment: Mapping[str, str] = os.environ,
    ) -> dict[str, str]:
        """Each host's variables, and of the environment those that make Ansible read them."""
        self.path.joinpath("env").mkdir(parents=True, exist_ok=True)
        self._write("env/objects", json.dumps(dict(hosts)))
        plugins = (str(PLUGINS / "vars"), environment.get(VARS_PLUGINS, ""))
        return {
            VARS_PLUGINS: os.pathsep.join(filter(None, plugins)),
            OBJECTS: str(self.path / "env" / "objects"),
        }

    def remove_objects(self) -> None:
        (self.path / "env" / "objects").unlink(missing_ok=True)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _write_inventory(self, environment: Mapping[str, str]) -> None:
        given = environment.get("ANSIBLE_INVENTORY")
        if not given:
            reached = " ".join(f"{name}={value}" for name, value in _locally(environment).items())
            self._write("inventory/hosts", f"localhost {reached}")
        elif Path(given).is_dir():
            shutil.copytree(given, self.path / "inventory", dirs_exist_ok=True)
        else:
            shutil.copyfile(given, self.path / "inventory" / "hosts")

    def _write_hosts(self, hosts: Iterable[str], environment: Mapping[str, str]) -> None:
        # Not as .yaml, which Ansible would parse twice: plugin `auto` looks into those first.
        everything = {"vars": _locally(environment), "hosts": dict.fromkeys(hosts)}
        self._write("inventory/hosts.json", json.dumps({"all": everything}))

    def _write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text, encoding="utf-8")


def _locally(environment: Mapping[str, str]) -> dict[str, str]:
    """How a host is reached that is this machine."""
    venv = environment.get("VIRTUAL_ENV")
    python = f"{venv}/bin/python3" if venv else "{{ansible_playbook_python}}"
    return {"ansible_connection": "local", "ansible_python_interpreter": python}


def _unquoted(arguments: str) -> str:
    """Without the single quotes that a manifest may wrap around --ansible-args."""
    wrapped = len(arguments) > 1 and arguments[0] == arguments[-1] == "'"
    return arguments[1:-1] if wrapped else arguments
