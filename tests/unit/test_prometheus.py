"""config/prometheus: what watches the operator asks for what the operator says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from wrapper_runner.metrics import Metrics
from wrapper_runner.schedule import Key
from wrapper_runner.watches import Kind, load

CHECKOUT = Path(__file__).parents[2]
PROMETHEUS = CHECKOUT / "config" / "prometheus"
STOCK = Path(__file__).parent / "data" / "stock-metrics.txt"
KIND = Kind("vllm.ai", "v1alpha1", "SemanticRouter")
LEASE = "semantic-router-operator"


def read(file: str) -> Any:
    return yaml.safe_load((PROMETHEUS / file).read_text(encoding="utf-8"))


def expressions() -> list[str]:
    rules = [rule for group in read("rules.yaml")["spec"]["groups"] for rule in group["rules"]]
    dashboard = json.loads((PROMETHEUS / "dashboard" / "operator.json").read_text())
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]
    # Grafana's own, which no parser of PromQL knows.
    queries = [target["expr"].replace("$__rate_interval", "5m") for target in targets]
    return [*(rule["expr"] for rule in rules), *queries]


@pytest.fixture(scope="module")
def embedded() -> str:
    """What the embedded engine says after it has done one of everything."""
    metrics = Metrics()
    metrics.watch_queue(KIND, 1, lambda: 0)
    metrics.leads(LEASE, True)
    with metrics.working(KIND):
        metrics.reconciled(KIND, 0.1)
        metrics.reconciled(KIND, 0.1, OSError("full"))
    for kind, status in (("Ready", "False"), ("Degraded", "True")):
        condition = {"type": kind, "status": status, "reason": "Any"}
        metrics.tell(KIND, Key("team", kind), [condition])
    return metrics.text().decode()


@pytest.mark.parametrize("expression", expressions())
def test_every_expression_is_promql(expression: str) -> None:
    promql_parser.parse(expression)


# Prometheus' own; and of the stock engine's, what kube-state-metrics.yaml is there for.
OTHERS = {"embedded": {"up"}, "stock": {"up", "ansible_operator_condition"}}


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("expression", expressions())
def test_every_series_that_is_asked_for_is_exported(
    expression: str, engine: str, embedded: str
) -> None:
    exported = embedded if engine == "embedded" else STOCK.read_text(encoding="utf-8")
    for metric, matchers in re.findall(r"(\w+)\{(.*?)\}", expression):
        if metric in OTHERS[engine]:
            continue
        lines = [line for line in exported.splitlines() if line.startswith(f"{metric}{{")]
        for label, operator, value in re.findall(r'(\w+)(!?=)"(.*?)"', matchers):
            has = f'{label}="{value}"'
            lines = [line for line in lines if (has in line) is (operator == "=")]
        assert lines, f"{metric}{{{matchers}}}"


def test_kube_state_metrics_gives_the_conditions_the_same_name_and_labels(embedded: str) -> None:
    (resource,) = read("kube-state-metrics.yaml")["spec"]["resources"]
    (metric,) = resource["metrics"]
    found = resource["groupVersionKind"]
    assert Kind(found["group"], found["version"], found["kind"]) == KIND
    name = f"{resource['metricNamePrefix']}_{metric['name']}"
    (line, *_) = [line for line in embedded.splitlines() if line.startswith(f"{name}{{")]
    own = set(re.findall(r'(\w+)="', line))
    info = metric["each"]["info"]["labelsFromPath"]
    assert own == {*resource["commonLabels"], *resource["labelsFromPath"], *info}
    assert resource["commonLabels"]["GVK"] == str(KIND)


def test_the_kind_is_the_one_that_is_watched() -> None:
    (watch,) = load(CHECKOUT / "watches.yaml")
    assert watch.kind == KIND


def test_the_operators_metrics_are_found() -> None:
    service = yaml.safe_load((CHECKOUT / "config/default/metrics_service.yaml").read_text())
    monitor = read("monitor.yaml")["spec"]
    names = {port["name"] for port in service["spec"]["ports"]}
    wanted = monitor["selector"]["matchLabels"]
    installed = yaml.safe_load((CHECKOUT / "config/default/kustomization.yaml").read_text())
    added = {key: value for entry in installed["labels"] for key, value in entry["pairs"].items()}
    assert {endpoint["port"] for endpoint in monitor["endpoints"]} <= names
    assert wanted.items() <= {**service["metadata"]["labels"], **added}.items()
    prefix = installed["namePrefix"]
    assert any(f'service="{prefix}{service["metadata"]["name"]}"' in e for e in expressions())
    assert read("kustomization.yaml")["namespace"] == installed["namespace"]


def test_the_leases_name_is_the_operators() -> None:
    manager = (CHECKOUT / "config/manager/manager.yaml").read_text(encoding="utf-8")
    assert f"--leader-election-id={LEASE}" in manager


def test_the_operators_dashboard_begins_with_numbers_that_are_red_where_alerts_fire() -> None:
    panels = json.loads((PROMETHEUS / "dashboard" / "operator.json").read_text())["panels"]
    stats = [panel for panel in panels if panel["type"] == "stat"]
    (group,) = read("rules.yaml")["spec"]["groups"]
    alerts = {rule["alert"]: rule["expr"] for rule in group["rules"]}
    limits = {
        panel["title"]: panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"]
        for panel in stats
    }
    assert {panel["gridPos"]["y"] for panel in stats} == {0}
    for title, alert in (("Failures in 15 minutes", "Failures"), ("Waiting", "Backlog")):
        assert limits[title] == float(alerts[f"SemanticRouterOperator{alert}"].rsplit("> ", 1)[1])
    assert all(panel["description"].endswith(".") for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
