# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A Grafana dashboard of one router: what the documentation calls its key metrics, and its errors.

Grafana's own JSON model. It asks Prometheus for what the router exports, so that it works without
the PrometheusRule.
"""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.alerts import (
    reasoning_requests,
    series,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Grafana replaces it by at least four scrapes.
_WINDOW = "[$__rate_interval]"
_DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION = 39
# Grafana's grid has 24 columns: three panels a row.
_PER_ROW, _WIDTH, _HEIGHT = 3, 8, 8

Queries = dict[str, str]


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
        "panels": [_panel(index, *panel) for index, panel in enumerate(_panels(router))],
    }


def _panels(router: Router) -> list[tuple[str, str, Queries]]:
    """Title, unit, and queries by legend; {{...}} is for Grafana to fill in."""
    errors = series(router, "llm_request_errors_total")
    hits = f"sum(rate({series(router, 'llm_cache_plugin_hits_total')}{_WINDOW}))"
    misses = f"sum(rate({series(router, 'llm_cache_plugin_misses_total')}{_WINDOW}))"
    return [
        (
            "Requests by model",
            "reqps",
            {"{{model}}": _rate(series(router, "llm_model_requests_total"), "model")},
        ),
        ("Errors by reason", "reqps", {"{{reason}}": _rate(errors, "reason")}),
        ("Pods that answer Prometheus", "short", {"up": f"sum({series(router, 'up')})"}),
        ("Request latency", "s", _percentiles(router, "llm_model_completion_latency_seconds")),
        (
            "Time to first token, 95th percentile",
            "s",
            {"{{model}}": _quantile(router, "llm_model_ttft_seconds", 0.95, "model")},
        ),
        ("Routing latency", "s", _percentiles(router, "llm_model_routing_latency_seconds")),
        ("Cache hit rate", "percentunit", {"hits": f"{hits} / ({hits} + {misses})"}),
        (
            "Classification latency, 95th percentile",
            "s",
            {
                "{{signal_type}}": _quantile(
                    router, "llm_signal_extraction_latency_seconds", 0.95, "signal_type"
                )
            },
        ),
        (
            "Cache operations",
            "ops",
            {
                "{{operation}} {{status}}": _rate(
                    series(router, "llm_cache_operations_total"), "operation", "status"
                )
            },
        ),
        (
            "Tokens by model",
            "short",
            {"{{model}}": _rate(series(router, "llm_model_tokens_total"), "model")},
        ),
        (
            "Requests with reasoning by model",
            "reqps",
            {"{{model}}": _rate(reasoning_requests(router), "model")},
        ),
        (
            "Requests in flight by pod",
            "short",
            {"{{pod}}": f"sum by (pod) ({series(router, 'llm_model_inflight_requests')})"},
        ),
    ]


def _percentiles(router: Router, histogram: str) -> Queries:
    return {f"p{round(100 * q)}": _quantile(router, histogram, q) for q in (0.5, 0.95, 0.99)}


def _quantile(router: Router, histogram: str, quantile: float, *by: str) -> str:
    buckets = f"rate({series(router, f'{histogram}_bucket')}{_WINDOW})"
    return f"histogram_quantile({quantile}, sum by ({', '.join([*by, 'le'])}) ({buckets}))"


def _rate(selected: str, *by: str) -> str:
    return f"sum by ({', '.join(by)}) (rate({selected}{_WINDOW}))"


def _panel(index: int, title: str, unit: str, queries: Queries) -> dict[str, Any]:
    row, column = divmod(index, _PER_ROW)
    return {
        "id": index + 1,
        "title": title,
        "type": "timeseries",
        "datasource": dict(_DATASOURCE),
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": dict(_DATASOURCE),
                "expr": expression,
                "legendFormat": legend,
            }
            for number, (legend, expression) in enumerate(queries.items())
        ],
    }
