"""Each question is asked once for all that share the answers, and no router gets another's.

Each notes what it has read of others.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from typing import Any, cast

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    ApiError,
    Client,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from api_server import ApiServer, Request

SERVICES = "/api/v1/namespaces/team/services"
SERVICE = resources.named("v1", "Service")
ROUTE = resources.named("route.openshift.io/v1", "Route")
MANY = ["a", "b", "c", "d"]


def router(name: str, namespace: str = "team") -> Router:
    return Router({"metadata": {"name": name, "namespace": namespace}, "spec": {}})


@pytest.fixture
def server() -> ApiServer:
    """Every router of MANY, and one more, has a Service; so has somebody else."""
    found = ApiServer()
    for name in (*MANY, "another"):
        found.put(f"{SERVICES}/{name}", service(name))
    found.put(f"{SERVICES}/theirs", {**service("theirs"), "metadata": {"name": "theirs"}})
    return found


def service(name: str) -> dict[str, Any]:
    given = metadata.metadata(name, "team")
    return {"apiVersion": "v1", "kind": "Service", "metadata": given, "spec": {}}


def names(found: list[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in found]


def selectors(server: ApiServer) -> list[str]:
    return [str(request.params.get("labelSelector", "")) for request in server.log]


def test_a_question_is_asked_once_and_another_one_again(server: ApiServer) -> None:
    reads = Reads(server.client())
    answers = [
        [reads.get(f"{SERVICES}/a") for _ in range(2)],
        [reads.get_metadata(f"{SERVICES}/a") for _ in range(2)],
        [reads.list(SERVICES) for _ in range(2)],
        [reads.list(SERVICES, "x=y") for _ in range(2)],
        [reads.own_named(SERVICES, "a") for _ in range(2)],
    ]
    assert len(server.log) == len(answers)
    assert all(first == second for first, second in answers)
    assert [len(found[0] or ()) for found in answers[2:]] == [len(MANY) + 2, 0, 1]
    assert "spec" in (answers[0][0] or {})
    assert "spec" not in (answers[1][0] or {})


def test_that_there_is_none_is_an_answer(server: ApiServer) -> None:
    reads = Reads(server.client())
    assert [reads.get(f"{SERVICES}/none") for _ in range(2)] == [None, None]
    assert len(server.log) == 1


def test_who_asks_while_the_answer_is_on_its_way_waits_for_it(server: ApiServer) -> None:
    both = Barrier(2)

    def look(_: Request) -> None:
        # The first request gives a second one the time to come.
        with suppress(BrokenBarrierError):
            both.wait(0.5)

    server.looks.append(look)
    reads = Reads(server.client())
    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(lambda _: reads.list(SERVICES), range(2))
    assert len(server.log) == 1
    assert first == second != []


def test_no_answer_is_not_kept(server: ApiServer) -> None:
    server.refuse(lambda _: len(server.log) == 0, 503, "ServiceUnavailable")
    reads = Reads(server.client())
    with pytest.raises(ApiError):
        reads.list(SERVICES)
    assert len(reads.list(SERVICES)) == len(MANY) + 2


class TestARoutersOwn:
    def test_alone_they_are_asked_for_by_its_name(self, server: ApiServer) -> None:
        reads = Reads(server.client())
        assert not reads.is_in_batch(router("a"))
        assert names(reads.own(router("a"), SERVICE)) == ["a"]
        assert names(reads.own(router("b"), SERVICE)) == ["b"]
        assert selectors(server) == [
            f"{metadata.LABEL_INSTANCE}={name},{metadata.LABEL_MANAGED_BY}={metadata.FIELD_MANAGER}"
            for name in ("a", "b")
        ]

    def test_in_a_batch_one_list_serves_all_and_each_gets_its_own(self, server: ApiServer) -> None:
        reads = Reads(server.client(), {"team": [*MANY, "without-any"]})
        for name in MANY:
            assert reads.is_in_batch(router(name))
            assert names(reads.own(router(name), SERVICE)) == [name]
        assert reads.own(router("without-any"), SERVICE) == []
        (selector,) = selectors(server)
        assert selector.startswith(f"{metadata.LABEL_INSTANCE} in (a,b,c,d,without-any),")

    def test_few_are_asked_for_one_by_one(self, server: ApiServer) -> None:
        reads = Reads(server.client(), {"team": MANY[:3]})
        assert not reads.is_in_batch(router("a"))
        assert [names(reads.own(router(name), SERVICE)) for name in MANY[:3]] == [
            ["a"],
            ["b"],
            ["c"],
        ]
        assert len(server.log) == 3

    def test_who_is_not_in_the_batch_is_asked_for_alone(self, server: ApiServer) -> None:
        reads = Reads(server.client(), {"team": MANY, "ops": ["another"]})
        assert not reads.is_in_batch(router("another"))
        assert not reads.is_in_batch(router("a", "ops"))
        assert names(reads.own(router("another"), SERVICE)) == ["another"]
        assert reads.own(router("a", "ops"), SERVICE) == []

    @pytest.mark.parametrize("batch", [{}, {"team": MANY}])
    def test_of_a_kind_that_the_cluster_does_not_serve_there_are_none(
        self, server: ApiServer, batch: dict[str, list[str]]
    ) -> None:
        assert Reads(server.client(), batch).own(router("a"), ROUTE) == []

    @pytest.mark.parametrize("code", [403, 500])
    def test_what_may_not_be_listed_is_not_taken_for_none(
        self, server: ApiServer, code: int
    ) -> None:
        server.refuse(lambda _: True, code, "Refused")
        with pytest.raises(ApiError) as raised:
            Reads(server.client(), {"team": MANY}).own(router("a"), SERVICE)
        assert raised.value.status == code


AI_SERVICES = "/api/v1/namespaces/ai/services"
BUDGETS = "/apis/policy/v1/namespaces/ai/poddisruptionbudgets"
OURS = {"app.kubernetes.io/managed-by": "semantic-router-operator"}
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


def noting(**answers: Any) -> tuple[Cluster, Reads]:
    cluster = Cluster({path.replace("|", "/"): answer for path, answer in answers.items()})
    return cluster, Reads(cast(Client, cluster)).of_one_router()


def test_named_objects_are_noted_with_their_versions_and_nothing_else() -> None:
    _, its_own = noting(**{f"{AI_SERVICES}/vllm": item("vllm", "7")})
    its_own.get(f"{AI_SERVICES}/vllm")
    its_own.get(f"{AI_SERVICES}/gone")
    assert its_own.notes == [{"collection": AI_SERVICES, "seen": {"vllm": "7", "gone": ""}}]


def test_what_is_read_for_its_spec_is_noted_by_its_generation() -> None:
    path = "/apis/gateway.networking.k8s.io/v1/namespaces/ai/gateways"
    _, its_own = noting(**{f"{path}/public": item("public", "7", generation=2)})
    its_own.get(f"{path}/public", spec_only=True)
    its_own.get(f"{path}/gone", spec_only=True)
    seen = {"public": "uid-public/2", "gone": ""}
    assert its_own.notes == [{"collection": path, "part": "spec", "seen": seen}]


def test_a_list_is_noted_with_its_selector() -> None:
    _, its_own = noting(**{AI_SERVICES: [item("a", "1"), item("b", "2")]})
    its_own.list(AI_SERVICES, "app=stack")
    assert its_own.notes == [
        {"collection": AI_SERVICES, "selector": "app=stack", "seen": {"a": "1", "b": "2"}}
    ]


def test_a_kind_that_is_not_served_is_noted_and_one_that_may_not_be_read_is_not() -> None:
    missing, forbidden = ApiError(404, "NotFound", "no"), ApiError(403, "Forbidden", "no")
    _, its_own = noting(**{AI_SERVICES: missing, BUDGETS: forbidden})
    for path in (AI_SERVICES, BUDGETS):
        with pytest.raises(ApiError):
            its_own.list(path)
    assert its_own.notes == [{"collection": AI_SERVICES, "selector": "", "seen": {}}]


def test_of_a_list_that_has_routers_own_objects_only_others_are_noted() -> None:
    """Else each router of a namespace would wake all others."""
    _, its_own = noting(**{BUDGETS: [item("ours", "1", labels=OURS), item("theirs", "2")]})
    assert len(its_own.list_with_own(BUDGETS)) == 2
    [note] = its_own.notes
    assert note["selector"] == "app.kubernetes.io/managed-by!=semantic-router-operator"
    assert note["seen"] == {"theirs": "2"}


def test_a_secret_is_noted_as_not_to_be_watched() -> None:
    path = "/api/v1/namespaces/ai/secrets"
    _, its_own = noting(**{f"{path}/key": item("key", "1")})
    its_own.get_metadata(f"{path}/key")
    assert its_own.notes == [{"collection": path, "watch": False, "seen": {"key": "1"}}]


def test_of_the_api_groups_those_are_noted_that_matter() -> None:
    groups = [
        {"name": "apps", "versions": [{"version": "v1"}]},
        {"name": "a.io", "versions": [{"version": "v1"}, {"version": "v1beta1"}]},
    ]
    _, its_own = noting(**{"/apis": {"groups": groups}})
    assert its_own.groups(["a.io", "b.io"]) == groups
    assert its_own.notes == [{"collection": "/apis", "seen": {"a.io": "v1,v1beta1", "b.io": ""}}]


def test_what_a_router_hears_of_in_another_way_is_not_noted() -> None:
    _, its_own = noting(**{BUDGETS: [item("theirs", "3")]})
    assert len(its_own.list_unnoted(BUDGETS)) == 1
    assert its_own.notes == []


def test_the_routers_own_objects_are_not_noted() -> None:
    _, its_own = noting(**{AI_SERVICES: [item("my-router", "1")]})
    its_own.own(ROUTER, SERVICE)
    its_own.own_named(AI_SERVICES, "my-router")
    assert its_own.notes == []


def test_routers_share_answers_and_each_has_its_own_notes() -> None:
    cluster, one = noting(**{f"{AI_SERVICES}/vllm": item("vllm", "7")})
    other = one.of_one_router()
    one.get(f"{AI_SERVICES}/vllm")
    assert other.notes == []
    other.get(f"{AI_SERVICES}/vllm")
    assert other.notes == one.notes
    assert len(cluster.asked) == 1


SLICES = "/apis/discovery.k8s.io/v1/namespaces/team/endpointslices"
LABEL = "kubernetes.io/service-name"


def slice_of(service_name: str, number: int) -> Manifest:
    given = {"name": f"{service_name}-{number}", "labels": {LABEL: service_name}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**given, "namespace": "team"},
    }


def test_many_of_a_collection_are_asked_for_together_and_noted_as_if_each_by_itself(
    server: ApiServer,
) -> None:
    for name, number in (("a", 1), ("a", 2), ("b", 1)):
        server.put(f"{SLICES}/{name}-{number}", slice_of(name, number))
    server.put(f"{SLICES}/theirs", {**slice_of("a", 3), "metadata": {"name": "theirs"}})
    one_by_one, together = Reads(server.client()), Reads(server.client())
    together.ask_together(SERVICES)
    together.ask_together(SLICES, LABEL)

    def ask(reads: Reads) -> list[Any]:
        named = [reads.get(f"{SERVICES}/{name}") for name in (*MANY, "missing")]
        return [*named, *(reads.list(SLICES, f"{LABEL}={name}") for name in ("a", "b", "c"))]

    answers = ask(one_by_one)
    server.log.clear()
    assert ask(together) == answers
    assert [request.path for request in server.log] == [SERVICES, SLICES]
    assert together.notes == one_by_one.notes


def test_other_questions_about_such_a_collection_are_asked_as_ever(server: ApiServer) -> None:
    server.put(f"{SLICES}/a-1", slice_of("a", 1))
    reads = Reads(server.client())
    reads.ask_together(SLICES, LABEL)
    assert len(reads.list(SLICES, f"{LABEL} in (a,b)")) == 1
    assert reads.list(SLICES, "x=y") == []
    assert f"{LABEL} in (a,b)" in selectors(server)


def test_who_may_not_see_all_of_a_collection_asks_one_by_one() -> None:
    class Narrow:
        def get(self, path: str) -> Manifest:
            return service(path.rpartition("/")[2])

        def list(self, *_: Any) -> list[Manifest]:
            raise ApiError(403, "Forbidden", "may not list")

    reads = Reads(cast("Client", Narrow()))
    reads.ask_together(SERVICES)
    found = reads.get(f"{SERVICES}/a")
    assert found is not None
    assert found["metadata"]["name"] == "a"
