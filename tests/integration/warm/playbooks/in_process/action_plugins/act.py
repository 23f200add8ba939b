from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from ansible.errors import AnsibleActionFail, AnsibleActionSkip, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):
    """Does what a test asks for, in the process of ansible-playbook where that is possible."""

    RUNS_IN_PROCESS = True

    def run(self, tmp=None, task_vars=None):  # noqa: ARG002
        super().run(task_vars=task_vars)
        self.say = self._task.args.get("say", "nothing")
        how = self._task.args.get("how", "ok")
        return {"changed": False, "msg": f"said {self.say}"} | (getattr(self, how)(task_vars) or {})

    def ok(self, task_vars):
        """Nothing more."""

    def change(self, task_vars):  # noqa: ARG002
        return {"changed": True, "ansible_facts": {"learned": self.say}}

    def fail(self, task_vars):  # noqa: ARG002
        raise AnsibleActionFail(f"failed for {self.say}")

    def skip(self, task_vars):  # noqa: ARG002
        raise AnsibleActionSkip(f"skipped for {self.say}")

    def lose(self, task_vars):  # noqa: ARG002
        raise AnsibleConnectionFailure(f"nobody there for {self.say}")

    def crash(self, task_vars):  # noqa: ARG002
        raise ValueError(f"crashed for {self.say}")

    def exit(self, task_vars):  # noqa: ARG002
        sys.exit(3)

    def warn(self, task_vars):  # noqa: ARG002
        display.warning(f"warned of {self.say}")
        display.deprecated(f"deprecated for {self.say}", version="9.9", collection_name="a.b")
        return {"warnings": [f"also of {self.say}"]}

    def show(self, task_vars):  # noqa: ARG002
        display.display(f"shown: {self.say}")
        display.v(f"shown at one v: {self.say}")
        thread = threading.Thread(target=display.display, args=(f"from a thread: {self.say}",))
        thread.start()
        thread.join()

    def much(self, task_vars):  # noqa: ARG002
        display.display("x" * (1 << 18))
        return {"much": "y" * (1 << 20)}

    def strange(self, task_vars):  # noqa: ARG002
        return {"strange": threading.Lock()}

    def wait(self, task_vars):  # noqa: ARG002
        Path("waiting").touch()
        time.sleep(60)

    def read(self, task_vars):  # noqa: ARG002
        try:
            return {"read": sys.stdin.read()}
        except ValueError:
            # It is closed, from core 2.19 on.
            return {"read": ""}

    def meddle(self, task_vars):
        """With what is the task's own in a process of its own."""
        task_vars["meddled"] = True
        self._task.args["say"] = "meddled"
        self._task.ignore_errors = True
        self._play_context.become = True

    def add(self, task_vars):  # noqa: ARG002
        return {"add_host": {"host_name": f"added-{self.say}", "groups": [], "host_vars": {}}}

    def where(self, task_vars):  # noqa: ARG002
        return {"process": os.getpid(), "parent": os.getppid()}
