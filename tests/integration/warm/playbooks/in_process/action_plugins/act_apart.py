from __future__ import annotations

from ansible.plugins.loader import action_loader

act = action_loader.get("act", class_only=True)


class ActionModule(act):
    """The same in a process of its own."""

    RUNS_IN_PROCESS = False
