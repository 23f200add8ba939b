# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tells the companion of the stock engine what a run has read of others' objects.

This runs in ansible-playbook, which may be of another Python than the companion: it imports Ansible
only.
"""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from typing import Any

from ansible.plugins.callback import CallbackBase

SOCKET = "WRAPPER_RUNNER_READS"
TOLD = ("changed", "doorbell", "reads")
# As ansible-operator calls it, among the extra variables.
OBJECT = "ansible_operator_meta"


class CallbackModule(CallbackBase):  # type: ignore[misc]
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "runner_reads"

    def __init__(self) -> None:
        super().__init__()
        self._path = os.environ.get(SOCKET, "")
        self._object: Any = None
        self.disabled = not self._path

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._object = play.get_variable_manager().extra_vars.get(OBJECT)

    def v2_runner_on_ok(self, result: Any) -> None:
        found = result._result
        if not self._object or "reads" not in found or found.get("_ansible_no_log"):
            return
        told = {"object": self._object, **{name: found[name] for name in TOLD if name in found}}
        # Nobody has to listen: without it, a change is found by the next look.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(json.dumps(told, default=str).encode(), self._path)
