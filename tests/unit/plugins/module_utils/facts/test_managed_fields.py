"""Which of an object's managedFields are ours, and which are about to be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    applied,
    inherited,
    is_marked,
    taken_over,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

OURS = {
    "manager": "semantic-router-operator",
    "operation": "Apply",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


def deployment(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "my-router", "managedFields": list(entries)}}


def test_what_we_applied_is_ours() -> None:
    assert applied(deployment(OURS)) == [OURS["fieldsV1"]]


@pytest.mark.parametrize(
    "other", [{"manager": "kubectl"}, {"operation": "Update"}, {"subresource": "status"}]
)
def test_nothing_else_is_ours(other: dict[str, str]) -> None:
    assert applied(deployment({**OURS, **other})) == []


def test_an_object_without_managed_fields_has_none_of_ours() -> None:
    assert applied({"metadata": {"name": "my-router"}}) == []


FORMER = {
    "manager": "manager",
    "operation": "Update",
    "apiVersion": "apps/v1",
    "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {}}}}},
}
OWNER = {"f:metadata": {"f:ownerReferences": {'k:{"uid":"u-1"}': {}}}}
FINALIZER = "semanticrouter.vllm.ai/finalizer"


def router(*finalizers: str) -> Router:
    wanted = resource()
    wanted["metadata"] |= {"uid": "u-1", "finalizers": list(finalizers)}
    return Router(wanted)


def test_what_the_former_operator_wrote_is_inherited_while_its_finalizer_is_there() -> None:
    assert is_marked(router(FINALIZER))
    assert inherited(deployment(FORMER), router(FINALIZER)) == [FORMER["fieldsV1"]]


def test_so_is_what_it_has_made_the_router_s() -> None:
    made = {**FORMER, "fieldsV1": {**FORMER["fieldsV1"], **OWNER}}
    assert inherited(deployment(made), router()) == [made["fieldsV1"]]


def test_another_operator_of_that_name_keeps_what_it_wrote() -> None:
    theirs = {**FORMER, "fieldsV1": {"f:metadata": {"f:annotations": {"f:theirs": {}}}}}
    assert not is_marked(router("example.com/theirs"))
    assert inherited(deployment(theirs), router("example.com/theirs")) == []
    assert taken_over(deployment(theirs), router()) is None


@pytest.mark.parametrize(
    "other",
    [{"manager": "kubectl"}, {"operation": "Apply"}, {"subresource": "status"}],
)
def test_nothing_else_is_inherited(other: dict[str, str]) -> None:
    assert inherited(deployment({**FORMER, **other}), router(FINALIZER)) == []


def test_its_entry_becomes_ours_and_others_stay() -> None:
    status = {**FORMER, "manager": "kube-controller-manager", "subresource": "status"}
    assert taken_over(deployment(FORMER, status), router(FINALIZER)) == [
        {**FORMER, "manager": "semantic-router-operator", "operation": "Apply"},
        status,
    ]


def test_its_entry_joins_ours_where_there_is_one() -> None:
    ours = {**OURS, "apiVersion": "apps/v1", "time": "then"}
    (entry,) = taken_over(deployment(ours, FORMER), router(FINALIZER)) or []
    assert (entry["manager"], entry["operation"]) == ("semantic-router-operator", "Apply")
    assert entry["fieldsV1"] == {
        "f:spec": {"f:replicas": {}, "f:template": {"f:spec": {"f:containers": {}}}}
    }


def test_a_member_that_is_a_leaf_of_one_and_has_members_in_the_other_stays_a_member() -> None:
    ours = {**OURS, "apiVersion": "apps/v1", "fieldsV1": {"f:data": {"f:a": {}}}}
    former = {**FORMER, "fieldsV1": {"f:data": {}}}
    (entry,) = taken_over(deployment(ours, former), router(FINALIZER)) or []
    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:a": {}}}
