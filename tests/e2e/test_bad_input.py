"""Wrong edits on the running operator: a condition, untouched objects, recovery.

Every case of tests/bad_input goes through the playbook in tests/integration/test_bad_input.py; here
some of them, of different kinds, show that the operator adds nothing to that.
"""

from __future__ import annotations

import json

import bad_input
import pytest
from bad_input import Case
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter

EDITS = [case for case in bad_input.cases(bad_input.OPERATOR) if "metadata" not in case.patch]


@pytest.mark.parametrize("case", EDITS[::13], ids=str)
def test_a_wrong_edit_is_a_condition_and_correcting_it_is_enough(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl, case: Case
) -> None:
    router.resource = bad_input.good("edited", router.namespace)
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    good = {name: found["metadata"]["uid"] for name, found in router.objects().items()}
    generation = router.read("deployment", router.name)["metadata"]["generation"]

    wrong = case.resource("edited", router.namespace)
    kubectl("replace", "-f", "-", stdin=json.dumps(wrong))
    condition = router.wait_for("ConfigValid", "False")
    assert condition["reason"] == case.reason
    assert case.field in condition["message"]
    assert case.remedy in condition["message"]
    assert {name: found["metadata"]["uid"] for name, found in router.objects().items()} == good
    assert router.read("deployment", router.name)["metadata"]["generation"] == generation

    kubectl("replace", "-f", "-", stdin=json.dumps(router.resource))
    router.wait_for("ConfigValid")
    router.wait_for("Ready")
