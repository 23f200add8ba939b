"""A router of many models, with many endpoints each."""

from __future__ import annotations

from typing import Any


def endpoints(models: int, of_each: int) -> list[dict[str, Any]]:
    """spec.vllmEndpoints, each with a Service of its own: svc-<model>-<number>."""
    return [
        {
            "name": f"endpoint-{model}-{number}",
            "model": f"model-{model}",
            "backend": {
                "type": "service",
                "service": {"name": f"svc-{model}-{number}", "port": 8000},
            },
        }
        for model in range(models)
        for number in range(of_each)
    ]
