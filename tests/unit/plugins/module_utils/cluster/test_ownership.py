from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import ownership
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

ROUTER = Router(
    {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {
            "name": "my-router",
            "namespace": "team",
            "uid": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
    }
)
CONTROLLER = {"kind": "Deployment", "name": "shop", "uid": "9", "controller": True}
EARLIER = {**ROUTER.owner_reference, "uid": "0"}


def service(name: str = "my-router", **changes: Any) -> dict[str, Any]:
    built = metadata.metadata("my-router", "team", name)
    built |= {"uid": "5", "ownerReferences": [ROUTER.owner_reference], **changes}
    return {"apiVersion": "v1", "kind": "Service", "metadata": built}


def test_our_own_object_may_be_written() -> None:
    assert ownership.objection(service(), ROUTER) is None


def test_our_own_object_may_be_written_after_somebody_took_its_labels_off() -> None:
    assert ownership.objection(service(labels={}), ROUTER) is None


def test_an_object_with_our_labels_and_no_owner_is_adopted() -> None:
    assert ownership.objection(service(ownerReferences=[]), ROUTER) is None


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"ownerReferences": [], "labels": {}, "managedFields": [{"manager": "helm"}]},
            "Service my-router exists already in namespace team and belongs to nobody "
            "(written by helm)",
        ),
        ({"ownerReferences": [], "labels": {"app.kubernetes.io/instance": "my-router"}}, "nobody"),
        ({"ownerReferences": [CONTROLLER]}, "is controlled by Deployment shop"),
        ({"ownerReferences": [EARLIER]}, "belongs to an earlier SemanticRouter of this name"),
        ({"ownerReferences": [{**EARLIER, "apiVersion": "a.example/v1"}]}, "is controlled by"),
    ],
)
def test_somebody_else_s_object_is_never_seized(changes: dict[str, Any], says: str) -> None:
    problem = ownership.objection(service(**changes), ROUTER)
    assert problem is not None
    assert says in problem.found
    assert (problem.reason, problem.blocking, problem.retry) == ("Conflict", True, True)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("", False),
        ("2025-12-31T23:59:59.000000Z", False),
        ("2026-01-01T00:00:09.999999Z", False),
        ("2026-01-01T00:00:10.000000Z", True),
    ],
)
def test_what_an_earlier_router_had_is_left_behind_when_nobody_has_collected_it(
    now: str, left: bool
) -> None:
    live = service(ownerReferences=[EARLIER])
    assert ownership.is_left_behind(live, ROUTER, now) is left
    going = service(ownerReferences=[EARLIER], deletionTimestamp="2026-01-01T00:00:09Z")
    assert not ownership.is_left_behind(going, ROUTER, now)


@pytest.mark.parametrize(
    "owner",
    [
        CONTROLLER,
        {**EARLIER, "name": "another"},
        {**EARLIER, "apiVersion": "a.example/v1"},
        {**EARLIER, "controller": False},
    ],
)
def test_what_others_control_is_never_left_behind(owner: dict[str, Any]) -> None:
    live = service(ownerReferences=[owner], labels={})
    assert not ownership.is_left_behind(live, ROUTER, "2026-01-02T00:00:00.000000Z")
    assert ownership.objection(live, ROUTER) is not None


def test_a_service_account_that_two_routers_want_is_blamed_on_the_field_that_names_it() -> None:
    resource = {**ROUTER.resource, "spec": {"serviceAccount": {"create": True, "name": "shared"}}}
    live = {**service("shared", ownerReferences=[CONTROLLER]), "kind": "ServiceAccount"}
    problem = ownership.objection(live, Router(resource))
    assert problem is not None
    assert problem.field == "spec.serviceAccount.name"
    assert "spec.serviceAccount.create" in problem.remedy
    unnamed = ownership.objection(live, ROUTER)
    assert unnamed is not None
    assert unnamed.field == "metadata.name"


def test_an_owner_that_is_no_controller_has_no_say() -> None:
    friend = {**CONTROLLER, "controller": False}
    live = service(ownerReferences=[friend, ROUTER.owner_reference])
    assert ownership.objection(live, ROUTER) is None


def test_an_object_on_its_way_out_holds_nothing_up() -> None:
    live = service(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a/b"])
    problem = ownership.objection(live, ROUTER)
    assert problem is not None
    assert "a/b" in problem.found
    assert (problem.blocking, problem.retry) == (False, True)


def test_the_label_selector_names_the_router_and_the_operator() -> None:
    assert ownership.label_selector([ROUTER.name]) == (
        "app.kubernetes.io/instance=my-router,app.kubernetes.io/managed-by=semantic-router-operator"
    )


def claim(**changes: Any) -> dict[str, Any]:
    built = metadata.metadata("my-router", "team", "my-router-models")
    built |= {"ownerReferences": [ROUTER.owner_reference], **changes}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": built}


def test_a_claim_that_nobody_controls_is_used_and_not_owned() -> None:
    assert ownership.takes_no_owner(claim(ownerReferences=[]), ROUTER)
    assert ownership.takes_no_owner(claim(ownerReferences=[EARLIER]), ROUTER)


@pytest.mark.parametrize("live", [None, claim(), service(ownerReferences=[])])
def test_what_is_new_or_the_router_s_or_may_be_deleted_is_owned(live: Any) -> None:
    assert not ownership.takes_no_owner(live, ROUTER)
