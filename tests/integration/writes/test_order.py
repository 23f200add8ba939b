"""In which order objects are written, and what becomes of the rest when one is not."""

from __future__ import annotations

from every_kind import KINDS, NAME, Manifest
from integration.writes.cluster import KEPT, REFUSED_IN_EARNEST, Cluster, kinds

# Not read off resources.py: its ranks are what is in question.
ORDER = (
    {"ServiceAccount", "ConfigMap", "PersistentVolumeClaim"},
    {
        "Service", "Route", "PodDisruptionBudget", "EnvoyExtensionPolicy", "BackendTrafficPolicy",
        "BackendTLSPolicy", "DestinationRule",
        "EnvoyFilter", "SecurityPolicy", "RequestAuthentication", "AuthorizationPolicy",
        "GatewayExtension", "TrafficPolicy", "AgentgatewayPolicy", "NetworkPolicy",
    },
    {"Deployment"},
    {"HorizontalPodAutoscaler", "Ingress", "HTTPRoute"},
    {"ServiceMonitor", "PrometheusRule"},
)  # fmt: skip


def in_steps(written: list[str]) -> list[set[str]]:
    """The same, cut where ORDER is."""
    steps, rest = [], written
    for step in ORDER:
        steps.append(set(rest[: len(step)]))
        rest = rest[len(step) :]
    assert rest == []
    return steps


def changed(wanted: list[Manifest]) -> list[Manifest]:
    for manifest in wanted:
        manifest["metadata"].setdefault("annotations", {})["team"] = "search"
    return wanted


def test_first_objects_are_made_in_the_order_in_which_they_need_each_other(
    cluster: Cluster,
) -> None:
    assert cluster.apply(cluster.objects()).problems == []
    assert cluster.rehearsals() == []
    assert in_steps(kinds(cluster.writes(), "patch")) == list(ORDER)


def test_changes_are_written_in_the_same_order_after_all_of_them_were_rehearsed(
    cluster: Cluster,
) -> None:
    cluster.apply(cluster.objects())
    cluster.look_from_now_on()
    assert cluster.apply(changed(cluster.objects())).problems == []
    writes = cluster.writes()
    assert in_steps(kinds(writes, "patch")) == list(ORDER)
    rehearsals = cluster.rehearsals()
    assert sorted(kinds(rehearsals, "patch")) == sorted(KINDS)
    assert max(item.time for item in rehearsals) < min(item.time for item in writes)


def test_the_first_step_with_a_failed_write_is_the_last_that_is_tried(cluster: Cluster) -> None:
    cluster.apply(cluster.objects())
    cluster.look_from_now_on()
    wanted = changed(cluster.objects(Service=REFUSED_IN_EARNEST))
    (problem,) = cluster.apply(wanted).problems
    assert "in earnest" in problem.found
    assert set(kinds(cluster.writes(), "patch")) == (ORDER[0] | ORDER[1]) - {"Service"}
    assert "team" not in cluster.there()["Deployment"]["metadata"].get("annotations", {})


def test_nothing_is_pruned_when_a_write_has_failed(cluster: Cluster) -> None:
    cluster.apply(cluster.objects())
    cluster.look_from_now_on()
    wanted = changed(cluster.objects(ConfigMap=REFUSED_IN_EARNEST))
    # The Ingress leads to the pods as they are, and those as they should be are not there.
    result = cluster.apply([item for item in wanted if item["kind"] != "Ingress"])
    assert result.problems
    assert "Ingress" in cluster.there()
    assert {request.verb for request in cluster.writes()} == {"patch"}


def test_an_object_that_will_not_go_is_a_problem_and_keeps_no_other_from_going(
    cluster: Cluster,
) -> None:
    cluster.apply(cluster.objects(Ingress=KEPT))
    cluster.look_from_now_on()
    unwanted = {"Ingress", "NetworkPolicy", "ServiceMonitor"}
    wanted = [item for item in cluster.objects() if item["kind"] not in unwanted]
    result = cluster.apply(wanted)
    (problem,) = result.problems
    assert "what is here stays here" in problem.found
    assert set(cluster.there()) == set(KINDS) - {"NetworkPolicy", "ServiceMonitor"}
    tried = [request for request in cluster.writes() if request.verb == "delete"]
    assert {(request.name, request.code < 300) for request in tried} == {
        (NAME, True),
        (NAME, False),
    }
    assert len(tried) == len(unwanted)
