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
from eventually import eventually

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


def test_one_that_is_nested_without_a_floor_is_told_and_keeps_no_other_waiting(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    """The API server takes 10,000 levels, which are in its managedFields too, and so in what the
    operator watches; Python's decoder gives up before 1,000."""
    deep = bad_input.good("deep", router.namespace)
    deep["spec"]["config"] = {"routing": {"signals": {"deep": "HERE"}}}
    nested = '{"a":' * 3000 + "1" + "}" * 3000
    kubectl("create", "-f", "-", stdin=json.dumps(deep).replace('"HERE"', nested))

    router.create_service()
    router.apply()
    router.wait_for("Ready")
    if operator.engine == "embedded":
        # In the stock engine the play does not begin: Ansible does not read so deep.
        field = "{.status.conditions[?(@.type=='ConfigValid')].message}"
        get = ("get", "semanticrouter", "deep", "-n", router.namespace, f"-o=jsonpath={field}")
        said = eventually(lambda: kubectl(*get), message="a word about the deep one")
        assert "nested deeper than" in said
        assert "spec.config.routing.signals.deep" in said
    # Whoever else reads all routers of this cluster with Python.
    kubectl("delete", "semanticrouter", "deep", "-n", router.namespace)
