# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Behaves as the object of its host wants it to, well or badly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        wanted = self._task.args
        name = (task_vars or {})["ansible_operator_meta"]["name"]
        whole = (task_vars or {})["_runner_test_widget"]
        if wanted["mark"]:
            Path(wanted["mark"]).touch()
        match wanted["as"]:
            case "fail":
                raise AnsibleActionFail(f"{name} fails")
            case "die":
                # The playbook's process, with or without a fork for this task.
                parent = multiprocessing.parent_process()
                os.kill(parent.pid if parent else os.getpid(), signal.SIGKILL)
            case "hang":
                while not Path(wanted["until"]).exists():
                    time.sleep(0.1)
        said = f"{name} says {wanted['text']}, as {whole['spec'].get('text', 'nothing')}"
        ready = {"type": "Ready", "status": "True", "reason": name.title()}
        return {
            **result,
            "messages": [said],
            "objects": [{"action": "created"}] * whole["spec"].get("objects", 0),
            "status": {"conditions": [ready]},
            "reads": whole["spec"].get("reads", []),
            "reads_suffice": True,
        }
