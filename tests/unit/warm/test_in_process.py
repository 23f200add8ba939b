"""Which tasks are executed without a process of their own, and on which releases of Ansible."""

from __future__ import annotations

import importlib
import multiprocessing
import sys
import threading
from collections.abc import Callable
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


class Task:
    """As much of one as a worker asks for; `above` is the block that it is in."""

    collections = ("vllm.semantic_router",)
    action = "act"

    def __init__(self, **given: Any) -> None:
        vars(self).update(PLAIN | {"above": ["block"], "args": {}} | given)
        self.copied_with: dict[str, Any] = {}

    def copy(self, **options: Any) -> Task:
        copied = Task(**vars(self) | {"above": list(self.above), "args": dict(self.args)})
        copied.copied_with = options
        return copied


class Host:
    def __init__(self) -> None:
        self.name, self.vars, self.groups = "host-0", {"of": "host-0"}, ["some"]

    def __getstate__(self) -> Any:
        raise AssertionError("a host was serialized, with all its groups")


class Loader:
    """Of action plugins and of modules: what a name leads to."""

    def __init__(self, found: Any) -> None:
        self.found, self.asked = found, []  # type: ignore[var-annotated]

    def get(self, name: str, **options: Any) -> Any:
        self.asked.append((name, options))
        return self.found

    def find_plugin_with_context(self, name: str, **options: Any) -> Any:
        self.asked.append((name, options))
        return self.found


class Declares:
    RUNS_IN_PROCESS = True


class Stage:
    """Workers of a prepared Ansible whose run is `run`; `forked` counts those that were forked."""

    def __init__(self, strategy: Strategy) -> None:
        self.handle: Callable[[Any], None] = lambda _: None
        strategy.patch.setattr(
            strategy.module, "results_thread_main", lambda strategy: self.handle(strategy)
        )
        assert in_process.prepare() == ""
        self.worker: Any = importlib.import_module("ansible.executor.process.worker")
        self.ran: list[Any] = []
        self.forked = 0
        self.run: Callable[[Any], None] = lambda _: None
        self.results: list[str] = []
        self.actions = Loader(Declares)
        self.modules = Loader(SimpleNamespace(resolved=False, action_plugin=None))
        self._class = strategy.module.WorkerProcess
        base = self._class.__mro__[1]

        def run(this: Any) -> None:
            self.ran.append(this)
            self.worker.current_worker = this
            self.run(this)

        def start(_: Any) -> None:
            self.forked += 1

        strategy.patch.setattr(base, "_run", run)
        strategy.patch.setattr(base, "start", start)

    def start(
        self,
        task: Task | None = None,
        variables: dict[str, Any] | None = None,
        host: Host | None = None,
    ) -> None:
        this = self._class.__new__(self._class)
        this._task, this._host = task or Task(), host or Host()
        this._task_vars = {} if variables is None else variables
        # What is displayed comes with a method's name, and keywords.
        this._final_q = SimpleNamespace(
            send_display=lambda *said, **_: self.results.append(said[0])
        )
        this._shared_loader_obj = SimpleNamespace(
            action_loader=self.actions, module_loader=self.modules
        )
        if hasattr(this, "_save_stdin"):
            # Core 2.18.
            this._save_stdin = lambda: setattr(this, "_new_stdin", open("/dev/null"))  # noqa: SIM115
        this.start()


@pytest.fixture
def stage(strategy: Strategy) -> Stage:
    return Stage(strategy)


class TestWhichAreExecutedInPlace:
    def test_plain_tasks_of_actions_that_declare_it(self, stage: Stage) -> None:
        stage.start()
        assert (len(stage.ran), stage.forked) == (1, 0)
        place = {"collection_list": Task.collections}
        assert stage.actions.asked == [("act", {"class_only": True, **place})]
        assert stage.modules.asked == [("act", place)]

    @pytest.mark.parametrize(
        "action",
        [
            None,
            object,
            type("No", (), {"RUNS_IN_PROCESS": False}),
            type("Odd", (), {"RUNS_IN_PROCESS": "yes"}),
        ],
    )
    def test_no_others(self, stage: Stage, action: Any) -> None:
        stage.actions.found = action
        stage.start()
        assert (len(stage.ran), stage.forked) == (0, 1)

    def test_nor_tasks_that_are_not_plain(self, stage: Stage) -> None:
        stage.start(Task(become=True))
        stage.start(variables={"ansible_connection": "ssh"})
        assert (len(stage.ran), stage.forked) == (0, 2)

    @pytest.mark.parametrize(
        ("resolved", "action_plugin", "in_place"),
        [(True, "another", False), (True, None, True), (False, "another", True)],
    )
    def test_nor_what_a_collection_leads_to_another_action(
        self, stage: Stage, resolved: bool, action_plugin: str | None, in_place: bool
    ) -> None:
        stage.modules.found = SimpleNamespace(resolved=resolved, action_plugin=action_plugin)
        stage.start()
        assert bool(stage.ran) is in_place


class TestWhatATaskHasOfItsOwn:
    def test_it_is_a_copy_with_its_parents_and_without_their_tasks(self, stage: Stage) -> None:
        task = Task()

        def meddle(this: Any) -> None:
            this._task.args["say"] = "meddled"
            this._task.above.append("meddled")

        stage.run = meddle
        stage.start(task)
        assert (task.args, task.above) == ({}, ["block"])
        assert stage.ran[0]._task.copied_with == {"exclude_tasks": True}

    def test_its_variables_are_its_own(self, stage: Stage) -> None:
        given: dict[str, Any] = {"deep": {"kept": 1}}
        stage.run = lambda this: this._task_vars.update(meddled=True)
        stage.start(variables=given)
        assert given == {"deep": {"kept": 1}}
        assert stage.ran[0]._task_vars["deep"] is given["deep"]

    def test_its_host_may_lose_everything_at_the_end(self, stage: Stage) -> None:
        host = Host()

        def lose(this: Any) -> None:
            assert (this._host.name, this._host.vars) == ("host-0", {"of": "host-0"})
            this._host.vars, this._host.groups = {}, []

        stage.run = lose
        stage.start(host=host)
        assert type(stage.ran[0]._host) is Host
        assert (host.vars, host.groups) == ({"of": "host-0"}, ["some"])


class TestSurroundings:
    def test_they_are_a_workers_while_it_runs_and_the_playbooks_again(self, stage: Stage) -> None:
        processes = stage.worker.multiprocessing_context
        display = stage.worker.display
        before = sys.stdin, sys.stdout, sys.stderr, display._final_q
        seen: list[Any] = []

        def look(this: Any) -> None:
            assert processes.parent_process() is multiprocessing.current_process()
            assert display._final_q is this._final_q
            assert bool(this._final_q)
            display._final_q.send_display("said")
            print("to nobody")
            sys.stderr.write("to nobody")
            seen.append((sys.stdin.read(), sys.stdout.getvalue(), sys.stderr.getvalue()))  # type: ignore[attr-defined]

        stage.run = look
        stage.start()
        assert seen == [("", "to nobody\n", "to nobody")]
        assert stage.results == ["said"]
        assert (sys.stdin, sys.stdout, sys.stderr, display._final_q) == before
        assert processes.parent_process() is None
        assert stage.worker.current_worker is None

    def test_the_thread_that_handles_results_keeps_the_playbooks(
        self, stage: Stage, strategy: Strategy, capsys: pytest.CaptureFixture[str]
    ) -> None:
        processes = stage.worker.multiprocessing_context
        seen: list[Any] = []

        def handle(given: Any) -> None:
            print("of the results")
            seen.append((given, processes.parent_process(), bool(stage.ran[0]._final_q)))

        def run(_: Any) -> None:
            main = strategy.module.results_thread_main
            thread = threading.Thread(target=main, args=("strategy",))
            thread.start()
            thread.join()

        stage.handle, stage.run = handle, run
        stage.start()
        assert seen == [("strategy", None, False)]
        assert capsys.readouterr().out == "of the results\n"

    def test_what_was_displayed_before_is_not_lost(
        self, stage: Stage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        flushed: list[str] = []
        for name in ("stdout", "stderr"):
            stream = SimpleNamespace(flush=lambda name=name: flushed.append(name))
            monkeypatch.setattr(sys, name, stream)
        stage.run = lambda _: flushed.append("ran")
        stage.start()
        assert flushed == ["stdout", "stderr", "ran"]

    @pytest.mark.parametrize("error", [ValueError("oh"), SystemExit(3)])
    def test_what_would_end_a_worker_is_the_error_of_a_dead_one(
        self, stage: Stage, error: BaseException
    ) -> None:
        stage.run = raising(error)
        with pytest.raises(stage.worker.AnsibleError, match="A worker was found in a dead state"):
            stage.start()
        assert stage.worker.display._final_q is None

    def test_a_signal_to_the_playbook_is_not(self, stage: Stage) -> None:
        stage.run = raising(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            stage.start()


def raising(error: BaseException) -> Callable[[Any], None]:
    def run(_: Any) -> None:
        raise error

    return run
