from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.monitoring import (
    grafana_dashboard,
    prometheus_rule,
    service_monitor,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    headless_service,
    service,
)
from examples import router

SERVED = Facts(capabilities={"monitoring.coreos.com": ["v1"]})
BUILDERS = {
    "serviceMonitor": service_monitor,
    "prometheusRule": prometheus_rule,
    "grafanaDashboard": grafana_dashboard,
}
PARTS = pytest.mark.parametrize("part", BUILDERS)

# The router's pkg/observability/metrics in 0.3 and in 0.4, and what Prometheus adds by itself.
EXPORTED = {
    "llm_cache_operations_total",
    "llm_cache_plugin_hits_total",
    "llm_cache_plugin_misses_total",
    "llm_model_completion_latency_seconds",
    "llm_model_inflight_requests",
    "llm_model_requests_total",
    "llm_model_routing_latency_seconds",
    "llm_model_tokens_total",
    "llm_model_ttft_seconds",
    "llm_reasoning_decisions_total",
    "llm_request_errors_total",
    "llm_signal_extraction_latency_seconds",
    "up",
}
OF_KUBE_STATE_METRICS = {
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_pod_container_status_restarts_total",
}
DOCUMENTED = {
    "semantic_router_request_duration_seconds",
    "semantic_router_cache_hit_total",
    "semantic_router_classification_duration_seconds",
    "semantic_router_tokens_total",
    "semantic_router_reasoning_requests_total",
}


def built(part: str, facts: Facts = SERVED, **wanted: Any) -> dict[str, Any]:
    (found,) = BUILDERS[part](router(monitoring={part: {"enabled": True, **wanted}}), facts)
    return found


def rules() -> list[dict[str, Any]]:
    groups = built("prometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    (text,) = built("grafanaDashboard")["data"].values()
    found: dict[str, Any] = json.loads(text)
    return found


def expressions() -> list[str]:
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    # Grafana's own, which no parser of PromQL knows.
    return [
        *(rule["expr"] for rule in rules()),
        *(q.replace("$__rate_interval", "5m") for q in asked),
    ]


def selected(expression: str) -> Iterator[str]:
    return (found[1] for found in re.finditer(r"(\w+)\{", expression))


def base(metric: str) -> str:
    return re.sub(r"_(bucket|sum|count)$", "", metric)


@PARTS
def test_nothing_is_built_unless_asked_for(part: str):
    assert BUILDERS[part](router(), SERVED) == []


@pytest.mark.parametrize("part", ["serviceMonitor", "prometheusRule"])
@pytest.mark.parametrize("served", [{}, {"monitoring.coreos.com": ["v1alpha1"]}])
def test_what_only_the_prometheus_operator_reads_needs_it(part: str, served: dict[str, list[str]]):
    asked = router(monitoring={part: {"enabled": True}})

    assert BUILDERS[part](asked, Facts(capabilities=served)) == []


def test_a_dashboard_needs_no_prometheus_operator():
    assert built("grafanaDashboard", Facts())["kind"] == "ConfigMap"


def test_a_service_monitor_finds_each_pod_once():
    wanted = built("serviceMonitor")["spec"]
    (endpoint,) = wanted["endpoints"]
    services = [*service(router(), SERVED), *headless_service(router(), SERVED)]
    found = [
        port["port"]
        for item in services
        if wanted["selector"]["matchLabels"].items() <= item["metadata"]["labels"].items()
        for port in item["spec"]["ports"]
        if port["name"] == endpoint["port"]
    ]

    assert found == [9190]
    assert endpoint["path"] == "/metrics"


def test_a_service_monitor_takes_its_times_from_the_router():
    def endpoint(**wanted: str) -> dict[str, Any]:
        (found,) = built("serviceMonitor", **wanted)["spec"]["endpoints"]
        return dict(found)

    assert endpoint()["interval"] == "30s"
    assert "scrapeTimeout" not in endpoint()
    wanted = {"interval": "1m", "scrapeTimeout": "20s"}
    assert endpoint(**wanted).items() >= wanted.items()


def test_no_service_monitor_without_a_metrics_port():
    asked = router(
        monitoring={"serviceMonitor": {"enabled": True}}, service={"metrics": {"enabled": False}}
    )

    assert service_monitor(asked, SERVED) == []


@PARTS
def test_labels_of_the_user_stand_beside_ours_and_never_over_them(part: str):
    wanted = {"release": "prometheus", "app.kubernetes.io/instance": "other"}
    found = built(part, labels=wanted)["metadata"]["labels"]

    assert found["release"] == "prometheus"
    assert found["app.kubernetes.io/instance"] == "my-router"


def test_a_dashboard_is_found_by_the_sidecar_and_may_be_filed():
    found = built("grafanaDashboard", annotations={"grafana_folder": "Routers"})["metadata"]

    assert found["labels"]["grafana_dashboard"] == "1"
    assert found["annotations"] == {"grafana_folder": "Routers"}


def test_dashboards_of_two_routers_never_share_a_file_or_a_uid():
    def of(name: str, namespace: str) -> tuple[str, str]:
        asked = router(monitoring={"grafanaDashboard": {"enabled": True}})
        asked.resource["metadata"].update(name=name, namespace=namespace)
        (found,) = grafana_dashboard(asked, SERVED)
        ((file, text),) = found["data"].items()
        return file, json.loads(text)["uid"]

    first, second = of("my-router", "default"), of("my-router", "team")
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert len(first[1]) <= 40


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_is_promql(expression: str):
    promql_parser.parse(expression)


def test_a_mistake_in_an_expression_is_noticed():
    with pytest.raises(ValueError, match=r"."):
        promql_parser.parse("sum(rate(up[5m]) > 1")


def test_only_metrics_that_somebody_exports_are_asked_for():
    asked = {base(metric) for expression in expressions() for metric in selected(expression)}

    assert asked == EXPORTED | OF_KUBE_STATE_METRICS


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_is_narrowed_to_this_router(expression: str):
    for matchers in re.findall(r"\{(.*?)\}", expression):
        assert 'namespace="default"' in matchers
        assert re.search(r'(service|deployment)="my-router"|pod=~"my-router-', matchers)


def test_pods_of_a_router_whose_name_begins_alike_are_not_meant():
    (restarts,) = [
        rule["expr"] for rule in rules() if rule.get("alert") == "SemanticRouterRestarts"
    ]
    (pods,) = re.findall(r'pod=~"(.*?)"', restarts)

    assert re.fullmatch(pods, "my-router-5d4f8b9c7d-x2x9k")
    assert not re.fullmatch(pods, "my-router-2-5d4f8b9c7d-x2x9k")


def test_the_documented_names_are_recorded_and_the_dashboard_needs_none_of_them():
    assert {base(rule["record"]) for rule in rules() if "record" in rule} == DOCUMENTED
    assert not [query for query in expressions() if "semantic_router_" in query]


def test_every_alert_says_how_bad_it_is_whom_it_is_about_and_what_to_do():
    alerts = [rule for rule in rules() if "alert" in rule]

    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["labels"]["semanticrouter"] == "my-router"
        assert "SemanticRouter default/my-router" in rule["annotations"]["summary"]
        assert rule["annotations"]["description"]


def test_no_threshold_lies_beyond_the_last_bucket_of_its_histogram():
    """Above 10 s, the last bucket of the router's histograms, a quantile is never found."""
    for expression in (rule["expr"] for rule in rules()):
        if "histogram_quantile" in expression:
            assert float(expression.rsplit("> ", 1)[1]) < 10


def panels(kind: str) -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] == kind]


def limits(panel: dict[str, Any]) -> list[float]:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return [step["value"] for step in steps if step["value"] is not None]


def test_the_first_row_of_the_dashboard_says_how_the_router_is_now():
    stats = panels("stat")

    assert [panel["title"] for panel in stats] == [
        "Pods",
        "Requests",
        "Failed",
        "First token",
        "Routing",
        "Cache hits",
    ]
    assert {panel["gridPos"]["y"] for panel in stats} == {0}
    assert min(panel["gridPos"]["y"] for panel in panels("timeseries")) == 4


def test_a_number_of_the_dashboard_is_red_where_an_alert_is_about_it():
    said = {rule["alert"]: rule["expr"] for rule in rules() if "alert" in rule}
    shown = {panel["title"]: limits(panel) for panel in panels("stat")}

    for title, alert in (
        ("Failed", "SemanticRouterErrors"),
        ("First token", "SemanticRouterSlowFirstToken"),
        ("Routing", "SemanticRouterSlowRouting"),
        ("Cache hits", "SemanticRouterCacheMisses"),
    ):
        assert shown[title] == [float(re.split("[<>] ", said[alert])[-1])], title
    assert shown["Pods"] == [1]
    assert shown["Requests"] == []


def test_few_hits_of_the_cache_are_red_and_many_failures_are():
    colours = {
        panel["title"]: [
            step["color"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for panel in panels("stat")
    }

    assert colours["Cache hits"] == colours["Pods"] == ["red", "green"]
    assert colours["Failed"] == colours["Routing"] == ["green", "red"]


def test_a_graph_with_an_alert_draws_its_line_in_red_and_in_sight():
    drawn = {
        panel["title"]: (panel["fieldConfig"]["defaults"], limits(panel))
        for panel in panels("timeseries")
        if limits(panel)
    }

    assert set(drawn) == {
        "Time to first token, 95th percentile",
        "Routing latency",
        "Cache hit rate",
    }
    for defaults, (limit,) in drawn.values():
        assert defaults["thresholds"]["steps"][-1]["color"] == "red"
        assert defaults["custom"]["thresholdsStyle"] == {"mode": "dashed"}
        assert defaults["custom"]["axisSoftMax"] == limit


def test_a_panel_without_series_says_what_there_is_none_of():
    silent = [
        panel["title"]
        for panel in dashboard()["panels"]
        if not panel["fieldConfig"]["defaults"].get("noValue")
    ]

    assert silent == []


def test_every_panel_says_what_it_shows_and_none_lies_on_another():
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["description"].endswith("."), panel["title"]
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
