"""What is asked for beside a switch that is off is told, and is really read by nobody."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules, switches
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, variation
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    field_path,
    look_up,
    replaced,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, router

SECTIONS = [path for path, _ in switches.switched_sections()]


def told(made: Router) -> dict[str, str]:
    found = rules.check(made, facts(made, "kubernetes"))
    return {problem.field: problem.found for problem in found if problem.reason == "FieldsIgnored"}


def test_a_claim_of_no_volume_is_told() -> None:
    made = router(persistence={"enabled": False, "existingClaim": "mine"})
    assert told(made) == {
        "spec.persistence.existingClaim": "spec.persistence.enabled is false, so nothing reads it"
    }
    (problem,) = rules.check(made, facts(made, "kubernetes"))
    assert not problem.blocking
    assert not problem.retry
    assert told(router(persistence={"existingClaim": "mine"})) == {}
    assert told(router(persistence={"enabled": False})) == {}
    assert told(router()) == {}


def test_annotations_of_a_service_account_that_is_not_made_are_told() -> None:
    annotations = {"eks.amazonaws.com/role-arn": "arn"}
    found = told(router(serviceAccount={"create": False, "annotations": annotations}))
    assert "spec.serviceAccount.create is false" in found["spec.serviceAccount.annotations"]
    assert told(router(serviceAccount={"annotations": annotations})) == {}
    assert told(router(serviceAccount={"create": False, "name": "mine"})) == {}


def test_these_are_the_sections_that_have_a_switch() -> None:
    names = {".".join(map(str, path)) for path in SECTIONS}
    assert {"persistence", "autoscaling", "ingress", "openshift.routes"} <= names
    assert not any(name.startswith("config") for name in names)


def changes(path: Path) -> list[tuple[Path, Any]]:
    """Another value for each field beside the switch."""
    node = crd.spec_schema()
    for step in path:
        node = variation.below(node, step)
    section = look_up(crd.with_defaults({}), path)
    found = []
    for name, child in node["properties"].items():
        if name != switches.SWITCH:
            value = section.get(name) if isinstance(section, dict) else None
            other = (
                variation.different(value, child)
                if variation.is_set(value)
                else variation.filled(child, 0)
            )
            found.append(((*path, name), other))
    return found


@pytest.mark.parametrize("section", SECTIONS, ids=lambda path: ".".join(path))
def test_nobody_reads_what_is_told(section: Path) -> None:
    off = replaced(router().spec, (*section, switches.SWITCH), False)
    made = router().asking_for(off)
    found = facts(made, "openshift")
    before = registry.build(made, found)
    for path, value in changes(section):
        other = made.asking_for(replaced(off, path, value))
        is_told = field_path(path) in {one.field for one in switches.check(other.spec)}
        try:
            is_read = registry.build(other, found) != before
        except Exception:
            is_read = True
        assert is_told is not is_read, field_path(path)
