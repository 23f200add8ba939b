"""The filters of objects, and routers that ask for all of these objects."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.filter.monitoring import (
    FilterModule as Monitoring,
)
from ansible_collections.vllm.semantic_router.plugins.filter.networking import (
    FilterModule as Networking,
)
from ansible_collections.vllm.semantic_router.plugins.filter.storage import FilterModule as Storage
from ansible_collections.vllm.semantic_router.plugins.filter.workload import (
    FilterModule as Workload,
)
from examples import SAMPLES

DIRECTORY = Path(__file__).parents[1] / "plugins" / "filter"
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'id') }}"

MY_ROUTER = SAMPLES["vllm.ai_v1alpha1_semanticrouter_my-router"]
MONITORING = {
    part: {"enabled": True} for part in ("serviceMonitor", "prometheusRule", "grafanaDashboard")
}
# What my-router does not ask for.
ASKED = {
    "horizontal_pod_autoscaler": {
        "autoscaling": {
            "enabled": True,
            "minReplicas": 2,
            "targetCPUUtilizationPercentage": 70,
            "targetMemoryUtilizationPercentage": 80,
        }
    },
    "ingress": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "hosts": [{"host": "router.example.com"}],
            "tls": [{"secretName": "router-tls", "hosts": ["router.example.com"]}],
        }
    },
    "network_policy": {"networkPolicy": {"enabled": True}},
    "service_monitor": {"monitoring": MONITORING},
    "prometheus_rule": {"monitoring": MONITORING},
    "grafana_dashboard": {"monitoring": MONITORING},
}
FACTS = {"platform": "kubernetes", "capabilities": {"monitoring.coreos.com": ["v1"]}}
FILTERS = {
    name: build
    for module in (Storage, Workload, Networking, Monitoring)
    for name, build in module().filters().items()
}


def documentation(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((DIRECTORY / f"{name}.yml").read_text(encoding="utf-8")))


def hostile_router() -> dict[str, Any]:
    """my-router with a template wherever these filters read free text."""
    router = deepcopy(MY_ROUTER)
    router["spec"].update(
        args=[TEMPLATE],
        env=[{"name": "NOTE", "value": TEMPLATE}],
        podAnnotations={"note": TEMPLATE},
        serviceAccount={"annotations": {"note": TEMPLATE}},
    )
    router["spec"]["persistence"]["annotations"] = {"note": TEMPLATE}
    for asked in ASKED.values():
        router["spec"].update(deepcopy(asked))
    router["spec"]["ingress"]["annotations"] = {"note": TEMPLATE}
    router["spec"]["monitoring"]["grafanaDashboard"]["annotations"] = {"note": TEMPLATE}
    return router
