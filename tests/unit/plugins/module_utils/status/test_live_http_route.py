"""What live HTTPRoutes say, from what a Gateway's controller leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_http_route import (
    admission_of,
)

GATEWAY: dict[str, Any] = {"existingRef": {"name": "public", "namespace": "edge"}}
OURS = {"name": "public", "namespace": "edge"}


def condition(kind: str, status: str = "True", generation: int = 2, **more: str) -> dict[str, Any]:
    return {"type": kind, "status": status, "observedGeneration": generation, **more}


def parent(*conditions: dict[str, Any], reference: dict[str, str] | None = None) -> dict[str, Any]:
    return {"parentRef": reference or OURS, "conditions": list(conditions)}


def route(*parents: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "my-router", "namespace": "apps", "generation": 2}
    return {"metadata": metadata, "status": {"parents": list(parents)}}


FINE = parent(condition("Accepted"), condition("ResolvedRefs"))


def verdict(*parents: dict[str, Any], gateway: dict[str, Any] = GATEWAY) -> tuple[str, bool, bool]:
    found = admission_of(["my-router"], {"my-router": route(*parents)}, gateway)
    return found.reason, found.ready, found.failing


def test_an_accepted_route_is_ready() -> None:
    assert verdict(FINE) == ("HTTPRouteAccepted", True, False)


@pytest.mark.parametrize(
    "parents",
    [
        [],
        [parent(*FINE["conditions"], reference={"name": "public", "namespace": "other"})],
        [parent(*FINE["conditions"], reference={"name": "public"})],
        [parent(*FINE["conditions"], reference={**OURS, "sectionName": "https"})],
        [parent()],
        [parent(condition("Accepted"))],
        [parent(condition("Accepted", generation=1), condition("ResolvedRefs", generation=1))],
        [parent(condition("Accepted", "False", generation=1))],
    ],
    ids=["none", "other", "own namespace", "listener", "silent", "half", "old", "old refusal"],
)
def test_a_route_without_a_verdict_on_its_latest_state_waits(parents: list[dict[str, Any]]) -> None:
    assert verdict(*parents) == ("HTTPRoutePending", False, False)


def test_a_gateway_in_the_routes_own_namespace_may_go_unnamed() -> None:
    gateway = {"existingRef": {"name": "public", "namespace": "apps"}}
    answer = parent(*FINE["conditions"], reference={"name": "public"})
    assert verdict(answer, gateway=gateway) == ("HTTPRouteAccepted", True, False)


def test_only_the_verdict_on_the_named_listener_counts() -> None:
    gateway = {**GATEWAY, "sectionName": "https"}
    assert verdict(FINE, gateway=gateway)[0] == "HTTPRoutePending"
    answer = parent(*FINE["conditions"], reference={**OURS, "sectionName": "https"})
    assert verdict(answer, gateway=gateway)[0] == "HTTPRouteAccepted"


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("Accepted", "HTTPRouteNotAccepted"), ("ResolvedRefs", "HTTPRouteRefsNotResolved")],
)
def test_a_refused_route_repeats_what_the_controller_says(kind: str, reason: str) -> None:
    no = condition(kind, "False", reason="NotAllowedByListeners", message="No listener takes it.")
    others = [item for item in FINE["conditions"] if item["type"] != kind]
    found = admission_of(["my-router"], {"my-router": route(parent(no, *others))}, GATEWAY)
    assert (found.reason, found.ready, found.failing) == (reason, False, True)
    assert "Gateway edge/public does not serve HTTPRoute my-router" in found.message
    assert "(NotAllowedByListeners): No listener takes it." in found.message


def test_a_route_that_is_not_there_waits() -> None:
    found = admission_of(["my-router"], {}, GATEWAY)
    assert (found.reason, found.ready, found.failing) == ("HTTPRouteMissing", False, False)


def test_all_of_a_routers_routes_have_to_be_served() -> None:
    no = route(parent(condition("Accepted", "False"), condition("ResolvedRefs")))
    live = {"my-router": route(FINE), "my-router-models": no}
    names = ["my-router", "my-router-models"]
    assert admission_of(names, live, GATEWAY).reason == "HTTPRouteNotAccepted"
    assert admission_of(names[:1], live, GATEWAY).ready
    both = {"my-router": no, "my-router-models": route(FINE)}
    assert admission_of(names, both, GATEWAY).failing
    assert admission_of(["my-router-gone", "my-router"], both, GATEWAY).failing, "worst first"
