"""What a router's run notes of what it has read of others."""

from __future__ import annotations

from typing import Any, cast

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

SERVICES = "/api/v1/namespaces/ai/services"
BUDGETS = "/apis/policy/v1/namespaces/ai/poddisruptionbudgets"
OURS = {"app.kubernetes.io/managed-by": "semantic-router-operator"}
SERVICE = resources.named("v1", "Service")
ROUTER = Router({"metadata": {"name": "my-router", "namespace": "ai", "uid": "1"}})


def item(name: str, version: str, **more: Any) -> Manifest:
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": version, **more}
    return {"metadata": metadata, "spec": {"confidential": True}}


class Cluster:
    """By path, what is there; an ApiError is raised."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        self.asked.append(path)
        return self._answer(path)

    get_metadata = get

    def list(self, path: str, _selector: str = "", params: Any = None) -> Any:
        self.asked.append(f"{path} {params}")
        return self._answer(path) or []

    def _answer(self, path: str) -> Any:
        answer = self._answers.get(path)
        if isinstance(answer, ApiError):
            raise answer
        return answer


def reads(**answers: Any) -> tuple[Cluster, Reads]:
    cluster = Cluster({path.replace("|", "/"): answer for path, answer in answers.items()})
    return cluster, Reads(cast(Client, cluster)).of_one_router()


def test_named_objects_are_noted_with_their_versions_and_nothing_else() -> None:
    _, its_own = reads(**{f"{SERVICES}/vllm": item("vllm", "7")})
    its_own.get(f"{SERVICES}/vllm")
    its_own.get(f"{SERVICES}/gone")
    assert its_own.notes == [{"collection": SERVICES, "seen": {"vllm": "7", "gone": ""}}]


def test_what_is_read_for_its_spec_is_noted_by_its_generation() -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/ai/gateways"
    _, its_own = reads(**{f"{path}/public": item("public", "7", generation=2)})
    its_own.get(f"{path}/public", spec_only=True)
    its_own.get(f"{path}/gone", spec_only=True)
    seen = {"public": "uid-public/2", "gone": ""}
    assert its_own.notes == [{"collection": path, "part": "spec", "seen": seen}]


def test_a_list_is_noted_with_its_selector() -> None:
    _, its_own = reads(**{SERVICES: [item("a", "1"), item("b", "2")]})
    its_own.list(SERVICES, "app=stack")
    assert its_own.notes == [
        {"collection": SERVICES, "selector": "app=stack", "seen": {"a": "1", "b": "2"}}
    ]


def test_a_kind_that_is_not_served_is_noted_and_one_that_may_not_be_read_is_not() -> None:
    missing, forbidden = ApiError(404, "NotFound", "no"), ApiError(403, "Forbidden", "no")
    _, its_own = reads(**{SERVICES: missing, BUDGETS: forbidden})
    for path in (SERVICES, BUDGETS):
        with pytest.raises(ApiError):
            its_own.list(path)
    assert its_own.notes == [{"collection": SERVICES, "selector": "", "seen": {}}]


def test_of_a_list_that_has_routers_own_objects_only_others_are_noted() -> None:
    """Else each router of a namespace would wake all others."""
    _, its_own = reads(**{BUDGETS: [item("ours", "1", labels=OURS), item("theirs", "2")]})
    assert len(its_own.list_with_own(BUDGETS)) == 2
    [note] = its_own.notes
    assert note["selector"] == "app.kubernetes.io/managed-by!=semantic-router-operator"
    assert note["seen"] == {"theirs": "2"}


def test_a_secret_is_noted_as_not_to_be_watched() -> None:
    path = "/api/v1/namespaces/ai/secrets"
    _, its_own = reads(**{f"{path}/key": item("key", "1")})
    its_own.get_metadata(f"{path}/key")
    assert its_own.notes == [{"collection": path, "watch": False, "seen": {"key": "1"}}]


def test_of_the_api_groups_those_are_noted_that_matter() -> None:
    groups = [
        {"name": "apps", "versions": [{"version": "v1"}]},
        {"name": "a.io", "versions": [{"version": "v1"}, {"version": "v1beta1"}]},
    ]
    _, its_own = reads(**{"/apis": {"groups": groups}})
    assert its_own.groups(["a.io", "b.io"]) == groups
    assert its_own.notes == [{"collection": "/apis", "seen": {"a.io": "v1,v1beta1", "b.io": ""}}]


def test_the_routers_own_objects_are_not_noted() -> None:
    _, its_own = reads(**{SERVICES: [item("my-router", "1")]})
    its_own.own(ROUTER, SERVICE)
    its_own.own_named(SERVICES, "my-router")
    assert its_own.notes == []


def test_routers_share_answers_and_each_has_its_own_notes() -> None:
    cluster, one = reads(**{f"{SERVICES}/vllm": item("vllm", "7")})
    other = one.of_one_router()
    one.get(f"{SERVICES}/vllm")
    assert other.notes == []
    other.get(f"{SERVICES}/vllm")
    assert other.notes == one.notes
    assert len(cluster.asked) == 1
