"""The alerts on a router and on the operator, and the queries of their dashboards, by Prometheus'
own engine on series of a day.

The series are in alerts/: what is healthy, and what is different in each case. A case says exactly
which alerts fire then; all others stay silent.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import promtool
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.alerts import RUNBOOK
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.dashboard import (
    dashboard,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.monitoring import (
    prometheus_rule,
)
from control_plane.plane import progress_to_stderr
from examples import router

CHECKOUT = Path(__file__).resolve().parents[2]
# Long after the most patient alert, and before the series end.
LATE = "150m"
WATCHED = ("router", "operator")


def rule_groups(watched: str) -> list[dict[str, Any]]:
    """As the PrometheusRule has them."""
    if watched == "router":
        asked = router(monitoring={"prometheusRule": {"enabled": True}})
        (built,) = prometheus_rule(asked, Facts(capabilities={"monitoring.coreos.com": ["v1"]}))
    else:
        built = yaml.safe_load((CHECKOUT / "config/prometheus/rules.yaml").read_text("utf-8"))
    groups: list[dict[str, Any]] = built["spec"]["groups"]
    return groups


def rules(watched: str, kind: str) -> dict[str, dict[str, Any]]:
    """The rules that have `alert`, or `record`, by that."""
    found = [rule for group in rule_groups(watched) for rule in group["rules"]]
    return {rule[kind]: rule for rule in found if kind in rule}


def series_of(watched: str) -> dict[str, Any]:
    text = (Path(__file__).parent / "alerts" / f"{watched}.yaml").read_text(encoding="utf-8")
    for word, labels in yaml.safe_load(text)["labels"].items():
        text = re.sub(rf"(?<=\{{){word}\b", labels, text)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def promtools_test(case: dict[str, Any], healthy: dict[str, str]) -> dict[str, Any]:
    fires = case.get("fires", [])
    changed = {**healthy, **case.get("series", {})}
    firing = [{"labels": f'{{alertname="{item["alert"]}"}}', "value": 1} for item in fires]
    return {
        "name": case["name"],
        "interval": "1m",
        "input_series": [
            {"series": name, "values": values} for name, values in changed.items() if values
        ],
        "alert_rule_test": [test for item in fires for test in _alert_tests(item)],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": LATE,
                "exp_samples": firing,
            }
        ],
    }


def _alert_tests(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Not yet a minute before its time, and then in these words."""
    said = {**item["annotations"], "runbook_url": f"{RUNBOOK}#{item['alert'].lower()}"}
    expected = [{"exp_labels": item["labels"], "exp_annotations": said}]
    early = f"{int(item['after'].removesuffix('m')) - 1}m"
    name = item["alert"]
    return [
        {"alertname": name, "eval_time": early, "exp_alerts": []},
        {"alertname": name, "eval_time": LATE, "exp_alerts": expected},
    ]


def _queries(known: dict[str, Any]) -> dict[str, Any]:
    test = promtools_test({"name": "the documented names"}, known["healthy"])
    test["promql_expr_test"] = [
        {"expr": query["expr"], "eval_time": "60m", "exp_samples": query["samples"]}
        for query in known["queries"]
    ]
    return test


def _panels(watched: str, known: dict[str, Any]) -> dict[str, Any]:
    """Every query of the dashboard finds a number. What comes of 0 / 0 is none."""
    test = promtools_test({"name": "the dashboard", "series": known["dashboard"]}, known["healthy"])
    test["promql_expr_test"] = [
        {
            "expr": f"count(({expression}) >= 0) > bool 0",
            "eval_time": "60m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for expression in dashboard_queries(watched)
    ]
    return test


def dashboard_queries(watched: str) -> list[str]:
    """With the window that Grafana puts in at the scrape interval of the series."""
    if watched == "router":
        built = dashboard(router())
    else:
        file = CHECKOUT / "config/prometheus/dashboard/operator.json"
        built = json.loads(file.read_text(encoding="utf-8"))
    targets = [target for panel in built["panels"] for target in panel["targets"]]
    return [target["expr"].replace("$__rate_interval", "4m") for target in targets]


def run(
    watched: str, known: dict[str, Any], directory: Path, pytestconfig: pytest.Config
) -> tuple[bool, str]:
    (directory / "rules.yaml").write_text(yaml.safe_dump({"groups": rule_groups(watched)}))
    cases = [promtools_test(case, known["healthy"]) for case in known["cases"]]
    tests = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "fuzzy_compare": True,
        "tests": [*cases, _queries(known), _panels(watched, known)],
    }
    (directory / "tests.yaml").write_text(yaml.safe_dump(tests, sort_keys=False))
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # Uncaptured: the first run builds promtool.
    with capture.global_and_fixture_disabled():
        promtool.ensure(progress_to_stderr)
    return promtool.check(directory / "tests.yaml", progress_to_stderr)


@pytest.mark.parametrize("watched", WATCHED)
def test_each_alert_fires_on_what_it_is_for_alone_and_each_panel_of_the_dashboard_is_filled(
    watched: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    passed, said = run(watched, series_of(watched), tmp_path, pytestconfig)
    assert passed, said


@pytest.mark.parametrize("watched", WATCHED)
def test_every_alert_has_a_case_and_waits_as_long_as_it_says(watched: str) -> None:
    found = rules(watched, "alert")
    fired = {
        item["alert"]: item
        for case in series_of(watched)["cases"]
        for item in case.get("fires", [])
    }
    assert set(fired) == set(found)
    for name, item in fired.items():
        assert item["after"] == found[name]["for"].replace("1h", "60m"), name


def test_every_documented_name_is_asked_for() -> None:
    queries = " ".join(query["expr"] for query in series_of("router")["queries"])
    assert [name for name in rules("router", "record") if name not in queries] == []


@pytest.mark.parametrize("watched", WATCHED)
def test_an_alert_that_does_not_fire_or_fires_too_often_is_noticed(
    watched: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    known = deepcopy(series_of(watched))
    healthy, *_, last = known["cases"]
    known["cases"] = [{**healthy, "fires": last["fires"]}, {**last, "fires": []}]
    passed, said = run(watched, known, tmp_path, pytestconfig)
    assert not passed
    (fired,) = last["fires"]
    assert healthy["name"] in said, "it should have fired and did not"
    assert f'got: {{alertname="{fired["alert"]}"}}' in said, "it fired and should not have"
