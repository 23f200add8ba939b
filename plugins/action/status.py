# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the status of a SemanticRouter. Documented in plugins/modules/status.py."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    gave_up,
    written,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import report
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    RouterAction,
    now,
)


class ActionModule(RouterAction):
    """One patch at most, and the time to look again."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "router": {"type": "dict", "required": True},
        "facts": {"type": "dict", "default": {}},
        "problems": {"type": "list", "elements": "dict", "default": []},
        "objects": {"type": "list", "elements": "dict", "default": []},
        "plan": {"type": "dict", "default": {}},
        "failure": {"type": "str"},
        **CONNECTION_OPTIONS,
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        client = self.client(arguments)
        router, facts = Router(arguments["router"]), Facts.from_dict(arguments["facts"])
        said = report(
            client,
            Situation(router, facts, _problems(arguments)),
            plan=arguments["plan"],
            now=now(),
            check_mode=arguments.check_mode,
        )
        return {
            "changed": said.changed,
            "status": said.status,
            "requeue_after": said.requeue_after,
            "messages": [*written(arguments["objects"]), *said.messages],
            "summary": said.summary,
        }


def _problems(arguments: Arguments) -> list[Problem]:
    problems = [Problem.from_dict(value) for value in arguments["problems"]]
    # No facts: the discovery itself failed, and what is known stays known.
    if not arguments["facts"] and not any(item.reason == "DiscoveryFailed" for item in problems):
        problems.insert(
            0, gave_up("DiscoveryFailed", arguments["failure"] or "discovery did not run")
        )
    elif arguments["failure"]:
        problems.append(gave_up("ReconcileFailed", arguments["failure"]))
    return problems
