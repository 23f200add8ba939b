"""Which of an object's managedFields are ours, and which are about to be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    added,
    applied,
    inherited,
    is_exact,
    is_marked,
    taken_back,
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


PORT, MOVED = 'k:{"port":8080,"protocol":"TCP"}', 'k:{"port":9999,"protocol":"TCP"}'
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "my-router"},
    "spec": {"ports": [{"name": "api", "port": 8080}]},
}


def entry(fields: dict[str, Any], **changes: str) -> dict[str, Any]:
    said = {"manager": "kubectl", "operation": "Update", "apiVersion": "v1"}
    return {**said, "fieldsV1": {"f:spec": fields}, **changes}


def ours(fields: dict[str, Any]) -> dict[str, Any]:
    return entry(fields, manager="semantic-router-operator", operation="Apply")


def live(*entries: dict[str, Any], kind: str = "Service") -> dict[str, Any]:
    return {**SERVICE, "kind": kind, "metadata": {"managedFields": list(entries)}}


def test_an_entry_whose_key_was_edited_is_taken_back_for_the_apply_to_remove_it() -> None:
    moved = {"f:ports": {MOVED: {".": {}, "f:name": {}, "f:port": {}}}}
    there = live(ours({"f:ports": {PORT: {".": {}}}}), entry(moved))
    assert added(SERVICE, there) == {"f:spec": moved}
    (mine,) = taken_back(SERVICE, there) or []
    assert mine["manager"] == "semantic-router-operator"
    assert mine["fieldsV1"]["f:spec"]["f:ports"] == {PORT: {".": {}}, **moved["f:ports"]}
    assert not is_exact(SERVICE, live(mine)), "it waits for the apply that removes it"


def test_what_others_own_beside_us_stays_theirs() -> None:
    both = {"f:ports": {PORT: {"f:name": {}, "f:nodePort": {}}}}
    there = live(ours({"f:ports": {PORT: {"f:name": {}}}}), entry(both))
    assert added(SERVICE, there) == {"f:spec": {"f:ports": {PORT: {"f:nodePort": {}}}}}
    theirs = (taken_back(SERVICE, there) or [])[1]
    assert theirs["fieldsV1"] == {"f:spec": {"f:ports": {PORT: {"f:name": {}}}}}


@pytest.mark.parametrize(
    "harmless",
    [
        {"fieldsV1": {"f:metadata": {"f:annotations": {"f:team": {}}}}},
        {"subresource": "status"},
        {"apiVersion": "v2"},
        {"manager": "semantic-router-operator"},
    ],
)
def test_what_others_may_add_is_theirs(harmless: dict[str, Any]) -> None:
    there = live(entry({"f:externalIPs": {}}) | harmless)
    assert added(SERVICE, there) == {}
    assert taken_back(SERVICE, there) is None


def test_of_a_deployment_only_the_pods_are_ours_alone() -> None:
    wanted = {**SERVICE, "kind": "Deployment", "spec": {"template": {"spec": {"a": 1}}}}
    pods = {"f:template": {"f:spec": {"f:hostNetwork": {}}}}
    restarted = {"f:metadata": {"f:annotations": {"f:restartedAt": {}}}}
    more = entry({"f:replicas": {}, "f:template": {**pods["f:template"], **restarted}})
    assert added(wanted, live(more, kind="Deployment")) == {"f:spec": pods}


def test_the_mark_of_a_reloader_stays_and_another_variable_does_not() -> None:
    container = 'k:{"name":"semantic-router"}'
    mark, other = 'k:{"name":"STAKATER_KEYS_SECRET"}', 'k:{"name":"HTTPS_PROXY"}'

    def owned(*variables: str) -> dict[str, Any]:
        env = {"f:env": {variable: {"f:value": {}} for variable in variables}}
        return {"f:template": {"f:spec": {"f:containers": {container: env}}}}

    pods = {"containers": [{"name": "semantic-router"}]}
    wanted = {**SERVICE, "kind": "Deployment", "spec": {"template": {"spec": pods}}}
    there = live(entry(owned(mark, other)), kind="Deployment")
    assert added(wanted, there) == {"f:spec": owned(other)}


def test_of_a_claim_nothing_is_ours_alone() -> None:
    there = live(entry({"f:volumeName": {}}), kind="PersistentVolumeClaim")
    assert added({**SERVICE, "kind": "PersistentVolumeClaim"}, there) == {}


def test_of_a_route_host_and_certificate_are_others_to_give_and_nothing_else() -> None:
    wanted = {**SERVICE, "kind": "Route", "spec": {"tls": {"termination": "edge"}}}
    theirs = {"f:host": {}, "f:tls": {"f:certificate": {}, "f:key": {}}}
    assert added(wanted, live(entry(theirs), kind="Route")) == {}
    more = {**theirs, "f:alternateBackends": {}}
    there = live(entry(more), kind="Route")
    assert added(wanted, there) == {"f:spec": {"f:alternateBackends": {}}}
    assert (taken_back(wanted, there) or [])[1]["fieldsV1"] == {"f:spec": theirs}
