from __future__ import annotations

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Stands in for Ansible's own action of this name, for one playbook."""

    def run(self, tmp=None, task_vars=None):  # noqa: ARG002
        return {"changed": False, "msg": f"not Ansible's own: {self._task.args.get('msg')}"}
