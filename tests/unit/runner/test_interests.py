"""What runs have read, what is news to them, and how few watches it takes."""

from __future__ import annotations

from typing import Any

import pytest
from wrapper_runner.interests import (
    FEW,
    GROUPS,
    MANY,
    Demand,
    Interest,
    Reads,
    Scope,
    Thing,
    collection_of,
    parse,
    plan,
)

SERVICES = "/api/v1/services"


def services(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/services"


def thing(version: str = "1", generation: int = 0, **labels: str) -> Thing:
    return Thing("uid", version, generation, labels)


def test_named_reads_become_an_interest_each() -> None:
    entry = {"collection": services("ai"), "seen": {"anna": "1", "gone": ""}}
    found = parse([entry])
    assert found.complete
    assert [interest.demand.name for interest in found.interests] == ["anna", "gone"]
    assert not found.interests[0].is_news("anna", thing("1"))
    assert found.interests[0].is_news("anna", thing("2"))


def test_what_nobody_may_watch_is_left_to_the_period() -> None:
    entry = {"collection": "/api/v1/namespaces/ai/secrets", "seen": {"key": "1"}, "watch": False}
    assert parse([entry]) == Reads((), complete=False)


@pytest.mark.parametrize(
    "entry",
    [
        "anna",
        {},
        {"collection": "services", "seen": {}},
        {"collection": SERVICES, "seen": ["anna"]},
        {"collection": SERVICES, "seen": {}, "selector": {"app": "x"}},
    ],
)
def test_what_cannot_be_understood_is_not_taken_for_watched(entry: Any) -> None:
    assert parse([entry]) == Reads((), complete=False)


@pytest.mark.parametrize(
    ("seen", "now", "news"),
    [
        ("1", thing("1"), False),
        ("1", thing("2"), True),
        ("1", None, True),
        ("", None, False),
        ("", thing("1"), True),
    ],
)
def test_named_object_is_news_when_it_is_not_what_the_run_saw(
    seen: str, now: Thing | None, news: bool
) -> None:
    interest = Interest(Demand(services("ai"), "anna"), {"anna": seen})
    assert interest.is_news("anna", now) is news
    assert interest.differs({"anna": now} if now else {}) is news


@pytest.mark.parametrize(
    ("selector", "labels", "news"),
    [
        ("app=stack", {"app": "stack"}, True),
        ("app=stack", {"app": "other"}, False),
        ("app=stack,tier=a", {"app": "stack"}, False),
        ("app!=stack", {"app": "stack"}, False),
        ("app!=stack", {}, True),
        ("", {}, True),
    ],
)
def test_unknown_object_is_news_to_a_list_if_it_is_selected(
    selector: str, labels: dict[str, str], news: bool
) -> None:
    interest = Interest(Demand(services("ai"), selector=selector), {})
    assert interest.is_news("new", thing(**labels)) is news


def test_listed_object_that_goes_or_loses_its_label_is_news() -> None:
    interest = Interest(Demand(services("ai"), selector="app=stack"), {"anna": "1"})
    assert not interest.differs({"anna": thing("1", app="stack"), "ben": thing("7")})
    assert interest.differs({})
    assert interest.differs({"anna": thing("1")})


def test_new_status_is_no_news_to_who_reads_the_spec() -> None:
    interest = Interest(Demand(services("ai"), "anna"), {"anna": "uid/3"}, spec_only=True)
    assert not interest.is_news("anna", thing("2", generation=3))
    assert interest.is_news("anna", thing("2", generation=4))


def test_few_names_have_a_watch_each_and_more_share_that_of_the_namespace() -> None:
    few = {Demand(services("ai"), str(n)) for n in range(FEW)}
    assert set(plan(few, SERVICES, True).values()) == few
    more = few | {Demand(services("ai"), "one more")}
    assert set(plan(more, SERVICES, True).values()) == {Scope(services("ai"))}


def test_who_wants_all_of_a_namespace_has_it_watched_for_everybody() -> None:
    demands = {Demand(services("ai")), Demand(services("ai"), "anna")}
    assert set(plan(demands, SERVICES, True).values()) == {Scope(services("ai"))}


def test_many_namespaces_share_a_watch_of_the_cluster_where_they_may() -> None:
    demands = {Demand(services(str(n)), "anna") for n in range(MANY + 1)}
    assert set(plan(demands, SERVICES, True).values()) == {Scope(SERVICES)}
    assert set(plan(demands, SERVICES, False).values()) == demands


def test_selector_that_only_the_api_server_understands_keeps_its_own_watch() -> None:
    special = Demand(services("ai"), selector="app in (a,b)")
    demands = {special, *(Demand(services(str(n)), "anna") for n in range(MANY + 1))}
    assert plan(demands, SERVICES, True)[special] == special


def test_api_groups_are_asked_for_once() -> None:
    demands = {Demand(GROUPS, "apps"), Demand(GROUPS, "policy")}
    assert set(plan(demands, GROUPS, True).values()) == {Scope(GROUPS)}


@pytest.mark.parametrize(
    ("collection", "kind"),
    [
        (services("ai"), SERVICES),
        (
            "/apis/policy/v1/namespaces/ai/poddisruptionbudgets",
            "/apis/policy/v1/poddisruptionbudgets",
        ),
        ("/api/v1/namespaces", "/api/v1/namespaces"),
        (GROUPS, GROUPS),
    ],
)
def test_kind_of_a_collection_is_it_in_all_namespaces(collection: str, kind: str) -> None:
    assert Demand(collection).kind == kind
    namespace = "ai" if "/ai/" in collection else ""
    assert collection_of(kind, {"namespace": namespace}) == collection
