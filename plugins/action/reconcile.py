# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reconciles one SemanticRouter. Documented in plugins/modules/reconcile.py."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from ansible.module_utils.basic import env_fallback
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reconcile import (
    Reconciled,
    reconcile,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.conditions import (
    CONFIG_VALID,
    DEGRADED,
    FALSE,
    READY,
    TRUE,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.router_status import (
    PHASE_RUNNING,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils import code
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.action import (
    CONNECTION_OPTIONS,
    Arguments,
    ArgumentSpec,
    RouterAction,
    now,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.plain import plain

LOOK_AGAIN_SECONDS = 2.0


class ActionModule(RouterAction):
    """Whatever goes wrong becomes a condition; the task fails where not even that is possible."""

    ARGUMENT_SPEC: ClassVar[ArgumentSpec] = {
        "router": {"type": "str", "default": "_vllm_ai_semanticrouter"},
        "name": {"type": "str"},
        "namespace": {"type": "str", "default": "default"},
        "concerns": {
            "type": "list",
            "elements": "str",
            "choices": list(registry.CONCERNS),
            "default": list(registry.CONCERNS),
        },
        "secret_versions": {
            "type": "bool",
            "default": False,
            "fallback": (env_fallback, ["ROLLOUT_ON_SECRET_CHANGE"]),
        },
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 600},
        **CONNECTION_OPTIONS,
    }

    # For the task that all hosts of a batch have in common.
    _reads: ClassVar[tuple[str, Reads] | None] = None

    def act(self, arguments: Arguments) -> dict[str, Any]:
        self._require_a_router(arguments)
        client = self.client(arguments)
        router = self._router(client, arguments)
        done = self._reconcile(client, self._shared(client, router), router, arguments)
        if not arguments["wait"] or arguments.check_mode:
            return done.as_dict()
        changed = done.changed
        deadline = time.monotonic() + arguments["wait_timeout"]
        while done.status.get("phase") != PHASE_RUNNING:
            if _is_refused(done) or time.monotonic() >= deadline:
                raise RouterError(_not_running(router, done, arguments["wait_timeout"]))
            # As a person would: with an operator in the cluster, most of these find nothing to do.
            time.sleep(LOOK_AGAIN_SECONDS)
            router = read_router(client, router.name, router.namespace)
            done = self._reconcile(client, Reads(client), router, arguments)
            changed = changed or done.changed
        return {**done.as_dict(), "changed": changed}

    def _reconcile(
        self, client: Client, reads: Reads, router: Router, arguments: Arguments
    ) -> Reconciled:
        return reconcile(
            client,
            reads,
            router,
            now=now(),
            code=code.digest(),
            concerns=arguments["concerns"],
            secret_versions=arguments["secret_versions"],
            check_mode=arguments.check_mode,
            diff=arguments.diff,
        )

    def _router(self, client: Client, arguments: Arguments) -> Router:
        given = self.variables.get(arguments["router"])
        if given is not None:
            # Not through a template of the playbook: that takes the object apart, text by text.
            return Router(plain(given))
        return read_router(client, arguments["name"], arguments["namespace"])

    def _require_a_router(self, arguments: Arguments) -> None:
        """Before the cluster is looked for: whoever lacks both hears of the router first."""
        if arguments["name"] or self.variables.get(arguments["router"]) is not None:
            return
        found = f"there is neither a variable {arguments['router']} nor a name"
        raise RouterError(
            Problem("InvalidSpec", "", found, "Name the SemanticRouter: -e router_name=my-router")
        )

    def _shared(self, client: Client, router: Router) -> Reads:
        """The answers that earlier hosts of this task have got."""
        task = str(self._task._uuid)
        known = ActionModule._reads
        if known is None or known[0] != task:
            hosts = [str(name) for name in self.variables.get("ansible_play_hosts") or ()]
            known = (task, Reads(client, _batch(hosts, router)))
            ActionModule._reads = known
        return known[1]


def _condition(done: Reconciled, kind: str) -> Mapping[str, Any]:
    conditions = done.status.get("conditions") or []
    return next((item for item in conditions if item["type"] == kind), {})


def _is_refused(done: Reconciled) -> bool:
    return _condition(done, CONFIG_VALID).get("status") == FALSE


def _not_running(router: Router, done: Reconciled, seconds: int) -> Problem:
    """In the words of the condition that says why."""
    degraded = _condition(done, DEGRADED)
    why = degraded if degraded.get("status") == TRUE else _condition(done, READY)
    found = f"{router.name} is not {PHASE_RUNNING}: {why.get('message') or done.summary}"
    remedy = f"Correct this, or wait for more than {seconds} s: -e wait_timeout={2 * seconds}"
    return Problem(str(why.get("reason", "")), "", found.rstrip("."), remedy)


def _batch(hosts: list[str], router: Router) -> dict[str, list[str]]:
    """Routers by namespace, where each host is one and is named <namespace>.<name>."""
    if f"{router.namespace}.{router.name}" not in hosts:
        return {}
    found: dict[str, list[str]] = {}
    for host in hosts:
        namespace, _, name = host.partition(".")
        found.setdefault(namespace, []).append(name)
    return found
