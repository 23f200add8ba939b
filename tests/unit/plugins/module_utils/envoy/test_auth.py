"""The filters of spec.auth as text; tests/integration/data_path/test_auth.py sends requests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import auth, bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from examples import router

KEYS = {"apiKeys": [{"secretRef": {"name": "team"}, "groups": ["a", "b"]}]}
JWT = {"jwt": [{"issuer": "i", "audiences": ["a"], "jwksUri": "https://keys.example.com/jwks"}]}


def names(**spec: Any) -> list[str]:
    return [each["name"].rpartition(".")[2] for each in auth.filters(router(**spec))]


def script(**spec: Any) -> str:
    code = auth.filters(router(**spec))[-2]["typed_config"]["default_source_code"]
    return str(code["inline_string"])


def test_the_door_has_what_it_needs_and_no_more() -> None:
    assert names() == []
    assert names(auth=KEYS) == ["lua", "rbac"]
    assert names(auth=JWT) == names(auth={**KEYS, **JWT}) == ["jwt_authn", "lua", "rbac"]


def test_a_door_that_nobody_has_a_key_for_is_shut() -> None:
    assert names(auth={}) == ["lua", "rbac"]


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        ("plain", '"plain"'),
        ('a"b\\c\n]]', r'"a\034b\092c\010\093\093"'),
        ("ü%", r'"\195\188\037"'),
        ("\0001", r'"\0001"'),
        ([], "{}"),
        (["a", {"b": "c"}], '{"a", {["b"] = "c"}}'),
    ],
)
def test_no_text_can_end_its_literal(value: Any, literal: str) -> None:
    assert auth.lua_literal(value) == literal


def test_of_every_byte_nothing_but_harmless_ones_stands_in_a_literal() -> None:
    literal = auth.lua_literal("".join(map(chr, range(0x180))))
    assert re.fullmatch(r'"([ !#$&-Z^-~]|\\\d{3})*"', literal)


def test_no_text_of_the_user_is_code() -> None:
    evil = '"} os.execute("true") --[['
    spec = {"apiKeys": [{"secretRef": {"name": "t"}, "groups": [evil]}]}
    assert "os.execute" not in script(auth=spec).replace("os.execute(\\034", "")
    assert evil not in script(auth=spec)


def test_who_is_let_in_is_not_asked_at_the_routers_own_way_in() -> None:
    clients, *others = bootstrap(router(auth=KEYS), Facts())["static_resources"]["listeners"]
    assert others
    for listener, expected in ((clients, True), *((other, False) for other in others)):
        (chain,) = listener["filter_chains"]
        filters = chain["filters"][0]["typed_config"]["http_filters"]
        assert (auth.LUA in [each["name"] for each in filters]) is expected


def test_a_key_set_in_a_config_map_is_shown_to_envoy_alone_and_asked_of_nobody() -> None:
    entry = {"issuer": "j", "audiences": ["a"], "jwksRef": {"name": "keys"}}
    asked = router(auth={"jwt": [*JWT["jwt"], entry]})
    listeners = bootstrap(asked, Facts())["static_resources"]["listeners"]
    (listener,) = (each for each in listeners if each["name"] == auth.KEY_SETS)
    remote, local = auth.issuer_clusters(asked)
    assert (remote["name"], local["name"]) == ("issuer-0", auth.KEY_SETS)
    assert listener["address"]["pipe"]["path"].startswith("@")
    assert len(auth.key_set_routes(asked)) == 1


def test_without_such_a_key_set_there_is_no_listener_for_it() -> None:
    for spec in ({}, {"auth": JWT}):
        listeners = bootstrap(router(**spec), Facts())["static_resources"]["listeners"]
        assert [each["name"] for each in listeners] == ["clients", "looper", "told"]


def test_an_issuer_is_asked_over_tls_for_its_own_name() -> None:
    (cluster,) = auth.issuer_clusters(router(auth=JWT))
    tls = cluster["transport_socket"]["typed_config"]
    validation = tls["common_tls_context"]["validation_context"]
    assert tls["sni"] == "keys.example.com"
    assert validation["trusted_ca"]["filename"].startswith("/etc/ssl/")
    (san,) = validation["match_typed_subject_alt_names"]
    assert san == {"san_type": "DNS", "matcher": {"exact": "keys.example.com"}}
