"""No password reaches config.yaml; what is kept in a Secret reaches the router."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    problems,
    render,
    secret_environment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.credentials import (  # noqa: E501
    environment_name,
)

MakeRouter = Callable[..., Router]

BARE = "${REDIS_PASSWORD}"
PLAIN = "s3cr3t-in-plain-text"
REFERENCE = {"name": "redis-credentials", "key": "password"}


def redis(**connection: Any) -> dict[str, Any]:
    connection = {"host": "redis", **connection}
    return {"response_cache": {"backend_type": "redis", "redis": {"connection": connection}}}


def test_reference_becomes_a_variable_of_the_container(make_router: MakeRouter) -> None:
    router = make_router(redis(password_secret_ref=REFERENCE))
    (entry,) = secret_environment(router.spec)
    assert entry["valueFrom"] == {"secretKeyRef": REFERENCE}
    connection = render(router, Facts())["global"]["stores"]["response_cache"]["redis"][
        "connection"
    ]
    assert connection["password"] == f"${{{entry['name']}}}"
    assert "password_secret_ref" not in connection
    assert problems(router, Facts()) == []


def test_reference_in_the_open_parts_works_alike(make_router: MakeRouter) -> None:
    memory = {"valkey": {"host": "valkey", "password_secret_ref": REFERENCE}}
    router = make_router({"global": {"stores": {"memory": memory}}})
    (entry,) = secret_environment(router.spec)
    store = render(router, Facts())["global"]["stores"]["memory"]["valkey"]
    assert store == {"host": "valkey", "password": f"${{{entry['name']}}}"}


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
@pytest.mark.parametrize(
    ("config", "field"),
    [
        (redis(password=PLAIN), "spec.config.response_cache.redis.connection.password"),
        (
            redis(password="${REDIS:-" + PLAIN + "}"),
            "spec.config.response_cache.redis.connection.password",
        ),
        (
            {
                "response_cache": {
                    "backend_type": "qdrant",
                    "qdrant": {"host": "q", "api_key": PLAIN},
                }
            },
            "spec.config.response_cache.qdrant.api_key",
        ),
        (
            {"listeners": [{"name": "a", "port": 8080, "api_keys": ["${OK}", PLAIN]}]},
            "spec.config.listeners[0].api_keys",
        ),
        (
            {"providers": {"models": [{"name": "a", "backend_refs": [{"api_key": PLAIN}]}]}},
            "spec.config.providers.models[0].backend_refs[0].api_key",
        ),
    ],
)
def test_plain_password_is_refused_and_never_rendered(
    config: dict[str, Any], field: str, contract: str, make_router: MakeRouter
) -> None:
    router = make_router({"contract": contract, **config})
    told = problems(router, Facts())
    assert field in {problem.field for problem in told if problem.blocking}
    assert PLAIN not in str([str(problem) for problem in told])
    assert PLAIN not in json.dumps(render(router, Facts()))


def test_reference_wins_over_a_plain_password_beside_it(make_router: MakeRouter) -> None:
    router = make_router(redis(password=PLAIN, password_secret_ref=REFERENCE))
    assert problems(router, Facts()) == []
    assert PLAIN not in json.dumps(render(router, Facts()))


def test_bare_variable_of_the_user_is_passed_on(make_router: MakeRouter) -> None:
    router = make_router(redis(password=BARE))
    assert problems(router, Facts()) == []
    assert f'"{BARE}"' in json.dumps(render(router, Facts()))


@pytest.mark.parametrize(
    "connection", [{"password": "${REDIS_PASSWORD}"}, {"password_secret_ref": REFERENCE}]
)
def test_release_0_3_cannot_take_a_password_from_a_secret(
    connection: dict[str, Any], make_router: MakeRouter
) -> None:
    (problem,) = problems(make_router(redis(**connection), image={"tag": "v0.3.0"}), Facts())
    assert problem.blocking
    assert problem.field == f"spec.config.response_cache.redis.connection.{next(iter(connection))}"
    assert "0.4" in problem.remedy


def test_variables_of_different_places_have_different_names() -> None:
    places = [
        ("a", "b_c"),
        ("a_b", "c"),
        ("a", "b", "c"),
        ("a", "b-c"),
        ("a", "b.c"),
        ("A", "b_c"),
        ("a__b", "c"),
        ("a", 0),
        ("a", "0", "b"),
    ]
    names = [environment_name(place) for place in places]
    assert len(set(names)) == len(places)
    assert all(name.startswith("SR_") and name.replace("_", "").isalnum() for name in names)


def test_dollars_in_texts_are_left_to_the_router(make_router: MakeRouter) -> None:
    text = "costs $$5 or $5, {{ lookup('pipe', 'id') }}, ${HOME}, ${X:-y}"
    card = {"name": "one", "description": text}
    router = make_router({"routing": {"modelCards": [card]}})
    assert render(router, Facts())["routing"]["modelCards"] == [card]
