# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked for beside an `enabled` that is false, so that nothing reads it.

Which sections have such a switch, the CRD says. Those of spec.config are the router's: see
``router_config/effects.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.crd import Schema
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    field_path,
    look_up,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.variation import is_set

SWITCH = "enabled"
# The port is the pod's, whether or not the Service has it, and a start takes as long as these say.
READ_ALL_THE_SAME = frozenset(
    {
        "spec.service.metrics.targetPort",
        "spec.startupProbe.failureThreshold",
        "spec.startupProbe.initialDelaySeconds",
        "spec.startupProbe.periodSeconds",
    }
)


def check(spec: Spec) -> Problems:
    """One for each field."""
    account = spec["serviceAccount"]
    if not account["create"] and account.get("annotations"):
        yield _unread("spec.serviceAccount.annotations", "spec.serviceAccount.create")
    for path, untouched in switched_sections():
        section = look_up(spec, path)
        if not isinstance(section, dict) or section.get(SWITCH) is not False:
            continue
        switch = field_path((*path, SWITCH))
        for name, value in section.items():
            field = field_path((*path, name))
            is_asked = is_set(value) and name != SWITCH and value != untouched.get(name)
            if is_asked and field not in READ_ALL_THE_SAME:
                yield _unread(field, switch)


def _unread(field: str, switch: str) -> Problem:
    return Problem(
        reason="FieldsIgnored",
        field=field,
        found=f"{switch} is false, so nothing reads it",
        remedy=f"Set {switch} to true, or leave the field out",
        blocking=False,
    )


@cache
def switched_sections() -> tuple[tuple[Path, dict[str, Any]], ...]:
    """Where they are, and what is in one that nobody has filled in."""
    properties = crd.spec_schema()["properties"]
    named = {name: node for name, node in properties.items() if name != "config"}
    return tuple(_below((), {"properties": named}, crd.with_defaults({})))


def _below(
    path: Path, node: Schema, untouched: dict[str, Any]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    properties = node.get("properties", {})
    if path and properties.get(SWITCH, {}).get("type") == "boolean":
        yield path, untouched
    for name, child in properties.items():
        yield from _below((*path, name), child, untouched.get(name) or {})
