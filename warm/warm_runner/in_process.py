"""Executes tasks in ansible-playbook's own process, where their action says that this is enough.

Ansible forks a worker for each task of each host. An action plugin whose class says

    RUNS_IN_PROCESS = True

is executed by the same worker, with the same way back for its result, but in place. It promises
that it would leave nothing behind in a process of its own that is missed, or unwanted, here:

- it changes nothing that it is given (task_vars below their first level), and neither directory,
  variables, signal handlers nor anything else that belongs to the process;
- it neither ends the process nor leaves a thread or a child behind;
- it starts no program that uses the standard streams;
- it soon returns: the tasks of all other hosts wait for it.

A task that is not plain is forked all the same, and so is every task of a release of ansible-core
whose workers are not the known ones.
"""

from __future__ import annotations

import importlib
import inspect
import io
import multiprocessing
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

DECLARATION = "RUNS_IN_PROCESS"
_LOCAL = ("local", "ansible.builtin.local")
# What has_dead_workers of Ansible leads to, where a worker has ended without a result.
_DEAD = "A worker was found in a dead state"

# The parameters of what is used here (see _used), by release of ansible-core.
_WORKER = "self final_q task_vars host task play_context loader variable_manager shared_loader_obj"
_EXECUTOR = "loader shared_loader_obj final_q variable_manager"
_OTHERS = ("self", "self exclude_parent exclude_tasks", "self queue", "strategy")
_OF_2_18 = (
    f"{_WORKER} worker_id",
    f"self host task job_vars play_context new_stdin {_EXECUTOR}",
    "",
)
_OF_2_19_AND_2_20 = (
    f"{_WORKER} worker_id cliargs",
    f"self host task job_vars play_context {_EXECUTOR}",
    "task",
)
_OF_2_21 = (
    f"{_WORKER} worker_id cliargs",
    # The rest is what the context has.
    f"self host play_context {_EXECUTOR}",
    "task task_vars host_name",
)
_KNOWN = tuple((*ours, *_OTHERS) for ours in (_OF_2_18, _OF_2_19_AND_2_20, _OF_2_21))


def prepare() -> str:
    """For all playbooks of this process; or why not, if the workers of this Ansible are unknown."""
    worker: Any = importlib.import_module("ansible.executor.process.worker")
    strategy: Any = importlib.import_module("ansible.plugins.strategy")
    if tuple(map(_parameters, _used(worker, strategy))) not in _KNOWN:
        release = importlib.import_module("ansible.release").__version__
        return f"the workers of ansible-core {release} are unknown"
    strategy.WorkerProcess = _worker_class(worker)
    strategy.results_thread_main = _handling_results(strategy.results_thread_main)
    return ""


def _used(worker: Any, strategy: Any) -> Iterator[Any]:
    yield strategy.WorkerProcess.__init__
    yield worker.TaskExecutor.__init__
    yield _task_context()
    yield getattr(strategy.WorkerProcess, "_run", None)
    yield importlib.import_module("ansible.playbook.task").Task.copy
    yield worker.Display.set_queue
    yield getattr(strategy, "results_thread_main", None)


def _parameters(function: Any) -> str:
    return " ".join(inspect.signature(function).parameters) if function else ""


def _task_context() -> Any:
    """What tells a worker's code which task it executes, from core 2.19 on."""
    try:
        kind = importlib.import_module("ansible._internal._task").TaskContext
    except ImportError:
        return None
    return getattr(kind, "create", kind)


def _worker_class(worker: Any) -> Any:
    class WorkerProcess(worker.WorkerProcess):  # type: ignore[misc]
        """Called by what Ansible calls it: the name of the process is made of it."""

        def start(self) -> None:
            task, loaders = self._task, self._shared_loader_obj
            if is_plain(task, self._task_vars) and _declares_it(task, loaders):
                _run_in_place(self, worker)
            else:
                super().start()

    return WorkerProcess


def is_plain(task: Any, variables: Mapping[str, Any]) -> bool:
    """Nothing about the task asks for a process, nor for more waiting than the action itself.

    A connection that persists is found by the process that has made the worker, become may ask a
    terminal, and what is a template is not known here.
    """
    connection, become = variables.get("ansible_connection"), variables.get("ansible_become")
    connection = task.connection if connection is None else connection
    become = task.become if become is None else become
    waits = task.async_val or task.until or task.retries
    return connection in _LOCAL and not (become or waits or task.delegate_to)


def _declares_it(task: Any, loaders: Any) -> bool:
    place = {"collection_list": task.collections}
    action = loaders.action_loader.get(task.action, class_only=True, **place)
    if getattr(action, DECLARATION, False) is not True:
        return False
    # A collection may name another action plugin for the module of that name.
    module = loaders.module_loader.find_plugin_with_context(task.action, **place)
    return not (module.resolved and module.action_plugin)


def _run_in_place(this: Any, worker: Any) -> None:
    """What the forked process would do, with copies of what it would change in its memory."""
    this._task = this._task.copy(exclude_tasks=True)
    this._task_vars = this._task_vars.copy()
    this._host = _twin(this._host)
    with _surroundings_of_a_worker(this, worker):
        try:
            this._run()
        except KeyboardInterrupt:
            # A signal to the playbook, which would have interrupted its waiting for the worker.
            raise
        except BaseException:
            _tell_the_end(worker.display, traceback.format_exc())
            raise worker.AnsibleError(_DEAD) from None


def _tell_the_end(display: Any, why: str) -> None:
    """As a worker does before it ends; of the frames in `why` one is not a worker's."""
    if getattr(_task_context(), "__name__", "") == "create":
        # Core 2.21: to everybody.
        display.error(why)
    else:
        display.debug(f"WORKER HARD EXIT: {why}")


def _twin(host: Any) -> Any:
    """copy.copy would serialize it, with all its groups."""
    kind: Any = type(host)
    twin = kind.__new__(kind)
    vars(twin).update(vars(host))
    return twin


@contextmanager
def _surroundings_of_a_worker(this: Any, worker: Any) -> Iterator[None]:
    """For all threads but the one that handles results, which displays them meanwhile.

    So what is displayed takes the same way as the results, and both come in their order.
    """
    display, processes = worker.display, worker.multiprocessing_context
    is_worker_of = processes.parent_process
    streams = sys.stdin, sys.stdout, sys.stderr
    for stream in streams[1:]:
        # As before a fork: what was displayed is not lost if the process is ended from outside.
        stream.flush()
    this._final_q = _ByThread(this._final_q, None)
    with ExitStack() as stack:
        stack.callback(setattr, worker, "current_worker", None)
        # Set on the one object that there is, over the method of its class.
        stack.callback(delattr, processes, "parent_process")
        processes.parent_process = lambda: (
            is_worker_of() if _handles_results() else multiprocessing.current_process()
        )
        stack.callback(setattr, display, "_final_q", None)
        display.set_queue(this._final_q)
        stack.callback(_set_streams, streams)
        _set_streams(tuple(_ByThread(io.StringIO(), stream) for stream in streams))
        context = _task_context()
        if context:
            told = {"task": this._task, "task_vars": this._task_vars, "host_name": this._host.name}
            # Core 2.19 and 2.20 are told the task, newer ones all of it.
            wanted = inspect.signature(context).parameters
            stack.enter_context(context(**{name: told[name] for name in wanted}))
        if hasattr(this, "_save_stdin"):
            # Core 2.18: for connections.
            this._save_stdin()
            stack.enter_context(this._new_stdin)
        yield


def _set_streams(streams: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = streams


class _ByThread:
    """One thing where a task is executed, another one in the thread that handles results."""

    def __init__(self, for_task: Any, for_results: Any) -> None:
        self._for_task = for_task
        self._for_results = for_results

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen(), name)

    def __bool__(self) -> bool:
        return bool(self._chosen())

    def _chosen(self) -> Any:
        return self._for_results if _handles_results() else self._for_task


_thread = threading.local()


def _handles_results() -> bool:
    return getattr(_thread, "handles_results", False)


def _handling_results(main: Callable[..., None]) -> Callable[..., None]:
    def results_thread_main(*arguments: Any, **keywords: Any) -> None:
        _thread.handles_results = True
        main(*arguments, **keywords)

    return results_thread_main
