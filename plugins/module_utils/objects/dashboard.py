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

_SHARED_CROSSHAIR = 1
# Each router has a dashboard of its own; the operator's carries the tag too.
_TAG = "semantic-router"
_OTHERS = {
    "type": "dashboards",
    "title": "Other routers",
    "tags": [_TAG],
    "asDropdown": True,
    "keepTime": True,
}

Queries = dict[str, str]
Panel = dict[str, Any]

# Grafana's own choice would be 0.200 %, and half a pod.
_DECIMALS_OF_NUMBERS = {"percentunit": 1, "none": 0}
_DECIMALS_OF_AXES = {"none": 0}


@dataclass(frozen=True)
class Graph:
    """A panel. ``queries``: by legend, in which {{...}} is for Grafana to fill in. What is beyond
    ``above``, or under ``below``, is red: an alert is about it. ``none`` stands where no series
    is, and ``stacked`` is what adds up."""

    title: str
    unit: str
    description: str
    queries: Queries
    none: str
    above: float | None = None
    below: float | None = None
    stacked: bool = False

    @property
    def limit(self) -> float | None:
        return self.above if self.below is None else self.below

    def colours(self) -> list[dict[str, Any]]:
        """Of a number: blue, if none is better than another."""
        if self.limit is None:
            return [_step("blue")]
        usual, beyond = ("green", "red") if self.below is None else ("red", "green")
        return [_step(usual), _step(beyond, self.limit)]

    def lines(self) -> list[dict[str, Any]]:
        """Of a graph, which draws each step as a line of that step's colour."""
        return [_step("green")] + ([] if self.limit is None else [_step("red", self.limit)])


def _step(colour: str, value: float | None = None) -> dict[str, Any]:
    return {"color": colour, "value": value}


def dashboard(router: Router) -> dict[str, Any]:
    """The dashboard; its uid is the router's for ever, so links to it last."""
    identity = f"{router.namespace}/{router.name}"
    return {
        "uid": f"sr-{hashlib.sha256(identity.encode()).hexdigest()[:32]}",
        "title": f"Semantic Router {identity}",
        "tags": [_TAG],
        "schemaVersion": _SCHEMA_VERSION,
        "editable": False,
        "timezone": "browser",
        "refresh": "30s",
        "graphTooltip": _SHARED_CROSSHAIR,
        "links": [_OTHERS],
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
        yield _panel(index + 1, graph, place) | _stat(graph)
    per_row = _COLUMNS // _WIDTH
    for index, graph in enumerate(graphs):
        row, column = divmod(index, per_row)
        place = {
            "x": column * _WIDTH,
            "y": _STAT_HEIGHT + row * _HEIGHT,
            "w": _WIDTH,
            "h": _HEIGHT,
        }
        yield _panel(len(stats) + index + 1, graph, place) | _timeseries(graph)


def _stat(graph: Graph) -> Panel:
    return {
        "type": "stat",
        "options": {
            "colorMode": "background",
            # A graph behind the number makes it illegible; what it was is below.
            "graphMode": "none",
            "reduceOptions": {"calcs": ["lastNotNull"]},
        },
        "fieldConfig": _fields(graph, "thresholds", graph.colours(), decimals=_DECIMALS_OF_NUMBERS),
    }


def _timeseries(graph: Graph) -> Panel:
    drawn: dict[str, Any] = {
        "lineWidth": 2,
        "fillOpacity": 30 if graph.stacked else 0,
        "showPoints": "never",
        "stacking": {"mode": "normal" if graph.stacked else "none"},
    }
    if graph.limit is not None:
        # The line is in sight however far the values are from it.
        drawn.update(thresholdsStyle={"mode": "dashed"}, axisSoftMax=graph.limit)
    return {
        "type": "timeseries",
        "options": {
            "tooltip": {"mode": "multi", "sort": "desc"},
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        },
        "fieldConfig": _fields(
            graph, "palette-classic", graph.lines(), decimals=_DECIMALS_OF_AXES, custom=drawn
        ),
    }


def _fields(
    graph: Graph, colour: str, steps: list[dict[str, Any]], decimals: dict[str, int], **more: Any
) -> dict[str, Any]:
    defaults = {
        "unit": graph.unit,
        "min": 0,
        "noValue": graph.none,
        "color": {"mode": colour},
        "thresholds": {"mode": "absolute", "steps": steps},
        **more,
    }
    if graph.unit in decimals:
        defaults["decimals"] = decimals[graph.unit]
    return {"defaults": defaults, "overrides": []}


def _now(router: Router) -> Iterator[Graph]:
    faults = _rate(series(router, "llm_request_errors_total", f'reason=~"{FAULTS}"'))
    requests = _rate(series(router, "llm_model_requests_total"))
    yield Graph(
        "Pods",
        "none",
        "Pods that answer Prometheus. None is red.",
        {"up": f"sum({series(router, 'up')})"},
        none="not scraped",
        below=1,
    )
    yield Graph(
        "Requests",
        "reqps",
        "Requests for which a model was chosen.",
        {"rate": requests},
        none="none yet",
    )
    yield Graph(
        "Failed",
        "percentunit",
        "Share of the requests that failed in the router or at a model server. Mistakes of clients "
        "and what a guard stopped do not count.",
        {"share": f"({faults} or 0 * {requests}) / ({requests} > 0)"},
        none="no requests",
        above=ERROR_RATIO,
    )
    yield Graph(
        "First token",
        "s",
        "19 of 20 answers of the slowest model begin within this time.",
        {"p95": f"max({_quantile(router, 'llm_model_ttft_seconds', 0.95, 'model')})"},
        none="no answers",
        above=FIRST_TOKEN_SECONDS,
    )
    yield Graph(
        "Routing",
        "s",
        "19 of 20 decisions are made within this time.",
        {"p95": _quantile(router, "llm_model_routing_latency_seconds", 0.95)},
        none="no requests",
        above=ROUTING_SECONDS,
    )
    yield Graph(
        "Cache hits",
        "percentunit",
        "Share of the look-ups that found an answer.",
        {"share": _hit_ratio(router)},
        none="no look-ups",
        below=HIT_RATIO,
    )


def _over_time(router: Router) -> Iterator[Graph]:
    errors = series(router, "llm_request_errors_total")
    yield Graph(
        "Requests by model",
        "reqps",
        "Counted when the router has chosen the model.",
        {"{{model}}": _rate(series(router, "llm_model_requests_total"), "model")},
        none="no requests",
        stacked=True,
    )
    yield Graph(
        "Errors by reason",
        "reqps",
        "All errors, those of clients too: parse_error, model_not_found, upstream_4xx.",
        {"{{reason}}": _rate(errors, "reason")},
        none="no errors",
        stacked=True,
    )
    yield Graph(
        "Requests in flight by pod",
        "none",
        "Requests that a pod is at work on.",
        {"{{pod}}": f"sum by (pod) ({series(router, 'llm_model_inflight_requests')})"},
        none="no requests",
        stacked=True,
    )
    yield Graph(
        "Request latency",
        "s",
        "From the request to the end of the answer. The histogram ends at 10 s: of a slower answer "
        "it only says more than 10.",
        _percentiles(router, "llm_model_completion_latency_seconds"),
        none="no answers",
    )
    yield Graph(
        "Time to first token, 95th percentile",
        "s",
        "19 of 20 answers begin within this time. The line is that of alert "
        "SemanticRouterSlowFirstToken.",
        {"{{model}}": _quantile(router, "llm_model_ttft_seconds", 0.95, "model")},
        none="no answers",
        above=FIRST_TOKEN_SECONDS,
    )
    yield Graph(
        "Routing latency",
        "s",
        "How long the router takes to choose a model. The line is that of alert "
        "SemanticRouterSlowRouting.",
        _percentiles(router, "llm_model_routing_latency_seconds"),
        none="no requests",
        above=ROUTING_SECONDS,
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
        none="no signals",
    )
    yield Graph(
        "Cache hit rate",
        "percentunit",
        "Share of the look-ups that found an answer. Below the line, alert "
        "SemanticRouterCacheMisses fires after an hour.",
        {"hits": _hit_ratio(router)},
        none="no look-ups",
        below=HIT_RATIO,
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
        none="no operations",
    )
    yield Graph(
        "Tokens by model",
        "count:tokens/s",
        "Tokens a second, of prompts and answers.",
        {"{{model}}": _rate(series(router, "llm_model_tokens_total"), "model")},
        none="no tokens",
        stacked=True,
    )
    yield Graph(
        "Requests with reasoning by model",
        "reqps",
        "Requests that were sent on in reasoning mode.",
        {"{{model}}": _rate(reasoning_requests(router), "model")},
        none="no requests with reasoning",
        stacked=True,
    )
    yield Graph(
        "Pods that answer Prometheus",
        "none",
        "Pods whose metrics were read.",
        {"pods": f"sum({series(router, 'up')})"},
        none="not scraped",
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
    return {
        "id": number,
        "title": graph.title,
        "description": graph.description,
        "datasource": dict(_DATASOURCE),
        "gridPos": place,
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
