"""What a spec asks for, of the objects that not every router has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import wants
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

GATEWAY = {"existingRef": {"name": "public", "namespace": "edge"}}
TOKENS = {"global": {"services": {"management_api": {"auth": {"mode": "bearer"}}}}}


@pytest.mark.parametrize(
    ("persistence", "own", "name"),
    [
        ({}, True, "my-router-models"),
        ({"existingClaim": "theirs"}, False, "theirs"),
        ({"enabled": False}, False, ""),
        ({"enabled": False, "existingClaim": "theirs"}, False, ""),
    ],
)
def test_the_claim_is_the_routers_or_the_users_or_none(
    persistence: dict[str, Any], own: bool, name: str
) -> None:
    router = Router(resource(persistence=persistence))
    assert (wants.claim(router.spec), wants.claim_name(router)) == (own, name)


@pytest.mark.parametrize(
    ("spec", "is_wanted"),
    [
        ({}, True),
        ({"gateway": GATEWAY}, False),
        ({"gateway": GATEWAY, "config": TOKENS}, True),
    ],
)
def test_no_way_in_from_outside_leads_to_an_open_management_api(
    spec: dict[str, Any], is_wanted: bool
) -> None:
    ways = {"openshift": {"routes": {"enabled": True}}, "ingress": {"enabled": True}}
    asked = Router(resource(**ways, **spec)).spec
    assert (wants.route(asked), wants.ingress(asked)) == (is_wanted, is_wanted)


def test_neither_route_nor_ingress_comes_unasked() -> None:
    assert not wants.route(Router(resource()).spec)
    assert not wants.ingress(Router(resource()).spec)
