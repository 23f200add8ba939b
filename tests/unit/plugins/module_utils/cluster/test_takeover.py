"""What is taken over, without a cluster; with one: tests/integration/test_takeover.py."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import takeover
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    inherited,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

Manifest = dict[str, Any]

FINALIZER = "semanticrouter.vllm.ai/finalizer"
CONFLICT = ApiError(409, "Conflict", "the object has been modified")


def router(*finalizers: str) -> Router:
    wanted = resource()
    wanted["metadata"] |= {"uid": "u-1", "finalizers": list(finalizers)}
    return Router(wanted)


def service(version: str = "1", manager: str = "manager", **spec: Any) -> Manifest:
    fields = {"f:spec": {f"f:{key}": {} for key in ("ports", "type")}}
    entry = {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": fields}
    metadata = {"name": "my-router", "resourceVersion": version, "managedFields": [entry]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


class Answers:
    """A client that is told what to answer, and remembers what it was sent."""

    def __init__(self, *answers: Manifest | ApiError, live: Manifest | None = None) -> None:
        self._answers = list(answers)
        self._live = live
        self.sent: list[Any] = []

    def patch(self, _path: str, body: Any, *_more: Any) -> Manifest:
        self.sent.append(body)
        answer = self._answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer

    def get(self, _path: str) -> Manifest | None:
        return self._live


def taken_over(answers: Answers) -> Manifest:
    return takeover.take_over(cast(Client, answers), service(), router(FINALIZER))


def test_what_changed_meanwhile_is_read_and_taken_over_again() -> None:
    answers = Answers(CONFLICT, service("3"), live=service("2"))
    assert taken_over(answers) == service("3")
    assert [body["metadata"]["resourceVersion"] for body in answers.sent] == ["1", "2"]


def test_what_somebody_else_took_over_meanwhile_is_left_alone() -> None:
    theirs = service("2", manager="kubectl")
    answers = Answers(CONFLICT, live=theirs)
    assert taken_over(answers) == theirs
    assert len(answers.sent) == 1


def test_it_gives_up_when_it_never_comes_first() -> None:
    with pytest.raises(ApiError):
        taken_over(Answers(*[CONFLICT] * 3, live=service("2")))


def test_a_claim_is_never_due() -> None:
    claim = {**service(), "kind": "PersistentVolumeClaim"}
    assert takeover.is_due(service(), router(FINALIZER))
    assert not takeover.is_due(claim, router(FINALIZER))


def test_what_neither_operator_asks_for_is_foreseen_to_stay() -> None:
    live = service(clusterIP="10.0.0.7", type="NodePort", ports=[8801])
    wanted = {**service(ports=[8080]), "metadata": {"name": "my-router", "labels": {"a": "b"}}}
    made = service(ports=[8080], type="ClusterIP", clusterIP="10.0.0.1")
    found = takeover.foreseen(wanted, live, made, inherited(live, router(FINALIZER)))
    assert found["spec"] == {"ports": [8080], "type": "ClusterIP", "clusterIP": "10.0.0.7"}
    assert found["metadata"]["labels"] == {"a": "b"}


def test_the_one_finalizer_is_taken_off_where_it_stands() -> None:
    answers = Answers({})
    assert takeover.release(cast(Client, answers), router("example.com/theirs", FINALIZER)) == []
    assert answers.sent == [
        [
            {"op": "test", "path": "/metadata/finalizers/1", "value": FINALIZER},
            {"op": "remove", "path": "/metadata/finalizers/1"},
        ]
    ]


def test_without_it_nothing_is_sent() -> None:
    answers = Answers()
    assert takeover.release(cast(Client, answers), router("example.com/theirs")) == []
    assert answers.sent == []


@pytest.mark.parametrize(("status", "problems"), [(403, 1), (0, 1), (404, 0), (422, 0)])
def test_what_cannot_be_taken_off_is_said_unless_it_is_gone(status: int, problems: int) -> None:
    answers = Answers(ApiError(status, "", "no"))
    found = takeover.release(cast(Client, answers), router(FINALIZER))
    assert len(found) == problems
    assert not any(problem.blocking for problem in found)
