# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Alerts on one router, in PromQL.

Only metrics that routers of both contracts export (pkg/observability/metrics of its source), and of
kube-state-metrics where pods have to be counted. Alerts whose metrics nobody delivers stay silent.

Prometheus adds ``namespace`` and ``service`` to what it scrapes through a Service, whoever wrote
the ServiceMonitor: these two tell one router from the next.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    ENVOY,
    ROUTER,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Rule = dict[str, Any]

# Not those of the client's making: upstream_4xx, parse_error, model_not_found (a name that no model
# has), cancellation, and what a guard stops.
FAULTS = "timeout|upstream_5xx|no_model_selected|serialization_error|classification_failed"
# The last bucket of these histograms is 10 s: a threshold above it would never be reached.
FIRST_TOKEN_SECONDS = 5
ROUTING_SECONDS = 0.5

ERROR_RATIO = 0.05
HIT_RATIO = 0.1
_RESTARTS_IN_AN_HOUR = 3

# What to do about each alert, under a heading of its name.
RUNBOOK = (
    "https://github.com/vllm-project/semantic-router-operator/blob/main/docs/troubleshooting.md"
)

# What the documentation calls it: what the router exports.
_HISTOGRAMS = {
    "semantic_router_request_duration_seconds": "llm_model_completion_latency_seconds",
    "semantic_router_classification_duration_seconds": "llm_signal_extraction_latency_seconds",
}
_COUNTERS = {
    "semantic_router_cache_hit_total": "llm_cache_plugin_hits_total",
    "semantic_router_tokens_total": "llm_model_tokens_total",
}


def documented_names(router: Router) -> list[Rule]:
    """Recording rules, so that queries by the documented names find something."""
    histograms = {
        f"{name}_{part}": f"{metric}_{part}"
        for name, metric in _HISTOGRAMS.items()
        for part in ("bucket", "sum", "count")
    }
    return [
        *(
            {"record": name, "expr": series(router, metric)}
            for name, metric in {**histograms, **_COUNTERS}.items()
        ),
        {"record": "semantic_router_reasoning_requests_total", "expr": reasoning_requests(router)},
    ]


def alerts(router: Router) -> list[Rule]:
    """Alerting rules; each says what is wrong, for whom, and what to look at first."""
    what = f"SemanticRouter {router.namespace}/{router.name}"
    up = series(router, "up")
    wanted = _of_deployment(router, "kube_deployment_spec_replicas")
    available = _of_deployment(router, "kube_deployment_status_replicas_available")
    faults = _rate(series(router, "llm_request_errors_total", f'reason=~"{FAULTS}"'))
    requests = _rate(series(router, "llm_model_requests_total"))
    misses = _rate(series(router, "llm_cache_plugin_misses_total"), "30m")
    # A counter that was never raised is not exported, and hits may well be none.
    hits = f"({_rate(series(router, 'llm_cache_plugin_hits_total'), '30m')} or 0 * {misses})"
    return [
        _alert(
            "SemanticRouterDown",
            f"max by (namespace, service) ({up}) == 0",
            "5m",
            "critical",
            f"No pod of {what} answers Prometheus",
            "Every target has failed its scrapes for 5 minutes.",
            router,
        ),
        _alert(
            "SemanticRouterMetricsAbsent",
            # A router that was scaled to nothing has no metrics either.
            f"absent({up}) unless on () ({wanted} == 0)",
            "15m",
            "warning",
            f"Prometheus does not scrape {what}",
            "There is no target, so the other alerts on it see nothing. Check that its "
            "ServiceMonitor has the labels that this Prometheus selects.",
            router,
        ),
        _alert(
            "SemanticRouterReplicasUnavailable",
            f"{available} < {wanted}",
            # A pod may download its models for up to 20 minutes.
            "30m",
            "warning",
            f"{what} has fewer pods available than it wants",
            "{{ $value }} pods have been available for 30 minutes.",
            router,
        ),
        _alert(
            "SemanticRouterRestarts",
            f"increase({_of_pods(router)}[1h]) > {_RESTARTS_IN_AN_HOUR}",
            "5m",
            "warning",
            f"A container of {what} restarts again and again",
            "Container {{ $labels.container }} of pod {{ $labels.pod }} restarted "
            '{{ $value | printf "%.0f" }} times within an hour.',
            router,
        ),
        _alert(
            "SemanticRouterErrors",
            # Requests are counted when their model is chosen: none may have got that far.
            f"{faults} / ({requests} > 0 or {faults}) > {ERROR_RATIO}",
            "10m",
            "warning",
            f"Requests to {what} fail",
            "{{ $value | humanizePercentage }} of the requests failed in the router or at a model "
            "server; llm_request_errors_total tells the reasons.",
            router,
        ),
        _alert(
            "SemanticRouterSlowRouting",
            _quantile(router, "llm_model_routing_latency_seconds_bucket", ROUTING_SECONDS),
            "10m",
            "warning",
            f"{what} takes long to choose a model",
            "One decision in twenty takes {{ $value | humanizeDuration }} or longer: the router "
            "may need more CPU.",
            router,
        ),
        _alert(
            "SemanticRouterSlowFirstToken",
            _quantile(router, "llm_model_ttft_seconds_bucket", FIRST_TOKEN_SECONDS, "model"),
            "10m",
            "warning",
            f"A model behind {what} answers late",
            "One answer in twenty of {{ $labels.model }} starts after "
            "{{ $value | humanizeDuration }} or later.",
            router,
        ),
        _alert(
            "SemanticRouterCacheMisses",
            # 0/0 without traffic is NaN, which no comparison lets through.
            f"{hits} / ({hits} + {misses}) < {HIT_RATIO}",
            "1h",
            "info",
            f"The cache of {what} hardly ever hits",
            "{{ $value | humanizePercentage }} of its look-ups hit: a cache of this use costs more "
            "than it saves.",
            router,
        ),
    ]


def reasoning_requests(router: Router) -> str:
    """Requests that were sent on in reasoning mode."""
    return series(router, "llm_reasoning_decisions_total", 'enabled="true"')


def series(router: Router, metric: str, *matchers: str) -> str:
    """A metric of this router's pods."""
    given = (f'namespace="{router.namespace}"', f'service="{router.name}"', *filter(None, matchers))
    return f"{metric}{{{','.join(given)}}}"


def _of_deployment(router: Router, metric: str) -> str:
    return f'{metric}{{namespace="{router.namespace}",deployment="{router.name}"}}'


def _of_pods(router: Router) -> str:
    # Two parts follow a Deployment's name, so that my-router does not mean my-router-2 as well.
    pods = f"{router.name}-[a-z0-9]+-[a-z0-9]+"
    return (
        f'kube_pod_container_status_restarts_total{{namespace="{router.namespace}",'
        f'pod=~"{pods}",container=~"{ROUTER}|{ENVOY}"}}'
    )


def _rate(selected: str, window: str = "5m") -> str:
    return f"sum by (namespace, service) (rate({selected}[{window}]))"


def _quantile(router: Router, metric: str, above: float, *also_by: str) -> str:
    by = ", ".join(("namespace", "service", *also_by, "le"))
    return f"histogram_quantile(0.95, sum by ({by}) (rate({series(router, metric)}[5m]))) > {above}"


def _alert(
    name: str, expr: str, patience: str, severity: str, summary: str, text: str, router: Router
) -> Rule:
    return {
        "alert": name,
        "expr": expr,
        "for": patience,
        # namespace: those who route alerts by it must find it on all of them.
        "labels": {
            "severity": severity,
            "namespace": router.namespace,
            "semanticrouter": router.name,
        },
        "annotations": {
            "summary": summary,
            "description": text,
            "runbook_url": f"{RUNBOOK}#{name.lower()}",
        },
    }
