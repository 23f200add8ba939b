"""Every wrong SemanticRouter of tests/bad_input that the API server takes, through the playbook.

What the API server refuses never gets here: tests/integration/test_crd.py. The rest becomes a
condition with field and remedy and makes nothing; one of each section, as an edit, leaves the last
good objects as they are and is cured by another.
One ansible-playbook takes all cases through a step; tests/e2e has some of them on the operator.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import bad_input
import pytest
from bad_input import Case
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SemanticRouter
from playbook import Reconcile

# All cases go through their steps in one fixture: minutes of work for two cores.
pytestmark = pytest.mark.timeout(1800)

CASES = bad_input.cases(bad_input.OPERATOR)


def one_of_each_section() -> list[Case]:
    """What an edit does depends on where it is wrong, not on how; a wrong name is no edit."""
    found: dict[tuple[str, str], Case] = {}
    for case in CASES:
        if "metadata" not in case.patch:
            section = re.split(r"[.\[]", case.field.removeprefix("spec."))[0]
            found.setdefault((case.reason, section), case)
    return list(found.values())


EDITS = one_of_each_section()


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
def reconcile(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Reconcile:
    return Reconcile(tmp_path_factory.mktemp("playbook"), control_plane)


@pytest.fixture(scope="module")
def histories(kubectl: Kubectl, shared_namespace: str, reconcile: Reconcile) -> dict[str, History]:
    """Good, then wrong, then good again: each case in a router of its own."""
    names = {case.name: f"edited-{number}" for number, case in enumerate(EDITS)}
    goods = [bad_input.good(names[case.name], shared_namespace) for case in EDITS]
    wrongs = [case.resource(names[case.name], shared_namespace) for case in EDITS]
    routers = [SemanticRouter(kubectl, shared_namespace, good) for good in goods]

    def replace_all(resources: list[dict[str, Any]]) -> None:
        # Replace, not apply: a merge could keep what the case leaves out.
        kubectl("replace", "-f", "-", stdin="\n---\n".join(map(json.dumps, resources)))
        reconcile(routers)

    kubectl("create", "-f", "-", stdin="\n---\n".join(map(json.dumps, goods)))
    reconcile(routers)
    found = {}
    for case, router in zip(EDITS, routers, strict=True):
        assert router.condition("ConfigValid")["reason"] == "ConfigAccepted"
        found[case.name] = History(before=snapshot(router))
    replace_all(wrongs)
    for case, router in zip(EDITS, routers, strict=True):
        found[case.name].wrong = router.condition("ConfigValid")
        found[case.name].while_wrong = snapshot(router)
    replace_all(goods)
    for case, router in zip(EDITS, routers, strict=True):
        found[case.name].recovered = router.condition("ConfigValid")
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
    reconcile: Reconcile, kubectl: Kubectl, namespace: str
) -> None:
    resources = [
        case.resource("" if "metadata" in case.patch else f"wrong-{number}", namespace)
        for number, case in enumerate(CASES)
    ]
    routers = [SemanticRouter(kubectl, namespace, resource) for resource in resources]
    kubectl("create", "-f", "-", stdin="\n---\n".join(map(json.dumps, resources)))
    reconcile(routers)
    for case, router in zip(CASES, routers, strict=True):
        condition = router.condition("Degraded")
        assert (condition["status"], condition["reason"]) == ("True", case.reason), case.name
        assert case.field in condition["message"], case.name
        assert case.remedy in condition["message"], case.name
        assert not router.objects(), case.name
