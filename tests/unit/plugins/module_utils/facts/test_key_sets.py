"""What is said when a ConfigMap holds no public keys of an issuer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import key_sets
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import (
    references,
)
from examples import router

ISSUER = {"issuer": "https://a.com", "audiences": ["a"], "jwksRef": {"name": "keys"}}
FIELD = "spec.auth.jwt[0].jwksRef"


def told(live: dict[str, Any] | None) -> list[str]:
    problems = list(key_sets.problems(router(auth={"jwt": [ISSUER]}), {"keys": live}))
    assert not any(problem.blocking for problem in problems)
    return [problem.field for problem in problems]


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "keys", '{"keys": []}', '{"keys": ["a"]}', "[" * 100_000]
)
def test_what_holds_no_keys_is_said_with_its_field(text: str) -> None:
    assert told({"data": {"jwks": text}}) == [f"{FIELD}.key"]


def test_what_is_not_there_is_said() -> None:
    assert told(None) == [f"{FIELD}.name"]
    assert told({"data": {"other": "{}"}}) == [f"{FIELD}.key"]


def test_nothing_is_said_of_keys_and_of_what_may_not_be_read() -> None:
    assert told({"data": {"jwks": '{"keys": [{"kty": "RSA"}]}'}}) == []
    assert list(key_sets.problems(router(auth={"jwt": [ISSUER]}), {})) == []


def test_a_gateways_controller_says_it_itself() -> None:
    gateway = {"existingRef": {"name": "public", "namespace": "default"}}
    attached = router(auth={"jwt": [ISSUER]}, gateway=gateway)
    assert list(key_sets.problems(attached, {"keys": None})) == []
    assert references(attached.spec).reread_config_maps == []
    assert references(router(auth={"jwt": [ISSUER]}).spec).reread_config_maps == ["keys"]
