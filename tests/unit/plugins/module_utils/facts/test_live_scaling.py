"""Who has set the number of pods, and whose budgets cover them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, Scale
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.live_scaling import (
    foreign_autoscalers,
    foreign_budgets,
    scale_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

REPLICAS = {"f:spec": {"f:replicas": {}}}
OURS = {"manager": "semantic-router-operator", "operation": "Apply", "fieldsV1": REPLICAS}
THEIRS = {
    "manager": "kube-controller-manager",
    "operation": "Update",
    "subresource": "scale",
    "fieldsV1": REPLICAS,
}


def deployment(*managers: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "my-router", "managedFields": list(managers), **metadata},
        "spec": {"replicas": 4},
    }


def router(**spec: Any) -> Router:
    wanted = resource(**spec)
    wanted["metadata"]["uid"] = "u-1"
    return Router(wanted)


def budget(selector: dict[str, Any] | None, **metadata: Any) -> dict[str, Any]:
    spec = {} if selector is None else {"selector": selector}
    return {"metadata": {"name": "theirs", **metadata}, "spec": spec}


def test_there_is_nothing_to_say_without_a_deployment():
    assert scale_of(router(), None) is None


@pytest.mark.parametrize(
    ("managers", "ours"),
    [
        ([OURS], True),
        ([THEIRS, OURS], True),
        ([THEIRS], False),
        ([{**OURS, "fieldsV1": {"f:spec": {"f:template": {}}}}, THEIRS], False),
        ([{**OURS, "operation": "Update"}], False),
        ([], False),
    ],
)
def test_the_number_is_ours_while_our_entry_lists_it(managers: list[dict[str, Any]], ours: bool):
    assert scale_of(router(), deployment(*managers)) == Scale(replicas=4, ours=ours)


def test_the_number_of_a_former_operator_is_as_good_as_ours():
    """Else it would be left out when the field is taken over, and all pods but one would go."""
    owner = {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u-1"}': {}}}}
    former = {"manager": "manager", "operation": "Update", "fieldsV1": {**REPLICAS, **owner}}

    assert scale_of(router(), deployment(former)) == Scale(replicas=4, ours=True)


def test_the_note_of_an_earlier_run_is_found():
    found = deployment(THEIRS, annotations={"vllm.ai/replicas-set-aside": "2"})

    assert scale_of(router(), found) == Scale(replicas=4, ours=False, set_aside="2")


def test_facts_survive_the_way_through_jinja():
    facts = Facts(
        scale=Scale(4, True, "2"), foreign_budgets=["theirs"], foreign_autoscalers=["hpa"]
    )

    assert Facts.from_dict(facts.as_dict()) == facts


@pytest.mark.parametrize(
    ("selector", "covers"),
    [
        ({"matchLabels": {"app.kubernetes.io/instance": "my-router"}}, True),
        ({"matchLabels": {"app.kubernetes.io/instance": "other"}}, False),
        ({"matchLabels": {"team": "blue"}}, True),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, True),
    ],
)
def test_a_budget_covers_the_pods_that_it_selects(selector: dict[str, Any] | None, covers: bool):
    found = foreign_budgets(router(podLabels={"team": "blue"}), [budget(selector)])

    assert found == (["theirs"] if covers else [])


def test_our_own_budget_is_not_foreign():
    own = {"ownerReferences": [{"uid": "u-1"}]}
    restored = {
        "labels": {
            "app.kubernetes.io/instance": "my-router",
            "app.kubernetes.io/managed-by": "semantic-router-operator",
        }
    }

    assert foreign_budgets(router(), [budget({}, **own), budget({}, **restored)]) == []
    assert foreign_budgets(router(), [budget({}, ownerReferences=[{"uid": "u-2"}])]) == ["theirs"]


def autoscaler(kind: str, name: str, **metadata: Any) -> dict[str, Any]:
    target = {"apiVersion": "any/v1", "kind": kind, "name": name}
    return {"metadata": {"name": "theirs", **metadata}, "spec": {"scaleTargetRef": target}}


@pytest.mark.parametrize(
    ("kind", "name", "scales"),
    [
        ("Deployment", "my-router", True),
        ("Deployment", "other", False),
        ("SemanticRouter", "my-router", False),
    ],
)
def test_an_autoscaler_of_somebody_else_scales_what_it_targets(kind: str, name: str, scales: bool):
    found = foreign_autoscalers(router(), [autoscaler(kind, name)])

    assert found == (["theirs"] if scales else [])


def test_our_own_autoscaler_is_not_foreign():
    own = autoscaler("Deployment", "my-router", ownerReferences=[{"uid": "u-1"}])

    assert foreign_autoscalers(router(), [own]) == []
