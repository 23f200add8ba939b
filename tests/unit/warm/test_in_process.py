"""Which tasks are executed without a process of their own, and on which releases of Ansible."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from warm_runner import in_process

PLAIN: dict[str, Any] = {
    **{"connection": "local", "become": False, "delegate_to": None, "async_val": 0},
    **{"until": [], "retries": None},
}


@pytest.mark.parametrize(
    ("task", "variables", "plain"),
    [
        ({}, {}, True),
        ({"connection": "ssh"}, {}, False),
        ({"connection": "ssh"}, {"ansible_connection": "local"}, True),
        ({"connection": "ssh"}, {"ansible_connection": "ansible.builtin.local"}, True),
        ({}, {"ansible_connection": "ansible.netcommon.network_cli"}, False),
        ({}, {"ansible_connection": "{{ 'local' }}"}, False),
        ({"become": True}, {}, False),
        ({"become": "{{ maybe }}"}, {}, False),
        ({}, {"ansible_become": True}, False),
        ({"become": True}, {"ansible_become": False}, True),
        ({"become": True}, {"ansible_become": None, "ansible_connection": None}, False),
        ({"delegate_to": "another"}, {}, False),
        ({"async_val": 10}, {}, False),
        ({"retries": 3}, {}, False),
        ({"until": ["done"]}, {}, False),
    ],
)
def test_a_task_that_needs_more_than_its_action_is_not_plain(
    task: dict[str, Any], variables: dict[str, Any], plain: bool
) -> None:
    assert in_process.is_plain(SimpleNamespace(**PLAIN | task), variables) is plain


class Strategy:
    """The module of Ansible, with what is replaced there put back at the end."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.module: Any = importlib.import_module("ansible.plugins.strategy")
        self.patch = patch
        for name in ("WorkerProcess", "results_thread_main"):
            patch.setattr(self.module, name, getattr(self.module, name))


@pytest.fixture
def strategy(monkeypatch: pytest.MonkeyPatch) -> Strategy:
    return Strategy(monkeypatch)


def test_the_workers_of_this_ansible_are_known(strategy: Strategy) -> None:
    known = strategy.module.WorkerProcess
    assert in_process.prepare() == ""
    assert issubclass(strategy.module.WorkerProcess, known)
    assert strategy.module.WorkerProcess is not known
    assert strategy.module.WorkerProcess.__name__ == known.__name__


def more(*_: Any, more: int = 0) -> None:
    """Takes what is not known."""


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("ansible.executor.process.worker", "WorkerProcess.__init__"),
        ("ansible.executor.process.worker", "WorkerProcess._run"),
        ("ansible.executor.task_executor", "TaskExecutor.__init__"),
        ("ansible.playbook.task", "Task.copy"),
        ("ansible.utils.display", "Display.set_queue"),
        ("ansible.plugins.strategy", "results_thread_main"),
    ],
)
def test_an_ansible_that_differs_where_it_matters_is_unknown(
    strategy: Strategy, module: str, name: str
) -> None:
    known = strategy.module.WorkerProcess
    strategy.patch.setattr(f"{module}.{name}", more)
    assert "unknown" in in_process.prepare()
    assert strategy.module.WorkerProcess is known


@pytest.mark.parametrize("name", ["WorkerProcess._run", "results_thread_main"])
def test_an_ansible_that_lacks_what_matters_is_unknown(strategy: Strategy, name: str) -> None:
    known = strategy.module.WorkerProcess
    strategy.patch.delattr(f"ansible.plugins.strategy.{name}")
    assert "unknown" in in_process.prepare()
    assert strategy.module.WorkerProcess is known
