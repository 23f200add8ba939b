# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Grafana dashboard of one router: how it is now, and its key metrics and errors over time.

Grafana's own JSON model. It asks Prometheus for what the router exports, so that it works without
the PrometheusRule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.alerts import (
    ERROR_RATIO,
    FAULTS,
    FIRST_TOKEN_SECONDS,
    HIT_RATIO,
    ROUTING_SECONDS,
    reasoning_requests,
    series,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Grafana replaces it by at least four scrapes.
_WINDOW = "[$__rate_interval]"
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION = 39
# Grafana's grid has 24 columns.
_COLUMNS = 24
_STAT_WIDTH, _STAT_HEIGHT = 4, 4
_WIDTH, _HEIGHT = 8, 8

Queries = dict[str, str]
Panel = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A panel. ``queries``: by legend, in which {{...}} is for Grafana to fill in. What is beyond
    ``above``, or under ``below``, is red: an alert is about it."""

    title: str
    unit: str
    description: str
    queries: Queries
    above: float | None = None
    below: float | None = None

    def thresholds(self) -> dict[str, Any]:
        limit = self.above if self.below is None else self.below
        usual, beyond = ("green", "red") if self.below is None else ("red", "green")
        steps: list[dict[str, Any]] = [{"color": usual, "value": None}]
        if limit is not None:
            steps.append({"color": beyond, "value": limit})
        return {"mode": "absolute", "steps": steps}


def dashboard(router: Router) -> dict[str, Any]:
    """The dashboard; its uid is the router's for ever, so links to it last."""
    identity = f"{router.namespace}/{router.name}"
    return {
        "uid": f"sr-{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        "title": f"Semantic Router {identity}",
        "tags": ["semantic-router"],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Data source",
                    "type": "datasource",
                    "query": "prometheus",
                }
            ]
        },
        "panels": list(_panels(router)),
    }


def _panels(router: Router) -> Iterator[Panel]:
    """A row of single numbers, and below it what they were."""
    stats, graphs = list(_now(router)), list(_over_time(router))
    for index, graph in enumerate(stats):
        place = {"x": index * _STAT_WIDTH, "y": 0, "w": _STAT_WIDTH, "h": _STAT_HEIGHT}
        panel = _panel(index + 1, graph, place)
        panel["fieldConfig"]["defaults"].update(color={"mode": "thresholds"}, custom={})
        yield {**panel, **_STAT}
    per_row = _COLUMNS // _WIDTH
    for index, graph in enumerate(graphs):
        row, column = divmod(index, per_row)
        place = {
            "x": column * _WIDTH,
            "y": _STAT_HEIGHT + row * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        }
        yield {**_panel(len(stats) + index + 1, graph, place), "type": "timeseries"}


_STAT = {
    "type": "stat",
    "options": {
        "colorMode": "background",
        "graphMode": "area",
        "reduceOptions": {"calcs": ["lastNotNull"]},
    },
}


def _now(router: Router) -> Iterator[Graph]:
    faults = _rate(series(router, "llm_request_errors_total", f'reason=~"{FAULTS}"'))
    requests = _rate(series(router, "llm_model_requests_total"))
    up = f"sum({series(router, 'up')})"
    yield Graph("Pods", "short", "Pods that answer Prometheus. None is red.", {"up": up}, below=1)
    yield Graph("Requests", "reqps", "Requests for which a model was chosen.", {"rate": requests})
    yield Graph(
        "Failed",
        "percentunit",
        "Share of the requests that failed in the router or at a model server. Mistakes of clients "
        "and what a guard stopped do not count.",
        {"share": f"({faults} or 0 * {requests}) / ({requests} > 0)"},
        above=ERROR_RATIO,
    )
    yield Graph(
        "First token",
        "s",
        "19 of 20 answers of the slowest model begin within this time.",
        {"p95": f"max({_quantile(router, 'llm_model_ttft_seconds', 0.95, 'model')})"},
        above=FIRST_TOKEN_SECONDS,
    )
    yield Graph(
        "Routing",
        "s",
        "19 of 20 decisions are made within this time.",
        {"p95": _quantile(router, "llm_model_routing_latency_seconds", 0.95)},
        above=ROUTING_SECONDS,
    )
    yield Graph(
        "Cache hits",
        "percentunit",
        "Share of the look-ups that found an answer. Empty without a cache.",
        {"share": _hit_ratio(router)},
        below=HIT_RATIO,
    )


def _over_time(router: Router) -> Iterator[Graph]:
    errors = series(router, "llm_request_errors_total")
    yield Graph(
        "Requests by model",
        "reqps",
        "Counted when the router has chosen the model.",
        {"{{model}}": _rate(series(router, "llm_model_requests_total"), "model")},
    )
    yield Graph(
        "Errors by reason",
        "reqps",
        "All errors, those of clients too: parse_error, model_not_found, upstream_4xx.",
        {"{{reason}}": _rate(errors, "reason")},
    )
    yield Graph(
        "Pods that answer Prometheus",
        "short",
        "Pods whose metrics were read.",
        {"up": f"sum({series(router, 'up')})"},
        below=1,
    )
    yield Graph(
        "Request latency",
        "s",
        "From the request to the end of the answer. The histogram ends at 10 s: of a slower answer "
        "it only says more than 10.",
        _percentiles(router, "llm_model_completion_latency_seconds"),
    )
    yield Graph(
        "Time to first token, 95th percentile",
        "s",
        "19 of 20 answers begin within this time. The line is that of alert "
        "SemanticRouterSlowFirstToken.",
        {"{{model}}": _quantile(router, "llm_model_ttft_seconds", 0.95, "model")},
        above=FIRST_TOKEN_SECONDS,
    )
    yield Graph(
        "Routing latency",
        "s",
        "How long the router takes to choose a model. The line is that of alert "
        "SemanticRouterSlowRouting.",
        _percentiles(router, "llm_model_routing_latency_seconds"),
        above=ROUTING_SECONDS,
    )
    yield Graph(
        "Cache hit rate",
        "percentunit",
        "Share of the look-ups that found an answer. Below the line, alert "
        "SemanticRouterCacheMisses fires after an hour.",
        {"hits": _hit_ratio(router)},
        below=HIT_RATIO,
    )
    yield Graph(
        "Classification latency, 95th percentile",
        "s",
        "How long the router takes to read a signal from a request.",
        {
            "{{signal_type}}": _quantile(
                router, "llm_signal_extraction_latency_seconds", 0.95, "signal_type"
            )
        },
    )
    yield Graph(
        "Cache operations",
        "ops",
        "What the router does with its cache, and with which result.",
        {
            "{{operation}} {{status}}": _rate(
                series(router, "llm_cache_operations_total"), "operation", "status"
            )
        },
    )
    yield Graph(
        "Tokens by model",
        "short",
        "Tokens a second, of prompts and answers.",
        {"{{model}}": _rate(series(router, "llm_model_tokens_total"), "model")},
    )
    yield Graph(
        "Requests with reasoning by model",
        "reqps",
        "Requests that were sent on in reasoning mode.",
        {"{{model}}": _rate(reasoning_requests(router), "model")},
    )
    yield Graph(
        "Requests in flight by pod",
        "short",
        "Requests that a pod is at work on.",
        {"{{pod}}": f"sum by (pod) ({series(router, 'llm_model_inflight_requests')})"},
    )


def _hit_ratio(router: Router) -> str:
    misses = _rate(series(router, "llm_cache_plugin_misses_total"))
    # A counter that was never raised is not exported.
    hits = f"({_rate(series(router, 'llm_cache_plugin_hits_total'))} or 0 * {misses})"
    return f"{hits} / ({hits} + {misses})"


def _percentiles(router: Router, histogram: str) -> Queries:
    return {f"p{round(100 * q)}": _quantile(router, histogram, q) for q in (0.5, 0.95, 0.99)}


def _quantile(router: Router, histogram: str, quantile: float, *by: str) -> str:
    buckets = f"rate({series(router, f'{histogram}_bucket')}{_WINDOW})"
    return f"histogram_quantile({quantile}, sum by ({', '.join([*by, 'le'])}) ({buckets}))"


def _rate(selected: str, *by: str) -> str:
    grouped = f" by ({', '.join(by)}) " if by else ""
    return f"sum{grouped}(rate({selected}{_WINDOW}))"


def _panel(number: int, graph: Graph, place: dict[str, int]) -> Panel:
    limited = graph.above is not None or graph.below is not None
    custom = {"custom": {"thresholdsStyle": {"mode": "dashed"}}} if limited else {}
    return {
        "id": number,
        "title": graph.title,
        "description": graph.description,
        "datasource": dict(_DATASOURCE),
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": graph.unit,
                "min": 0,
                "color": {"mode": "palette-classic"},
                "thresholds": graph.thresholds(),
                **custom,
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + position),
                "datasource": dict(_DATASOURCE),
                "expr": expression,
                "legendFormat": legend,
            }
            for position, (legend, expression) in enumerate(graph.queries.items())
        ],
    }
