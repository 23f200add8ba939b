"""No default of the router's points at something that is not there in a pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    places,
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]


def services(router: Router) -> dict[str, Any]:
    found: dict[str, Any] = render(router, Facts())["global"]["services"]
    return found


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_what_nobody_asked_for_looks_for_no_stranger(
    contract: str, make_router: MakeRouter
) -> None:
    written = services(make_router({"contract": contract}))
    assert written["observability"]["tracing"] == {"enabled": False}
    assert written["response_api"] == {"store_backend": "memory"}
    replay = {"enabled": False, "store_backend": "memory"}
    assert written.get("router_replay") == (replay if contract == "0.3" else None)


def test_what_the_user_names_is_theirs(make_router: MakeRouter) -> None:
    given = {
        "observability": {"tracing": {"exporter": {"endpoint": "collector:4317"}}},
        "response_api": {"redis": {"address": "redis:6379"}},
        "router_replay": {"postgres": {"host": "db"}},
    }
    router = make_router({"contract": "0.3", "global": {"services": given}})
    assert services(router) == given


def test_nothing_is_cached_that_nobody_asked_to_cache(make_router: MakeRouter) -> None:
    def stores(**config: Any) -> Any:
        written = render(make_router({"contract": "0.3", **config}), Facts())
        return written["global"]["stores"]

    assert stores() == {"semantic_cache": {"enabled": False}}
    given = {"stores": {"semantic_cache": {"max_entries": 5}}}
    assert stores(**{"global": given}) == given["stores"]
    assert stores(response_cache={"enabled": True})["semantic_cache"]["enabled"]


def test_files_of_a_vector_store_are_where_the_pod_may_write(make_router: MakeRouter) -> None:
    store = {"enabled": True, "backend_type": "memory"}
    written = render(make_router({"global": {"stores": {"vector_store": store}}}), Facts())
    directory = written["global"]["stores"]["vector_store"]["file_storage_dir"]
    assert directory.startswith(f"{places.STATE_DIRECTORY}/")
    off = render(make_router({"global": {"stores": {"vector_store": {}}}}), Facts())
    assert off["global"]["stores"]["vector_store"] == {}


def chosen(need: places.Need) -> dict[str, Any]:
    """The section as a user writes it who forgets the address."""
    section: dict[str, Any] = {need.switch: True} if need.switch else {}
    *above, last = need.key.split(".")
    if need.key:
        inner = section
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = need.choice
    return section


def nested(path: str, value: Any) -> Any:
    for step in reversed(path.split(".")):
        value = {step: value}
    return value


@pytest.mark.parametrize(
    "need", places.NEEDS, ids=lambda need: f"{need.section}.{need.key}={need.choice}"
)
def test_an_address_that_is_missing_is_asked_for(
    need: places.Need, make_router: MakeRouter
) -> None:
    contract = "0.3" if need.section.endswith("semantic_cache") else "0.4"
    config = nested(need.section, chosen(need))
    router = make_router({"contract": contract, **config})
    told = {p.field: p.blocking for p in problems(router, Facts())}
    assert told[f"spec.config.{need.section}.{need.keys[0]}"] is need.blocking
    assert list(places.missing(nested(need.section, {**chosen(need)})))


@pytest.mark.parametrize("need", places.NEEDS, ids=lambda need: f"{need.section}.{need.choice}")
def test_an_address_that_is_given_is_enough(need: places.Need) -> None:
    for key in need.keys:
        section = chosen(need)
        inner = section
        *above, last = key.split(".")
        for step in above:
            inner = inner.setdefault(step, {})
        inner[last] = "host"
        assert list(places.missing(nested(need.section, section))) == []


def test_a_collector_is_asked_for_in_the_section_too(make_router: MakeRouter) -> None:
    router = make_router({"observability": {"tracing": {"enabled": True}}})
    (problem,) = problems(router, Facts())
    assert problem.field == "spec.config.observability.tracing.exporter.endpoint"
    # Only traces get lost, and SemanticRouters that say no more have always been taken.
    assert (problem.reason, problem.blocking) == ("PartlyInEffect", False)


def test_a_store_that_is_off_needs_no_address() -> None:
    store = {"enabled": False, "backend": "milvus"}
    assert list(places.missing({"global": {"stores": {"memory": store}}})) == []
