# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes what the engine reads of a run, one JSON object a line, shaped as ansible-runner's events.

It writes only those keys of a result that the engine looks at, and nothing of the task's arguments:
whatever else is in there may be secret.

This runs in ansible-playbook, which may be of another Python than the engine: it imports Ansible
only.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

FILE = "WRAPPER_RUNNER_EVENTS"
TOLD = ("censored", "msg", "messages", "objects", "period", "reads", "reads_suffice", "status")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "runner_events"

    def __init__(self) -> None:
        super().__init__()
        path = os.environ.get(FILE)
        if not path:
            self.disabled = True
            return
        # A line at a time: what a run that is killed has told so far counts.
        self._file = open(path, "a", encoding="utf-8", buffering=1)  # noqa: SIM115

    def v2_runner_on_start(self, host: Any, _: Any) -> None:
        self._tell("runner_on_start", host=host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        self._tell_result("runner_on_ok", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._tell("runner_on_skipped", host=result._host.get_name())

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._tell_result("runner_on_unreachable", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._tell_result("runner_on_failed", result, ignore_errors=ignore_errors)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        names = ("changed", "dark", "failures", "ok", "processed", "rescued", "skipped", "ignored")
        self._tell("playbook_on_stats", **{name: getattr(stats, name) for name in names})

    def _tell_result(self, event: str, result: Any, **more: Any) -> None:
        task, found = result._task, result._result
        if task.no_log or found.get("_ansible_no_log"):
            told = {"censored": "no_log"}
        else:
            told = {name: found[name] for name in TOLD if name in found}
        self._tell(
            event,
            host=result._host.get_name(),
            task=task.name or task.action,
            task_action=task.action,
            res=told,
            **more,
        )

    def _tell(self, event: str, **data: Any) -> None:
        self._file.write(json.dumps({"event": event, "event_data": data}, default=str) + "\n")
