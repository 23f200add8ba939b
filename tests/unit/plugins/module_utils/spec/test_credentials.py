"""No password reaches config.yaml; every password reaches the router, by its environment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import (
    references,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.credentials import (
    environment_name,
    secret_environment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]

BARE = "${REDIS_PASSWORD}"
PLAIN = "s3cr3t-in-plain-text"
REFERENCE = {"name": "redis-credentials", "key": "password"}


def redis(**connection: Any) -> dict[str, Any]:
    connection = {"host": "redis", **connection}
    return {"response_cache": {"backend_type": "redis", "redis": {"connection": connection}}}


def of_credentials(router: Router) -> list[Problem]:
    """Without what the release makes of a cache."""
    return [p for p in problems(router, Facts()) if p.reason != "PartlyInEffect"]


def test_reference_becomes_a_variable_of_the_container(make_router: MakeRouter) -> None:
    router = make_router(redis(password_secret_ref=REFERENCE))
    (entry,) = secret_environment(router.spec)
    assert entry["valueFrom"] == {"secretKeyRef": REFERENCE}
    connection = render(router, Facts())["global"]["stores"]["response_cache"]["redis"][
        "connection"
    ]
    assert connection["password"] == f"${{{entry['name']}}}"
    assert "password_secret_ref" not in connection
    assert not of_credentials(router)


def test_reference_in_the_open_parts_works_alike(make_router: MakeRouter) -> None:
    memory = {"valkey": {"host": "valkey", "password_secret_ref": REFERENCE}}
    router = make_router({"global": {"stores": {"memory": memory}}})
    (entry,) = secret_environment(router.spec)
    store = render(router, Facts())["global"]["stores"]["memory"]["valkey"]
    assert store == {"host": "valkey", "password": f"${{{entry['name']}}}"}


def test_a_key_in_a_header_is_a_variable_too_and_what_names_one_stays(
    make_router: MakeRouter,
) -> None:
    headers = {"Authorization": PLAIN, "x-api-key": "Bearer ${KEY}", "x-org": "me"}
    reference = {"name": "r", "base_url": "https://a.example/v1", "extra_headers": headers}
    models = [{"name": "m", "backend_refs": [reference]}]
    router = make_router({"providers": {"models": models}})
    (entry,) = secret_environment(router.spec)
    document = render(router, Facts())
    (written,) = document["providers"]["models"][0]["backend_refs"]
    assert entry["value"] == PLAIN
    assert written["extra_headers"] == {**headers, "Authorization": f"${{{entry['name']}}}"}
    (problem,) = (item for item in of_credentials(router) if "headers" in item.field)
    assert (problem.reason, problem.blocking) == ("PlainTextCredential", False)


@pytest.mark.parametrize(
    ("reference", "key"),
    [({"name": "redis"}, "key"), ({"name": ["a"], "key": "b"}, "name"), ({"key": "b"}, "name")],
)
def test_half_a_reference_in_the_open_parts_is_told_with_what_it_lacks(
    reference: dict[str, Any], key: str, make_router: MakeRouter
) -> None:
    memory = {"valkey": {"host": "valkey", "password_secret_ref": reference}}
    router = make_router({"global": {"stores": {"memory": memory}}})
    (problem,) = (problem for problem in of_credentials(router) if problem.blocking)
    assert problem.field == f"spec.config.global.stores.memory.valkey.password_secret_ref.{key}"
    # Discovery looks at what is named before anybody checks it.
    assert references(router.spec).secrets in ([], ["redis"])


PLAIN_ONES = [
    (redis(password=PLAIN), "response_cache.redis.connection.password", "password_secret_ref"),
    (redis(password=12345), "response_cache.redis.connection.password", "password_secret_ref"),
    (
        {"response_cache": {"backend_type": "qdrant", "qdrant": {"host": "q", "api_key": PLAIN}}},
        "response_cache.qdrant.api_key",
        "api_key_secret_ref",
    ),
    (
        {
            "response_cache": {
                "backend_type": "milvus",
                "milvus": {"connection": {"host": "m", "auth": {"password": PLAIN}}},
            }
        },
        "response_cache.milvus.connection.auth.password",
        "password_secret_ref",
    ),
    (
        {"listeners": [{"name": "a", "port": 8080, "api_keys": ["${OK}", PLAIN]}]},
        "listeners[0].api_keys[1]",
        "spec.env",
    ),
    (
        {"providers": {"models": [{"name": "a", "backend_refs": [{"api_key": PLAIN}]}]}},
        "providers.models[0].backend_refs[0].api_key",
        "api_key_secret_ref",
    ),
]


@pytest.mark.parametrize(("config", "field", "instead"), PLAIN_ONES)
def test_plain_password_works_by_a_variable_and_is_told_of(
    config: dict[str, Any], field: str, instead: str, make_router: MakeRouter
) -> None:
    router = make_router(config)
    told = [p for p in problems(router, Facts()) if p.reason == "PlainTextCredential"]
    assert [(p.field, p.blocking) for p in told] == [(f"spec.config.{field}", False)]
    assert instead in told[0].remedy
    (entry,) = secret_environment(router.spec)
    assert entry["value"] in (PLAIN, "12345")
    document = json.dumps(render(router, Facts()))
    assert f"${{{entry['name']}}}" in document
    assert entry["value"] not in document + str([str(p) for p in problems(router, Facts())])


@pytest.mark.parametrize(("config", "field", "instead"), PLAIN_ONES[:-1])
def test_release_0_3_cannot_take_a_plain_password_outside_its_providers(
    config: dict[str, Any], field: str, instead: str, make_router: MakeRouter
) -> None:
    router = make_router({"contract": "0.3", **config})
    (told,) = [p for p in problems(router, Facts()) if p.field == f"spec.config.{field}"]
    assert told.blocking
    assert "0.4" in told.remedy
    assert PLAIN not in json.dumps(render(router, Facts()))


def test_release_0_3_takes_the_key_of_a_provider_from_a_variable(make_router: MakeRouter) -> None:
    config, field, _ = PLAIN_ONES[-1]
    (told,) = problems(make_router({"contract": "0.3", **config}), Facts())
    assert (told.field, told.reason) == (f"spec.config.{field}", "PlainTextCredential")


@pytest.mark.parametrize("password", ["${REDIS:-x}", "a${REDIS}b", "pa$word", "$REDIS", "$$$x"])
def test_a_reference_within_a_plain_password_is_refused(
    password: str, make_router: MakeRouter
) -> None:
    (problem,) = problems(make_router(redis(password=password)), Facts())
    assert problem.blocking
    assert password not in str(problem)


# Through Kubernetes ($$ is a dollar, $(NAME) another variable) to the router.
@pytest.mark.parametrize(
    ("password", "in_manifest", "in_pod"),
    [
        ("pa$$word", "pa$$word", "pa$word"),
        ("$(HOME)", "$$(HOME)", "$(HOME)"),
        ("$$$$", "$$$$", "$$"),
        ("a$ b$", "a$$ b$$", "a$ b$"),
        ("{{ x }}", "{{ x }}", "{{ x }}"),
    ],
)
def test_dollars_of_a_plain_password_survive_kubernetes(
    password: str, in_manifest: str, in_pod: str, make_router: MakeRouter
) -> None:
    router = make_router(redis(password=password))
    assert all(not problem.blocking for problem in problems(router, Facts()))
    (entry,) = secret_environment(router.spec)
    assert entry["value"] == in_manifest
    assert in_manifest.replace("$$", "$") == in_pod


def test_reference_wins_over_a_plain_password_beside_it(make_router: MakeRouter) -> None:
    router = make_router(redis(password=PLAIN, password_secret_ref=REFERENCE))
    assert not of_credentials(router)
    assert PLAIN not in json.dumps(render(router, Facts()))


def test_bare_variable_of_the_user_is_passed_on(make_router: MakeRouter) -> None:
    router = make_router(redis(password=BARE))
    assert not of_credentials(router)
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
