"""What Envoy, router and metrics say, as one picture of a router."""

from __future__ import annotations

from typing import Any

import pytest
from semantic_router_cli import live
from semantic_router_cli.live import Answers, Host, Traffic

ROUTER = {"metadata": {"name": "r", "namespace": "n"}}
CONFIG = {
    "providers": {"models": [{"name": "a"}, {"name": "b"}], "defaults": {"default_model": "a"}},
    "routing": {
        "decisions": [
            {"name": "maths", "modelRefs": [{"model": "a", "lora_name": "a-maths"}]},
            {"name": "code", "modelRefs": [{"model": "b"}, {"model": "a"}]},
        ]
    },
}
METRICS = """\
# TYPE llm_model_requests_total counter
llm_model_requests_total{model="a"} 5
llm_model_requests_total{model="unknown"} 9
# TYPE llm_request_errors_total counter
llm_request_errors_total{model="a",reason="timeout"} 1
llm_request_errors_total{model="a",reason="http_500"} 2
# TYPE llm_model_completion_latency_seconds histogram
llm_model_completion_latency_seconds_bucket{model="a",le="+Inf"} 4
llm_model_completion_latency_seconds_sum{model="a"} 2
llm_model_completion_latency_seconds_count{model="a"} 4
"""


def route(model: str, **action: Any) -> dict[str, Any]:
    match = {"headers": [{"name": "x-selected-model", "string_match": {"exact": model}}]}
    return {"match": match, "route": action}


def dump(*routes: dict[str, Any]) -> dict[str, Any]:
    return {"configs": [{"route_config": {"virtual_hosts": [{"routes": list(routes)}]}}]}


def clusters(**hosts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "cluster_statuses": [
            {"name": name, "host_statuses": found} for name, found in hosts.items()
        ]
    }


def host(address: str, total: int = 0, **health: Any) -> dict[str, Any]:
    name, _, port = address.partition(":")
    return {
        "address": {"socket_address": {"address": name, "port_value": int(port)}},
        "stats": [{"name": "rq_total", "value": str(total)}, {"name": "rq_error"}],
        "health_status": {"eds_health_status": "HEALTHY", **health},
    }


def envoy(pod: str, *found: dict[str, Any]) -> Answers:
    return Answers(pod, clusters(c=list(found)), dump(route("a", cluster="c")), {"hash": "1"})


def picture(*answers: Answers, has_envoy: bool = True) -> dict[str, live.Model]:
    found = live.live(ROUTER, CONFIG, "1", answers, has_envoy)
    return {model.name: model for model in found.models}


def test_models_know_the_decisions_that_lead_to_them_adapters_by_their_own_name() -> None:
    assert live.decisions_by_model(CONFIG) == {
        "a": ["code", "default"], "b": ["code"], "a-maths": ["maths"],
    }  # fmt: skip


def test_a_routes_clusters_are_found_weighted_ones_too() -> None:
    weighted = {"clusters": [{"name": "one"}, {"name": "two"}]}
    said = dump(
        route("a", cluster="c"),
        route("b", weighted_clusters=weighted),
        {"match": {"prefix": "/"}, "route": {"cluster": "not-a-models"}},
        {"match": {"headers": [{"name": "x-selected-model", "present_match": True}]}},
    )
    assert live.clusters_by_model(said) == {"a": ["c"], "b": ["one", "two"]}


@pytest.mark.parametrize(
    ("health", "why"),
    [
        ({}, ""),
        ({"failed_outlier_check": True}, "ejected: it failed too often"),
        ({"failed_active_health_check": True}, "its health check fails"),
        ({"eds_health_status": "UNHEALTHY"}, "unhealthy"),
    ],
)
def test_envoys_flags_of_a_host_are_said_in_words(health: dict[str, Any], why: str) -> None:
    (found,) = live.hosts_by_cluster(clusters(c=[host("10.0.0.1:80", 3, **health)]))["c"]
    assert found == Host("10.0.0.1:80", why, 3)


def test_counts_of_all_envoys_add_up_and_one_that_ejects_a_host_is_heard() -> None:
    one = envoy("p1", host("10.0.0.1:80", 3))
    two = envoy("p2", host("10.0.0.1:80", 4, failed_outlier_check=True))
    (found,) = picture(one, two)["a"].hosts
    assert (found.requests, found.why) == (7, "ejected: it failed too often")


def test_a_model_without_a_route_is_told_from_one_without_an_address() -> None:
    found = picture(envoy("p"))
    assert (found["a"].routed, found["a"].hosts) == (True, ())
    assert not found["b"].routed


def test_nothing_is_claimed_of_routes_where_no_envoy_answers() -> None:
    silent = Answers("p", why="no right")
    assert all(model.routed for model in picture(silent).values())
    assert not live.live(ROUTER, CONFIG, "1", [silent], True).well


def test_a_router_is_well_when_every_model_has_a_host_that_takes_requests() -> None:
    good = envoy("p", host("10.0.0.1:80"))
    only_a = {"providers": {"models": [{"name": "a"}]}}
    assert live.live(ROUTER, only_a, "1", [good], True).well
    assert not live.live(ROUTER, CONFIG, "1", [good], True).well
    ejected = envoy("p", host("10.0.0.1:80", failed_outlier_check=True))
    assert not live.live(ROUTER, only_a, "1", [ejected], True).well


def test_traffic_of_all_pods_adds_up_by_model() -> None:
    found = live.traffic_by_model(live.samples_of([METRICS, METRICS]))["a"]
    assert (found.requests, found.errors, found.latency) == (10, 6, 0.5)
    assert "unknown" not in picture(Answers("p", metrics=METRICS), has_envoy=False)


def test_a_rate_does_not_fall_below_nothing_when_a_router_begins_anew() -> None:
    now, before = Traffic(requests=3, tokens_in=8, in_flight=1), Traffic(requests=10, tokens_in=5)
    assert now.since(before) == Traffic(requests=3, tokens_in=3, in_flight=1)


def test_a_pod_says_what_it_goes_by_and_not_what_lies_in_its_file() -> None:
    said = {"hash": "new", "active_hash": "old"}
    (pod,) = live.live(ROUTER, CONFIG, "new", [Answers("p", config=said)], False).pods
    assert pod.config == "old"


EVALUATIONS = """\
# TYPE llm_decision_evaluation_total counter
llm_decision_evaluation_total 7
"""
MATCHES = """\
# TYPE llm_decision_match_total counter
llm_decision_match_total{decision_name="maths"} 4
llm_decision_match_total{decision_name="long-gone"} 4
"""


@pytest.mark.parametrize(
    ("metrics", "matches"),
    [
        ([EVALUATIONS + MATCHES, MATCHES], {"maths": 8, "code": 0}),
        ([EVALUATIONS], {"maths": 0, "code": 0}),
        ([METRICS], None),
        ([], None),
    ],
)
def test_matches_of_decisions_are_counted_where_the_router_counts_them(
    metrics: list[str], matches: dict[str, float] | None
) -> None:
    answers = [Answers(f"p{number}", metrics=text) for number, text in enumerate(metrics)]
    assert live.live(ROUTER, CONFIG, "1", answers, has_envoy=True).matches == matches
