"""Every wrong SemanticRouter of tests/bad_input, on the running operator.

What the API server refuses never gets here: tests/integration/test_crd.py. The rest becomes a
condition with field and remedy, leaves the last good objects byte for byte, and is cured by an
edit.
"""

from __future__ import annotations

import json
from typing import Any

import bad_input
import pytest
from bad_input import Case
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

BACKENDS = ("vllm-qwen",)


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


@pytest.mark.parametrize("case", bad_input.cases(bad_input.OPERATOR), ids=str)
def test_a_wrong_edit_is_a_condition_and_touches_nothing(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl, case: Case
) -> None:
    wrong = case.resource("", router.namespace)
    name = wrong["metadata"]["name"]
    if name != "broken":
        pytest.skip("a wrong name cannot be edited into place: covered by the next test")
    router.resource = bad_input.good(name, router.namespace)
    router.apply()
    router.wait_for("ConfigValid")
    eventually(lambda: f"Deployment/{name}" in router.objects(), 60, "the good objects")
    router.wait_for("Available")
    before = snapshot(router)

    # Replace, not apply: a merge could keep what the case leaves out.
    kubectl("replace", "-n", router.namespace, "-f", "-", stdin=json.dumps(wrong))
    condition = router.wait_for("Degraded")
    assert condition["reason"] == case.reason
    assert case.field in condition["message"]
    assert case.remedy in condition["message"]
    assert snapshot(router) == before

    good = bad_input.good(name, router.namespace)
    kubectl("replace", "-n", router.namespace, "-f", "-", stdin=json.dumps(good))
    recovered = router.wait_for("ConfigValid")
    assert recovered["reason"] == "ConfigAccepted"
    router.wait_for("Ready")


@pytest.mark.parametrize("case", bad_input.cases(bad_input.OPERATOR), ids=str)
def test_a_router_that_was_wrong_from_the_start_gets_a_status_and_no_objects(
    operator: Operator, router: SemanticRouter, case: Case
) -> None:
    router.resource = case.resource("", router.namespace)
    router.apply()
    condition = router.wait_for("Degraded")
    assert condition["reason"] == case.reason
    assert case.field in condition["message"]
    assert not router.objects()
