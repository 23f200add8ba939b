"""What apply asks an API server for, and in which order, whatever the server does.

The server is in memory; tests/integration/writes and test_apply.py ask a real one.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.apply import (
    ApplyResult,
    apply,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import MERGE_PATCH
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from api_server import ApiServer, Manifest, Refusal, Request
from every_kind import KINDS, NAME, objects

NAMESPACE = "team"
OPTIONAL = [resource.api_version for resource in RESOURCES if resource.optional]
PLURALS = {resource.kind: resource.plural for resource in RESOURCES}
RANKS = {resource.plural: resource.rank for resource in RESOURCES}
ACCESSORIES = [resource.kind for resource in RESOURCES if resource.accessory]
ESSENTIAL = [kind for kind in KINDS if kind not in ACCESSORIES]


class Cluster:
    def __init__(self) -> None:
        self.server = ApiServer(*OPTIONAL)
        self.router = Router(
            self.server.put(
                f"/apis/vllm.ai/v1alpha1/namespaces/{NAMESPACE}/semanticrouters/{NAME}",
                {
                    "apiVersion": "vllm.ai/v1alpha1",
                    "kind": "SemanticRouter",
                    "metadata": {"name": NAME, "namespace": NAMESPACE},
                    "spec": {},
                },
            )
        )
        self.server.log.clear()

    def apply(self, wanted: list[Manifest] | None = None, **options: Any) -> ApplyResult:
        self.server.log.clear()
        asked = objects(NAMESPACE) if wanted is None else wanted
        return apply(self.server.client(), self.router, asked, **options)

    def there(self) -> set[str]:
        return {item["kind"] for item in self.server.objects.values()} - {"SemanticRouter"}

    def live(self, kind: str) -> Manifest:
        return self.server.objects[path_of(kind)]

    def writes(self, verb: str) -> list[str]:
        """Kinds, of writes that went well."""
        done = [item for item in self.server.writes() if (item.verb, item.code) == (verb, 200)]
        kinds = {plural: kind for kind, plural in PLURALS.items()}
        return [kinds[item.object.partition("/")[0]] for item in done]

    def rehearsed(self) -> list[Request]:
        return [item for item in self.server.log if "dryRun" in item.params]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def applied(cluster: Cluster) -> Cluster:
    assert cluster.apply().problems == []
    return cluster


def of_kind(kind: str, manifests: list[Manifest] | None = None) -> Manifest:
    return next(item for item in manifests or objects(NAMESPACE) if item["kind"] == kind)


def path_of(kind: str) -> str:
    return resources.path(of_kind(kind))


def without(*kinds: str) -> list[Manifest]:
    return [item for item in objects(NAMESPACE) if item["kind"] not in kinds]


def edited(*kinds: str) -> list[Manifest]:
    """As the router wants it now: what these are to be has changed."""
    wanted = objects(NAMESPACE)
    for item in wanted:
        if item["kind"] in (kinds or KINDS):
            item["metadata"]["annotations"] = {"team": "search"}
    return wanted


def is_of(kind: str, verb: str = "PATCH") -> Callable[[Request], bool]:
    return lambda request: request.verb == verb and request.path == path_of(kind)


def in_earnest(kind: str) -> Callable[[Request], bool]:
    return lambda request: is_of(kind)(request) and request.is_write


def theirs(kind: str) -> Manifest:
    found = of_kind(kind)
    found["metadata"] = {"name": NAME, "namespace": NAMESPACE, "labels": {"made-by": "hand"}}
    return found


def actions(result: ApplyResult) -> dict[str, str]:
    return {entry["kind"]: entry["action"] for entry in result.objects}


def reasons(result: ApplyResult) -> list[str]:
    return [problem.reason for problem in result.problems]


def in_rank_order(kinds: list[str]) -> bool:
    ranks = [RANKS[PLURALS[kind]] for kind in kinds]
    return ranks == sorted(ranks)


class TestFirstObjects:
    def test_they_are_made_rank_by_rank_without_rehearsal(self, cluster: Cluster) -> None:
        result = cluster.apply()
        assert result.problems == []
        assert cluster.rehearsed() == []
        made = cluster.writes("PATCH")
        assert sorted(made) == sorted(KINDS)
        assert in_rank_order(made)

    def test_they_are_reported_and_known_as_they_are_now(self, cluster: Cluster) -> None:
        result = cluster.apply()
        assert actions(result) == dict.fromkeys(KINDS, "created")
        assert in_rank_order([entry["kind"] for entry in result.objects])
        assert {(entry["name"], entry["namespace"]) for entry in result.objects} == {
            (NAME, NAMESPACE)
        }
        assert result.changed
        assert result.live is not None
        assert {item["kind"]: item for item in result.live} == {
            kind: cluster.live(kind) for kind in KINDS
        }

    def test_they_belong_to_the_router_and_their_fields_to_the_operator(
        self, cluster: Cluster
    ) -> None:
        cluster.apply()
        for kind in KINDS:
            found = cluster.live(kind)["metadata"]
            assert found["ownerReferences"] == [cluster.router.owner_reference]
            assert [item["manager"] for item in found["managedFields"]] == [metadata.FIELD_MANAGER]

    @pytest.mark.parametrize("kind", KINDS)
    def test_none_stays_when_one_is_refused(self, cluster: Cluster, kind: str) -> None:
        cluster.server.refuse(in_earnest(kind))
        result = cluster.apply()
        assert reasons(result) == ["ApplyRefused"]
        assert (result.objects, result.changed) == ([], False)
        assert cluster.there() == set()
        assert sorted(cluster.writes("DELETE")) == sorted(cluster.writes("PATCH"))

    @pytest.mark.parametrize("kind", KINDS)
    def test_somebody_elses_of_the_same_name_stays_as_it_is(
        self, cluster: Cluster, kind: str
    ) -> None:
        before = cluster.server.put(path_of(kind), theirs(kind))
        result = cluster.apply()
        assert reasons(result) == ["Conflict"]
        assert f"{kind} {NAME} exists already" in result.problems[0].found
        assert cluster.live(kind) == before
        assert cluster.there() == {kind}
        assert kind not in cluster.writes("DELETE")

    @pytest.mark.parametrize("kind", KINDS)
    def test_only_the_very_objects_that_were_made_are_deleted(
        self, cluster: Cluster, kind: str
    ) -> None:
        cluster.server.refuse(in_earnest("PrometheusRule"))

        def replace(request: Request) -> None:
            if is_of(kind, "DELETE")(request):
                cluster.server.put(request.path, theirs(kind))

        cluster.server.looks.append(replace)
        assert reasons(cluster.apply()) == ["ApplyRefused"]
        assert cluster.there() == {kind} - {"PrometheusRule"}

    def test_one_that_cannot_be_deleted_again_is_a_problem_too(self, cluster: Cluster) -> None:
        cluster.server.refuse(in_earnest("Deployment"))
        cluster.server.refuse(is_of("Service", "DELETE"), 403, "Forbidden")
        assert reasons(cluster.apply()) == ["ApplyRefused", "Forbidden"]
        assert cluster.there() == {"Service"}

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_lost_answer_is_asked_for_again(self, cluster: Cluster, kind: str) -> None:
        lost: list[Request] = []

        def first(request: Request) -> bool:
            if lost or not in_earnest(kind)(request):
                return False
            lost.append(request)
            return True

        cluster.server.loses = first
        result = cluster.apply()
        assert result.problems == []
        assert lost
        assert actions(result) == dict.fromkeys(KINDS, "created")
        assert cluster.there() == set(KINDS)
        assert cluster.live(kind) in (result.live or [])

    @pytest.mark.parametrize("kind", KINDS)
    def test_without_any_answer_the_next_run_goes_on_from_what_there_is(
        self, cluster: Cluster, kind: str
    ) -> None:
        cluster.server.loses = in_earnest(kind)
        result = cluster.apply()
        assert reasons(result) == ["ApiUnavailable"]
        assert result.problems[0].retry
        assert cluster.writes("DELETE") == []
        ranks_below = {item for item in KINDS if RANKS[PLURALS[item]] < RANKS[PLURALS[kind]]}
        assert actions(result).items() >= dict.fromkeys(ranks_below, "created").items()
        assert not any(RANKS[PLURALS[item]] > RANKS[PLURALS[kind]] for item in cluster.there())
        made = {item: cluster.live(item)["metadata"]["uid"] for item in cluster.there()}
        cluster.server.loses = lambda _: False
        assert cluster.apply().problems == []
        assert cluster.there() == set(KINDS)
        assert (
            made.items() <= {item: cluster.live(item)["metadata"]["uid"] for item in KINDS}.items()
        )

    def test_a_refusal_takes_everything_back_even_when_another_had_no_answer(
        self, cluster: Cluster
    ) -> None:
        cluster.server.refuse(in_earnest("Service"))
        cluster.server.refuse(in_earnest("NetworkPolicy"), 503, "ServiceUnavailable")
        assert sorted(reasons(cluster.apply())) == ["ApiUnavailable", "ApplyRefused"]
        assert cluster.there() == set()

    def test_one_on_its_way_out_holds_nothing_up(self, cluster: Cluster) -> None:
        leaving = of_kind("ConfigMap")
        leaving["metadata"] |= {
            "finalizers": ["a/b"],
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "labels": {},
        }
        before = cluster.server.put(path_of("ConfigMap"), leaving)
        result = cluster.apply()
        assert [(item.reason, item.blocking) for item in result.problems] == [("Conflict", False)]
        assert cluster.there() == set(KINDS)
        assert cluster.live("ConfigMap") == before
        assert "ConfigMap" not in actions(result)

    def test_one_that_another_run_has_made_meanwhile_is_taken_as_made(
        self, cluster: Cluster
    ) -> None:
        def overtake(request: Request) -> None:
            if request.is_write and "Deployment" not in cluster.there():
                cluster.server.looks.clear()
                apply(cluster.server.client(), cluster.router, objects(NAMESPACE))

        cluster.server.looks.append(overtake)
        result = cluster.apply()
        assert result.problems == []
        assert actions(result) == dict.fromkeys(KINDS, "created")
        assert cluster.writes("DELETE") == []

    def test_one_that_was_made_meanwhile_in_another_way_is_a_conflict(
        self, cluster: Cluster
    ) -> None:
        def overtake(request: Request) -> None:
            if in_earnest("Deployment")(request):
                cluster.server.looks.clear()
                apply(cluster.server.client(), cluster.router, edited("Deployment"), prune=False)

        cluster.server.looks.append(overtake)
        (problem,) = cluster.apply().problems
        assert (problem.reason, problem.retry) == ("Conflict", True)

    def test_a_router_of_which_a_run_has_spoken_is_rehearsed(self, cluster: Cluster) -> None:
        cluster.router = Router({**cluster.router.resource, "status": {"phase": "Degraded"}})
        cluster.server.refuse(is_of("Deployment"))
        assert reasons(cluster.apply()) == ["ApplyRefused"]
        assert cluster.server.writes() == []
        assert len(cluster.rehearsed()) == len(KINDS)

    @pytest.mark.parametrize("name", [NAME, "its-former-name"])
    def test_a_router_that_has_something_is_rehearsed(self, cluster: Cluster, name: str) -> None:
        account = of_kind("ServiceAccount")
        account["metadata"]["name"] = name
        cluster.server.put(resources.path(account), account)
        cluster.server.refuse(is_of("Deployment"))
        assert reasons(cluster.apply()) == ["ApplyRefused"]
        assert cluster.server.writes() == []

    def test_a_router_whose_object_lost_its_labels_is_rehearsed(self, cluster: Cluster) -> None:
        account = of_kind("ServiceAccount")
        account["metadata"]["labels"] = {}
        live = cluster.server.put(path_of("ServiceAccount"), account)
        cluster.server.refuse(is_of("Deployment"))
        assert "ApplyRefused" in reasons(cluster.apply(known=[live]))
        assert cluster.server.writes() == []


class TestWhatIsThereAlready:
    def test_a_second_run_lists_each_kind_once_and_writes_nothing(self, applied: Cluster) -> None:
        result = applied.apply()
        assert result.problems == []
        assert actions(result) == dict.fromkeys(KINDS, "unchanged")
        assert not result.changed
        asked = [(item.verb, item.path.split("/")[-1]) for item in applied.server.log]
        assert sorted(asked) == sorted(("GET", plural) for plural in RANKS)
        selector = "app.kubernetes.io/instance=my-router"
        assert all(item.params["labelSelector"].startswith(selector) for item in applied.server.log)

    def test_kinds_that_the_cluster_lacks_are_not_asked_for(self, applied: Cluster) -> None:
        lacking = [item["kind"] for item in objects(NAMESPACE) if item["apiVersion"] in OPTIONAL]
        assert applied.apply(without(*lacking), facts=Facts()).problems == []
        asked = {item.path.split("/")[-1] for item in applied.server.log}
        assert asked.isdisjoint({PLURALS[kind] for kind in lacking})
        assert "deployments" in asked

    def test_what_the_same_run_has_listed_is_not_listed_again(self, applied: Cluster) -> None:
        known = [applied.live(kind) for kind in KINDS]
        result = applied.apply(known=known)
        assert actions(result) == dict.fromkeys(KINDS, "unchanged")
        assert applied.server.log == []
        assert result.live == known

    def test_without_a_list_nothing_is_done_at_all(self, applied: Cluster) -> None:
        listing = "/api/v1/namespaces/team/services"
        applied.server.refuse(lambda item: item.path == listing, 403, "Forbidden")
        result = applied.apply(edited())
        assert (reasons(result), result.objects, result.live) == (["Forbidden"], [], None)
        assert applied.rehearsed() == applied.server.writes() == []

    def test_all_changes_are_rehearsed_and_then_written_rank_by_rank(
        self, applied: Cluster
    ) -> None:
        result = applied.apply(edited())
        assert actions(result) == dict.fromkeys(KINDS, "changed")
        assert in_rank_order([entry["kind"] for entry in result.objects])
        verbs = ["dryRun" in item.params for item in applied.server.log if item.verb == "PATCH"]
        assert verbs == [True] * len(KINDS) + [False] * len(KINDS)
        assert in_rank_order(applied.writes("PATCH"))
        assert result.live is not None
        assert {item["kind"]: item for item in result.live} == {
            kind: applied.live(kind) for kind in KINDS
        }

    def test_only_what_differs_is_rehearsed_and_written(self, applied: Cluster) -> None:
        result = applied.apply(edited("Service"))
        assert [item.path for item in applied.rehearsed()] == [path_of("Service")]
        assert applied.writes("PATCH") == ["Service"]
        expected = {**dict.fromkeys(KINDS, "unchanged"), "Service": "changed"}
        assert actions(result) == expected

    def test_a_rehearsal_that_changes_nothing_is_not_written(self, applied: Cluster) -> None:
        # Somebody took the annotation by which we know it.
        given = applied.live("Service")["metadata"]
        given["annotations"][metadata.ANNOTATION_APPLIED_HASH] = "another"
        result = applied.apply()
        assert actions(result)["Service"] == "unchanged"
        assert len(applied.rehearsed()) == 1
        assert applied.server.writes() == []

    @pytest.mark.parametrize("kind", ESSENTIAL)
    def test_one_refused_rehearsal_leaves_everything(self, applied: Cluster, kind: str) -> None:
        before = deepcopy(applied.server.objects)
        applied.server.refuse(lambda item: is_of(kind)(item) and not item.is_write)
        result = applied.apply(edited(kind, "Deployment", "ServiceMonitor"))
        assert reasons(result) == ["ApplyRefused"]
        assert applied.server.objects == before
        assert set(actions(result).values()) == {"unchanged"}
        assert set(actions(result)) == set(KINDS) - {kind, "Deployment", "ServiceMonitor"}

    def test_a_refusal_that_a_new_object_would_not_get_is_no_mistake_of_the_routers(
        self, applied: Cluster
    ) -> None:
        before = deepcopy(applied.server.objects)
        applied.server.refuse(is_of("Service"))
        (problem,) = applied.apply(edited("Service")).problems
        assert (problem.reason, problem.field, problem.retry) == ("ApplyRefused", "", True)
        assert "as it is now" in problem.found
        assert applied.server.objects == before
        assert applied.server.writes() == []

    def test_a_refusal_that_a_new_object_would_get_too_is_one(self, applied: Cluster) -> None:
        applied.server.refuse(lambda item: "/services/" in item.path)
        (problem,) = applied.apply(edited("Service")).problems
        assert (problem.reason, problem.retry) == ("ApplyRefused", False)
        assert "as it is now" not in problem.found

    @pytest.mark.parametrize("is_edited", [True, False])
    def test_what_cannot_change_is_a_mistake_unless_the_router_asks_for_what_it_always_did(
        self, applied: Cluster, is_edited: bool
    ) -> None:
        def look(request: Request) -> None:
            if is_of("Service")(request):
                raise Refusal(422, "Invalid", "spec.clusterIP: field is immutable")

        # Somebody took a field.
        entries = applied.live("Service")["metadata"]["managedFields"]
        entries[0]["fieldsV1"]["f:metadata"] = {"f:labels": {}}
        applied.server.looks.append(look)
        (problem,) = applied.apply(edited("Service") if is_edited else None).problems
        assert problem.retry is not is_edited

    @pytest.mark.parametrize("kind", ACCESSORIES)
    def test_a_refused_accessory_holds_up_nothing_and_is_told(
        self, applied: Cluster, kind: str
    ) -> None:
        before = deepcopy(applied.live(kind))
        applied.server.refuse(is_of(kind))
        result = applied.apply(edited())
        assert reasons(result) == ["ApplyRefused"]
        assert result.problems[0].blocking, "the spec is not wholly in effect"
        assert applied.live(kind) == before
        assert set(applied.writes("PATCH")) == set(KINDS) - {kind}

    @pytest.mark.parametrize("kind", ESSENTIAL)
    def test_somebody_elses_object_keeps_all_others_from_being_written(
        self, applied: Cluster, kind: str
    ) -> None:
        before = applied.server.put(path_of(kind), theirs(kind))
        result = applied.apply(edited())
        assert reasons(result) == ["Conflict"]
        assert applied.live(kind) == before
        assert applied.server.writes() == []

    def test_a_refusal_of_what_somebody_else_has_is_told_as_whose_it_is(
        self, applied: Cluster
    ) -> None:
        applied.server.put(path_of("Deployment"), theirs("Deployment"))
        applied.server.refuse(is_of("Deployment"))
        (problem,) = applied.apply(edited()).problems
        assert problem.reason == "Conflict"
        assert "exists already" in problem.found

    def test_nobody_looks_whose_it_is_while_the_server_does_not_answer(
        self, applied: Cluster
    ) -> None:
        applied.server.put(path_of("Deployment"), theirs("Deployment"))
        applied.server.refuse(is_of("Deployment"), 503, "ServiceUnavailable")
        assert reasons(applied.apply(edited())) == ["ApiUnavailable"]
        assert path_of("Deployment") not in [
            item.path for item in applied.server.log if item.verb == "GET"
        ]

    def test_whose_it_is_may_not_be_known(self, applied: Cluster) -> None:
        applied.server.put(path_of("Deployment"), theirs("Deployment"))
        applied.server.refuse(is_of("Deployment", "GET"), 403, "Forbidden")
        assert reasons(applied.apply(edited())) == ["Forbidden"]
        assert applied.server.writes() == []

    def test_our_own_without_its_labels_is_repaired(self, applied: Cluster) -> None:
        applied.live("Service")["metadata"]["labels"] = {}
        result = applied.apply()
        assert actions(result)["Service"] == "changed"
        assert metadata.LABEL_INSTANCE in applied.live("Service")["metadata"]["labels"]

    def test_one_on_its_way_out_does_not_keep_others_from_being_written(
        self, applied: Cluster
    ) -> None:
        given = applied.live("PersistentVolumeClaim")["metadata"]
        given |= {"finalizers": ["a/b"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
        result = applied.apply(edited())
        assert [(item.reason, item.blocking) for item in result.problems] == [("Conflict", False)]
        assert set(applied.writes("PATCH")) == set(KINDS) - {"PersistentVolumeClaim"}
        assert actions(result) == dict.fromkeys(set(KINDS) - {"PersistentVolumeClaim"}, "changed")

    def test_a_field_that_somebody_else_has_set_is_the_routers_again(
        self, applied: Cluster
    ) -> None:
        applied.server.client().patch(
            path_of("ConfigMap"),
            {"data": {"config.yaml": "threshold: 0.9"}},
            MERGE_PATCH,
            {"fieldManager": "kubectl-edit"},
        )
        service = applied.live("Service")
        service["spec"]["ports"] = [{"port": 81}]
        service["metadata"]["managedFields"].append(
            {
                "manager": "team",
                "operation": "Apply",
                "fieldsV1": {"f:spec": {"f:ports": {}}},
            }
        )
        wanted = edited("Service", "ConfigMap")
        assert applied.apply(wanted).problems == []
        assert applied.live("Service")["spec"]["ports"] == [{"port": 80}]
        assert applied.live("ConfigMap")["data"] == of_kind("ConfigMap")["data"]

    def test_a_deleted_one_comes_back(self, applied: Cluster) -> None:
        del applied.server.objects[path_of("Service")]
        assert actions(applied.apply())["Service"] == "created"
        assert "Service" in applied.there()


class TestFailedWrites:
    def test_the_first_rank_that_fails_is_the_last_that_is_tried(self, applied: Cluster) -> None:
        applied.server.refuse(in_earnest("Service"))
        result = applied.apply(edited())
        assert reasons(result) == ["ApplyRefused"]
        tried = [item for item in KINDS if RANKS[PLURALS[item]] <= RANKS["services"]]
        assert set(applied.writes("PATCH")) == set(tried) - {"Service"}
        assert actions(result) == dict.fromkeys(set(tried) - {"Service"}, "changed")

    def test_what_was_unchanged_is_still_reported(self, applied: Cluster) -> None:
        applied.server.refuse(in_earnest("Service"))
        result = applied.apply(edited("Service"))
        assert actions(result) == dict.fromkeys(set(KINDS) - {"Service"}, "unchanged")

    def test_nothing_is_pruned_then(self, applied: Cluster) -> None:
        applied.server.refuse(in_earnest("ConfigMap"))
        wanted = [item for item in edited() if item["kind"] != "Ingress"]
        result = applied.apply(wanted)
        assert applied.writes("DELETE") == []
        assert "Ingress" in applied.there()
        assert "pruned" not in actions(result).values()


class TestPruning:
    def test_what_is_no_longer_wanted_goes_after_all_writes(self, applied: Cluster) -> None:
        wanted = [item for item in edited("Deployment") if item["kind"] not in ("Ingress", "Route")]
        result = applied.apply(wanted)
        assert applied.there() == set(KINDS) - {"Ingress", "Route"}
        assert [item.verb for item in applied.server.writes()] == ["PATCH", "DELETE", "DELETE"]
        assert [entry["kind"] for entry in result.objects[-2:]] == ["Route", "Ingress"]
        assert actions(result)["Ingress"] == actions(result)["Route"] == "pruned"
        assert result.changed

    def test_the_claim_stays(self, applied: Cluster) -> None:
        result = applied.apply(without("PersistentVolumeClaim"))
        assert "PersistentVolumeClaim" in applied.there()
        assert "PersistentVolumeClaim" not in actions(result)

    def test_a_play_that_sees_a_part_prunes_nothing_and_lists_its_own_kinds(
        self, applied: Cluster
    ) -> None:
        result = applied.apply([of_kind("Service")], prune=False)
        assert actions(result) == {"Service": "unchanged"}
        assert applied.there() == set(KINDS)
        assert [item.path for item in applied.server.log] == ["/api/v1/namespaces/team/services"]

    def test_one_that_will_not_go_is_a_problem_and_keeps_no_other(self, applied: Cluster) -> None:
        applied.server.refuse(is_of("Ingress", "DELETE"), 403, "Forbidden")
        result = applied.apply(without("Ingress", "Route", "NetworkPolicy"))
        assert reasons(result) == ["Forbidden"]
        assert applied.there() == set(KINDS) - {"Route", "NetworkPolicy"}
        pruned = {kind for kind, action in actions(result).items() if action == "pruned"}
        assert pruned == {"Route", "NetworkPolicy"}

    def test_one_that_is_gone_already_is_not_reported(self, applied: Cluster) -> None:
        def vanish(request: Request) -> None:
            if is_of("Ingress", "DELETE")(request):
                applied.server.objects.pop(request.path, None)

        applied.server.looks.append(vanish)
        result = applied.apply(without("Ingress"))
        assert result.problems == []
        assert not result.changed


class TestWithoutWriting:
    def test_check_mode_says_what_would_happen_to_each(self, applied: Cluster) -> None:
        before = deepcopy(applied.server.objects)
        wanted = [item for item in edited("Service") if item["kind"] != "Ingress"]
        account = of_kind("ServiceAccount", wanted)
        account["metadata"]["name"] = "another"
        result = applied.apply(wanted, check_mode=True, diff=True)
        assert applied.server.objects == before
        assert applied.server.writes() == []
        of_name = {(entry["kind"], entry["name"]): entry["action"] for entry in result.objects}
        assert of_name["Service", NAME] == "changed"
        assert of_name["Ingress", NAME] == "pruned"
        assert of_name["ServiceAccount", "another"] == "created"
        assert of_name["ServiceAccount", NAME] == "pruned"
        assert result.changed
        shown = {entry["before_header"]: (entry["before"], entry["after"]) for entry in result.diff}
        assert len(result.diff) == len(shown) == 4
        service, ingress = f"Service {NAMESPACE}/{NAME}", f"Ingress {NAMESPACE}/{NAME}"
        created = f"ServiceAccount {NAMESPACE}/another"
        assert "team" not in shown[service][0]["metadata"]["annotations"]
        assert shown[service][1]["metadata"]["annotations"]["team"] == "search"
        assert shown[ingress][0]["kind"] == "Ingress"
        assert shown[ingress][1] == {}
        assert shown[created][0] == {}

    def test_check_mode_makes_no_first_objects_either(self, cluster: Cluster) -> None:
        result = cluster.apply(check_mode=True)
        assert actions(result) == dict.fromkeys(KINDS, "created")
        assert cluster.there() == set()
        assert cluster.server.writes() == []

    def test_check_mode_finds_what_would_be_refused(self, cluster: Cluster) -> None:
        cluster.server.refuse(is_of("Deployment"))
        result = cluster.apply(check_mode=True)
        assert reasons(result) == ["ApplyRefused"]
        assert result.objects == []

    def test_a_dry_run_makes_a_plan_and_nothing_else(self, applied: Cluster) -> None:
        before = deepcopy(applied.server.objects)
        wanted = [item for item in edited("Service") if item["kind"] != "Ingress"]
        result = applied.apply(wanted, dry_run=True)
        assert applied.server.objects == before
        assert applied.server.writes() == []
        assert result.plan == {
            "summary": "1 to change, 1 to delete",
            "changes": [
                {
                    "kind": "Service",
                    "name": NAME,
                    "action": "change",
                    "fields": ["metadata.annotations.team"],
                },
                {"kind": "Ingress", "name": NAME, "action": "delete"},
            ],
        }
        assert (result.objects, result.changed) == ([], False)
        assert result.live is not None
        assert len(result.live) == len(KINDS)

    def test_a_dry_run_of_a_new_router_plans_in_the_order_of_the_writes(
        self, cluster: Cluster
    ) -> None:
        result = cluster.apply(dry_run=True)
        assert cluster.there() == set()
        planned = [(item["kind"], item["action"]) for item in result.plan["changes"]]
        assert {action for _, action in planned} == {"create"}
        assert in_rank_order([kind for kind, _ in planned])
        assert len(planned) == len(KINDS)

    def test_a_dry_run_that_is_refused_has_no_plan(self, cluster: Cluster) -> None:
        cluster.server.refuse(is_of("Deployment"))
        result = cluster.apply(dry_run=True)
        assert (reasons(result), result.plan) == (["ApplyRefused"], {})

    def test_no_difference_is_shown_unless_it_is_asked_for(self, applied: Cluster) -> None:
        assert applied.apply(without("Ingress"), check_mode=True).diff == []

    def test_the_difference_of_what_was_written_is_shown(self, applied: Cluster) -> None:
        (shown,) = applied.apply(edited("Service"), diff=True).diff
        assert shown["after"]["metadata"]["annotations"]["team"] == "search"

    def test_first_objects_are_shown_whole(self, cluster: Cluster) -> None:
        shown = cluster.apply(diff=True).diff
        assert len(shown) == len(KINDS)
        assert all(item["before"] == {} and item["after"]["kind"] for item in shown)


class TestTheCallersMistakes:
    @pytest.mark.parametrize(
        ("spoil", "says"),
        [
            (lambda item: item.update(kind="CronJob"), "does not know"),
            (lambda item: item["metadata"].pop("name"), "does not know"),
            (lambda item: item["metadata"].update(namespace="elsewhere"), "is not in namespace"),
            (lambda item: item["metadata"].pop("namespace"), "is not in namespace"),
        ],
    )
    def test_what_can_never_be_is_not_even_begun(
        self, cluster: Cluster, spoil: Callable[[Manifest], object], says: str
    ) -> None:
        wanted = objects(NAMESPACE)
        spoil(wanted[0])
        with pytest.raises(RouterError, match=says) as raised:
            cluster.apply(wanted)
        assert raised.value.problem.reason == "ReconcileFailed"
        assert cluster.server.log == []

    def test_an_object_stands_once(self, cluster: Cluster) -> None:
        with pytest.raises(RouterError, match="stands twice"):
            cluster.apply([of_kind("Service"), of_kind("Service")])

    def test_a_router_that_no_cluster_has_seen_owns_nothing(self, cluster: Cluster) -> None:
        given = {"name": NAME, "namespace": NAMESPACE}
        cluster.router = Router({**cluster.router.resource, "metadata": given})
        with pytest.raises(RouterError, match=r"no metadata\.uid"):
            cluster.apply()
        assert cluster.server.log == []


def test_a_result_crosses_from_task_to_task_without_the_live_objects(applied: Cluster) -> None:
    applied.server.refuse(is_of("Ingress", "DELETE"), 403, "Forbidden")
    result = applied.apply(without("Ingress"), diff=True)
    assert result.as_dict() == {
        "changed": False,
        "objects": result.objects,
        "problems": [result.problems[0].as_dict()],
        "diff": [],
        "plan": {},
    }


def test_every_write_and_rehearsal_is_strict_about_fields(cluster: Cluster) -> None:
    cluster.apply()
    made = list(cluster.server.log)
    cluster.apply(edited())
    patches = [item for item in (*made, *cluster.server.log) if item.verb == "PATCH"]
    assert len(patches) == 3 * len(KINDS)
    assert {item.params.get("fieldValidation") for item in patches} == {"Strict"}


def test_a_refusal_names_what_the_server_said(cluster: Cluster) -> None:
    def look(request: Request) -> None:
        if in_earnest("Deployment")(request):
            raise Refusal(422, "Invalid", "spec.replicas: must be even")

    cluster.server.looks.append(look)
    (problem,) = cluster.apply().problems
    assert "must be even" in problem.found
