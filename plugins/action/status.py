# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writes the status of a SemanticRouter. Documented in plugins/modules/status.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import watching
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.live import read
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import report
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils import code
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    RouterAction,
)


class ActionModule(RouterAction):
    """One patch at most, and the time to look again."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "router": {"type": "dict", "required": True},
        "facts": {"type": "dict", "default": {}},
        "problems": {"type": "list", "elements": "dict", "default": []},
        "objects": {"type": "list", "elements": "dict", "default": []},
        "plan": {"type": "dict", "default": {}},
        "live": {"type": "path"},
        "failure": {"type": "str"},
        **CONNECTION_OPTIONS,
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        client = Client.from_options(arguments.values)
        router = Router(arguments["router"])
        known = read(arguments["live"]) if arguments["live"] else None
        said = report(
            client,
            router,
            Facts.from_dict(arguments["facts"]),
            _problems(arguments),
            plan=arguments["plan"],
            known=known,
            now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            code=code.digest(),
            check_mode=arguments.check_mode,
        )
        watching.ask_for(client, router, known or [])
        return {
            "changed": said.changed,
            "status": said.status,
            "requeue_after": said.requeue_after,
            "messages": [*_written(arguments["objects"]), *said.messages],
            "summary": said.summary,
        }


def _problems(arguments: Arguments) -> list[Problem]:
    problems = [Problem.from_dict(value) for value in arguments["problems"]]
    # No facts: the discovery itself failed, and what is known stays known.
    if not arguments["facts"] and not any(item.reason == "DiscoveryFailed" for item in problems):
        problems.insert(
            0, _failed("DiscoveryFailed", arguments["failure"] or "discovery did not run")
        )
    elif arguments["failure"]:
        problems.append(_failed("ReconcileFailed", arguments["failure"]))
    return problems


def _failed(reason: str, found: str) -> Problem:
    return Problem(
        reason=reason,
        field="",
        found=found.strip().rstrip("."),
        remedy="Wait: the operator tries again by itself; its log has the details",
        retry=True,
    )


def _written(objects: list[dict[str, Any]]) -> list[str]:
    return [
        f"{item['kind']} {item['name']} {item['action']}"
        for item in objects
        if item["action"] != "unchanged"
    ]
