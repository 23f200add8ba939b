"""Which fields may not change who answers."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import leaves
from torture import routing


def test_what_routes_nothing_is_all_but_decisions_signals_and_backends() -> None:
    places = [".".join(map(str, place)) for place, _ in leaves(routing.spec())]
    changing = [
        name
        for name, (place, _) in zip(places, leaves(routing.spec()), strict=True)
        if not routing.routes_nothing(place)
    ]
    assert set(places) - set(changing) >= {
        "cors.allowOrigins.0",
        "vllmEndpoints.0.trafficPolicy.timeout.connect",
        "config.default_reasoning_effort",
        "terminationGracePeriodSeconds",
    }
    for part in ("config.decisions.", "config.routing.", "vllmEndpoints.0.model", ".backend."):
        assert [name for name in changing if part in name]
