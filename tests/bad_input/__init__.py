"""Wrong SemanticRouters and what is said about each: one table for unit, integration and e2e tests.

The table is table.yaml; its head explains the columns. Not a test by itself.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

HERE = Path(__file__).parent

SCHEMA = "schema"
RULE = "rule"
OPERATOR = "operator"


@dataclass(frozen=True)
class Case:
    """One wrong SemanticRouter.

    by: who refuses it: SCHEMA, RULE (the API server both) or OPERATOR.
    field: what the operator's Problem blames, or would blame.
    said: words of the API server's answer; "" when it accepts the object.
    remedy, reason: words and reason of the operator's Problem.
    """

    name: str
    by: str
    patch: dict[str, Any]
    field: str
    remedy: str
    said: str = ""
    reason: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def is_refused_by_api_server(self) -> bool:
        """kubectl apply fails; nothing reaches the operator."""
        return self.by != OPERATOR

    def resource(self, name: str = "", namespace: str = "default") -> dict[str, Any]:
        """The wrong object. A case about names keeps its own."""
        wrong: dict[str, Any] = _merged(good(name or "broken", namespace), self.patch)
        return wrong


def good(name: str = "broken", namespace: str = "default") -> dict[str, Any]:
    """What every case breaks in one place."""
    resource = yaml.safe_load((HERE / "good.yaml").read_text(encoding="utf-8"))
    resource["metadata"] = {"name": name, "namespace": namespace}
    return dict(resource)


def with_spec(**spec: Any) -> dict[str, Any]:
    """The good object with some fields of its spec replaced."""
    resource = good()
    return {**resource, "spec": {**resource["spec"], **spec}}


def problems(resource: dict[str, Any]) -> list[Problem]:
    """What the operator has against an object when it knows nothing of the cluster."""
    return rules.check(Router(resource), Facts())


def cases(*by: str) -> list[Case]:
    """The cases that these refuse; all of them without arguments."""
    rows = yaml.safe_load((HERE / "table.yaml").read_text(encoding="utf-8"))
    table = [Case(**{"reason": _reason(row), **row}) for row in rows]
    return [case for case in table if not by or case.by in by]


def _reason(row: dict[str, Any]) -> str:
    return "InvalidConfig" if row["field"].startswith("spec.config.") else "InvalidSpec"


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7386, without its deletions."""
    if not isinstance(value, dict) or not isinstance(patch, dict):
        return deepcopy(patch)
    return {**value, **{key: _merged(value.get(key), child) for key, child in patch.items()}}
