# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a reconcile wants to know. Documented in plugins/modules/discover.py."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    discover,
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    RouterAction,
)


class ActionModule(RouterAction):
    """A SemanticRouter, what the cluster has for it, and what stands in its way."""

    ARGUMENT_SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "router": {"type": "dict"},
        "name": {"type": "str"},
        "namespace": {"type": "str", "default": "default"},
        "platform": {"type": "str", "choices": ["kubernetes", "openshift"]},
        **CONNECTION_OPTIONS,
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        client = Client.from_options(arguments.values)
        router = _router(client, arguments)
        found = discover(client, router, arguments["platform"] or "")
        problems = list(found.problems)
        # Rules about facts that could not be read would accuse the spec of the cluster's silence.
        if not found.failed:
            problems = [*rules.check(router, found.facts), *problems]
        return {
            "changed": False,
            "router": router.resource,
            "facts": found.facts.as_dict(),
            "problems": [problem.as_dict() for problem in problems],
            "messages": found.messages,
        }


def _router(client: Client, arguments: Arguments) -> Router:
    if arguments["router"]:
        return Router(arguments["router"])
    if arguments["name"]:
        return read_router(client, arguments["name"], arguments["namespace"])
    raise RouterError(
        Problem("InvalidSpec", "", "neither router nor name is given", "Give one of them")
    )
