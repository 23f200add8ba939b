"""Sections that say nothing, and as many models as there can be HTTPRoutes for."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input import problems, with_spec


def endpoint(number: int, adapters: int) -> dict[str, Any]:
    return {
        "name": f"endpoint-{number}",
        "model": f"model-{number}",
        "loras": [{"name": f"adapter-{number}-{index}"} for index in range(adapters)],
        "backend": {"type": "service", "service": {"name": "vllm", "port": 8000}},
    }


def test_an_empty_gateway_section_means_standalone() -> None:
    assert problems(with_spec(gateway={})) == []


@pytest.mark.parametrize(
    ("models", "adapters", "needed"),
    [(255, 0, 256), (256, 0, 257), (255, 7, 256), (127, 8, 255), (128, 8, 257)],
)
def test_sixteen_http_routes_have_room_for_sixteen_rules_each(
    models: int, adapters: int, needed: int
) -> None:
    """One for the default model, and one for each eight names of a model."""
    gateway = {"existingRef": {"name": "public", "namespace": "edge"}, "extProc": True}
    endpoints = [endpoint(number, adapters) for number in range(models)]
    found = problems(with_spec(gateway=gateway, vllmEndpoints=endpoints))
    refused = [problem for problem in found if problem.field == "spec.gateway.extProc"]
    assert bool(refused) is (needed > 16 * 16)
    assert all("needs 17 HTTPRoutes of 16 rules" in item.found for item in refused)
