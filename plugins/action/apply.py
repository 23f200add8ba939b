# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Applies the objects of one SemanticRouter. Documented in plugins/modules/apply.py."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    ArgumentSpec,
    RouterAction,
    now,
)


class ActionModule(RouterAction):
    """What the cluster says against the objects is a result: it becomes a condition."""

    ARGUMENT_SPEC: ClassVar[ArgumentSpec] = {
        "router": {"type": "dict", "required": True},
        "objects": {"type": "list", "elements": "dict", "required": True},
        "prune": {"type": "bool", "default": True},
        "facts": {"type": "dict"},
        "dry_run": {"type": "bool", "default": False},
        **CONNECTION_OPTIONS,
    }

    def act(self, arguments: Arguments) -> dict[str, Any]:
        try:
            client = self.client(arguments)
        except RouterError as error:
            return ApplyResult(problems=[error.problem]).as_dict()
        return apply(
            client,
            Router(arguments["router"]),
            arguments["objects"],
            check_mode=arguments.check_mode,
            diff=arguments.diff,
            dry_run=arguments["dry_run"],
            prune=arguments["prune"],
            facts=Facts.from_dict(arguments["facts"]) if arguments["facts"] else None,
            now=now(),
        ).as_dict()
