from __future__ import annotations

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: told
type: notification
short_description: Says that it was loaded
description: For tests.
options:
  word:
    description: What it says.
    default: told
    env: [{name: TOLD_WORD}]
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "told"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_stats(self, stats):  # noqa: ARG002
        self._display.display(f"callback: {self.get_option('word')}")
