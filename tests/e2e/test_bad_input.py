"""Every wrong SemanticRouter of tests/bad_input that the API server takes, on the running operator.

What the API server refuses never gets here: tests/integration/test_crd.py. The rest becomes a
condition with field and remedy, leaves the last good objects as they are, and is cured by an edit.
All cases go through each step side by side: the operator has to keep them apart anyway.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import bad_input
import pytest
from bad_input import Case
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

# For one step of all cases together, on a machine that has other things to do.
DEADLINE = 400.0
pytestmark = pytest.mark.timeout(4 * DEADLINE)

CASES = bad_input.cases(bad_input.OPERATOR)
# A wrong name cannot be edited into place.
EDITS = [case for case in CASES if "metadata" not in case.patch]


@dataclass
class History:
    """What one case's router went through."""

    before: str
    wrong: dict[str, Any] = field(default_factory=dict)
    while_wrong: str = ""
    recovered: dict[str, Any] = field(default_factory=dict)


def snapshot(router: SemanticRouter) -> str:
    """The objects, byte for byte, without what the cluster itself keeps writing into them."""
    objects: dict[str, dict[str, Any]] = router.objects()
    for found in objects.values():
        found.pop("status", None)
        for noise in ("resourceVersion", "managedFields"):
            found["metadata"].pop(noise, None)
        # The Deployment controller's own.
        found["metadata"].get("annotations", {}).pop("deployment.kubernetes.io/revision", None)
    return json.dumps(objects, sort_keys=True)


@pytest.fixture(scope="module")
def shared_namespace(kubectl: Kubectl) -> Iterator[str]:
    name = f"test-bad-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="module")
def histories(operator: Operator, kubectl: Kubectl, shared_namespace: str) -> dict[str, History]:
    """Good, then wrong, then good again: all cases at once, each in a router of its own."""
    names = {case.name: f"edited-{number}" for number, case in enumerate(EDITS)}
    goods = [bad_input.good(names[case.name], shared_namespace) for case in EDITS]
    wrongs = [case.resource(names[case.name], shared_namespace) for case in EDITS]
    for resource in goods + wrongs:
        # Pods would start another run of every router for each of their states.
        resource["spec"].setdefault("replicas", 0)
    routers = [SemanticRouter(kubectl, shared_namespace, good) for good in goods]

    def replace_all(resources: list[dict[str, Any]]) -> None:
        # Replace, not apply: a merge could keep what the case leaves out.
        kubectl("replace", "-f", "-", stdin="\n---\n".join(map(json.dumps, resources)))

    # Without it every router is looked at again each few seconds.
    routers[0].create_service()
    kubectl("create", "-f", "-", stdin="\n---\n".join(map(json.dumps, goods)))
    found = {}
    for case, router in zip(EDITS, routers, strict=True):
        router.wait_for("Ready", timeout=DEADLINE)
        found[case.name] = History(before=snapshot(router))
    replace_all(wrongs)
    for case, router in zip(EDITS, routers, strict=True):
        found[case.name].wrong = eventually(
            partial(router.condition, "ConfigValid"), DEADLINE, f"a verdict on {case.name!r}"
        )
        found[case.name].while_wrong = snapshot(router)
    replace_all(goods)
    for case, router in zip(EDITS, routers, strict=True):
        found[case.name].recovered = router.wait_for("ConfigValid", timeout=DEADLINE)
    return found


@pytest.mark.parametrize("case", EDITS, ids=str)
def test_a_wrong_edit_is_a_condition_that_names_field_and_remedy(
    histories: dict[str, History], case: Case
) -> None:
    condition = histories[case.name].wrong
    assert (condition["status"], condition["reason"]) == ("False", case.reason)
    assert case.field in condition["message"]
    assert case.remedy in condition["message"]


@pytest.mark.parametrize("case", EDITS, ids=str)
def test_a_refused_edit_leaves_the_last_good_objects_byte_for_byte(
    histories: dict[str, History], case: Case
) -> None:
    history = histories[case.name]
    assert history.while_wrong == history.before


@pytest.mark.parametrize("case", EDITS, ids=str)
def test_correcting_the_edit_is_enough_to_recover(
    histories: dict[str, History], case: Case
) -> None:
    assert histories[case.name].recovered["reason"] == "ConfigAccepted"


def test_routers_that_were_wrong_from_the_start_get_a_status_and_no_objects(
    operator: Operator, kubectl: Kubectl, namespace: str
) -> None:
    resources = [
        case.resource("" if case not in EDITS else f"wrong-{number}", namespace)
        for number, case in enumerate(CASES)
    ]
    routers = [SemanticRouter(kubectl, namespace, resource) for resource in resources]
    kubectl("create", "-f", "-", stdin="\n---\n".join(map(json.dumps, resources)))
    for case, router in zip(CASES, routers, strict=True):
        condition = router.wait_for("Degraded", timeout=DEADLINE)
        assert condition["reason"] == case.reason, case.name
        assert case.field in condition["message"], case.name
        assert not router.objects(), case.name
