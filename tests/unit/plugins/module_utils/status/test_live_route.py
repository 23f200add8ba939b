"""What a live Route says, from the objects that OpenShift's routers leave behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_route import (
    admission_of,
)

HOST = "my-router-apps.apps.example.com"


def answer(
    admitted: str, reason: str = "", message: str = "", host: str = HOST, by: str = "default"
) -> dict[str, Any]:
    condition = {"type": "Admitted", "status": admitted, "reason": reason, "message": message}
    return {"host": host, "routerName": by, "conditions": [condition]}


def route(*answers: dict[str, Any], termination: str = "edge", host: str = HOST) -> dict[str, Any]:
    return {
        "metadata": {"name": "my-router"},
        "spec": {"host": host, "tls": {"termination": termination}},
        "status": {"ingress": list(answers)},
    }


TAKEN = answer("False", "HostAlreadyClaimed", "route apps/other already exposes it and is older")


def test_an_admitted_route_is_ready_under_its_host() -> None:
    found = admission_of("my-router", route(answer("True")))
    assert (found.ready, found.reason, found.host) == (True, "RouteAdmitted", HOST)
    assert f"https://{HOST}" in found.message


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [{"host": HOST, "routerName": "default"}],
        [{"host": HOST, "conditions": [{"type": "UnservableInFutureVersions", "status": "True"}]}],
        [answer("Unknown")],
        [answer("True", host="earlier.example.com")],
        [answer("False", "HostAlreadyClaimed", host="earlier.example.com")],
    ],
    ids=["none", "no word", "other word", "unknown", "admitted earlier", "refused earlier"],
)
def test_a_route_without_a_verdict_on_its_host_waits(answers: list[dict[str, Any]]) -> None:
    found = admission_of("my-router", route(*answers))
    assert (found.ready, found.failing, found.reason) == (False, False, "RouteNotAdmitted")
    assert found.host == ""


def test_a_route_that_is_not_there_waits() -> None:
    found = admission_of("my-router", None)
    assert (found.ready, found.failing, found.reason) == (False, False, "RouteMissing")


def test_a_refused_route_tells_who_refuses_it_and_why() -> None:
    found = admission_of("my-router", route(TAKEN))
    assert (found.ready, found.failing, found.reason) == (False, True, "RouteRefused")
    assert found.message == (
        "Route my-router is refused by OpenShift's router default (HostAlreadyClaimed): "
        "route apps/other already exposes it and is older."
    )


def test_one_router_that_admits_the_route_is_enough() -> None:
    found = admission_of("my-router", route(TAKEN, answer("True", by="internal")))
    assert found.ready
    assert "HostAlreadyClaimed" in found.message


@pytest.mark.parametrize("termination", ["passthrough", "reencrypt"])
def test_tls_that_the_pods_do_not_speak_is_not_ready_although_admitted(termination: str) -> None:
    found = admission_of("my-router", route(answer("True"), termination=termination))
    assert (found.ready, found.failing, found.host) == (False, True, HOST)
    assert termination in found.message


def test_a_route_without_a_host_of_its_own_takes_what_a_router_gave_it() -> None:
    found = admission_of("my-router", route(answer("True", host="given.example.com"), host=""))
    assert (found.ready, found.host) == (True, "given.example.com")
