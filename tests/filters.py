"""The filter of objects, and a router that asks for all of them with a template in every text."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from examples import SAMPLES

DOCUMENTATION = Path(__file__).parents[1] / "plugins" / "filter" / "objects.yml"
TEMPLATE = "{{ lookup('ansible.builtin.pipe', 'id') }}"

MY_ROUTER = SAMPLES["vllm.ai_v1alpha1_semanticrouter_my-router"]
FACTS = {"platform": "kubernetes", "capabilities": {"monitoring.coreos.com": ["v1"]}}


def documentation() -> dict[str, Any]:
    return dict(yaml.safe_load(DOCUMENTATION.read_text(encoding="utf-8")))


def hostile_router() -> dict[str, Any]:
    """my-router with all that it could ask for, and a template wherever free text is read."""
    router = deepcopy(MY_ROUTER)
    router["spec"].update(
        args=[TEMPLATE],
        env=[{"name": "NOTE", "value": TEMPLATE}],
        podAnnotations={"note": TEMPLATE},
        serviceAccount={"annotations": {"note": TEMPLATE}},
        autoscaling={
            "enabled": True,
            "minReplicas": 2,
            "targetCPUUtilizationPercentage": 70,
            "targetMemoryUtilizationPercentage": 80,
        },
        ingress={
            "enabled": True,
            "className": "nginx",
            "annotations": {"note": TEMPLATE},
            "hosts": [{"host": "router.example.com"}],
            "tls": [{"secretName": "router-tls", "hosts": ["router.example.com"]}],
        },
        networkPolicy={"enabled": True},
        monitoring={
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "grafanaDashboard": {"enabled": True, "annotations": {"note": TEMPLATE}},
        },
    )
    router["spec"]["persistence"]["annotations"] = {"note": TEMPLATE}
    return router
