# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lets Prometheus and Grafana watch a router: scraping, alerts, a dashboard."""

from __future__ import annotations

import json

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.alerts import (
    alerts,
    documented_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.dashboard import (
    dashboard,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import given
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    dashboard_config_map_name,
    metadata,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# By which Grafana's sidecar finds dashboards; kube-prometheus-stack has the same default.
DASHBOARD_LABEL = {"grafana_dashboard": "1"}


def service_monitor(router: Router, facts: Facts) -> list[Manifest]:
    """What makes Prometheus scrape each pod once.

    The headless Service carries the same labels, and no port of this name.
    """
    wanted = router.spec["monitoring"]["serviceMonitor"]
    if not (wanted["enabled"] and router.spec["service"]["metrics"]["enabled"]):
        return []
    if not facts.serves(apis.MONITORING):
        return []
    return [
        {
            "apiVersion": str(apis.MONITORING),
            "kind": "ServiceMonitor",
            "metadata": metadata(router.name, router.namespace, more_labels=wanted.get("labels")),
            "spec": {
                "selector": {"matchLabels": selector(router.name)},
                "endpoints": [
                    {
                        "port": "metrics",
                        "path": "/metrics",
                        "interval": wanted["interval"],
                        **given(wanted, "scrapeTimeout"),
                    }
                ],
            },
        }
    ]


def prometheus_rule(router: Router, facts: Facts) -> list[Manifest]:
    """The alerts, and the names that the documentation has for what the router measures."""
    wanted = router.spec["monitoring"]["prometheusRule"]
    if not (wanted["enabled"] and facts.serves(apis.MONITORING)):
        return []
    name = f"semantic-router/{router.namespace}/{router.name}"
    return [
        {
            "apiVersion": str(apis.MONITORING),
            "kind": "PrometheusRule",
            "metadata": metadata(router.name, router.namespace, more_labels=wanted.get("labels")),
            "spec": {
                "groups": [
                    {"name": f"{name}/names", "rules": documented_names(router)},
                    {"name": f"{name}/alerts", "rules": alerts(router)},
                ],
            },
        }
    ]


def grafana_dashboard(router: Router, _facts: Facts) -> list[Manifest]:
    """The dashboard, in the form that Grafana's sidecar reads."""
    wanted = router.spec["monitoring"]["grafanaDashboard"]
    if not wanted["enabled"]:
        return []
    # The sidecar writes the dashboards of all namespaces into one directory.
    file = f"semantic-router-{router.namespace}-{router.name}.json"
    built: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(
            router.name,
            router.namespace,
            name=dashboard_config_map_name(router.name),
            annotations=wanted.get("annotations"),
            more_labels={**DASHBOARD_LABEL, **(wanted.get("labels") or {})},
        ),
        "data": {file: json.dumps(dashboard(router), indent=1) + "\n"},
    }
    return [built]
