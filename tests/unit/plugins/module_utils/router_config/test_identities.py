"""Roles are taken by either name, and what wants to know users says so where nobody names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]

BINDING = {
    "name": "admin-binding",
    "role": "admin",
    "subjects": [{"kind": "Group", "name": "platform-admins"}],
}
GATEWAY = {"existingRef": {"name": "gateway", "namespace": "infra"}}


def roles(name: str, **decision: Any) -> dict[str, Any]:
    rules = {"operator": "AND", "conditions": [{"type": "authz", "name": name}]}
    return {
        "signals": {"role_bindings": [BINDING]},
        "decisions": [{"name": "for-admins", "priority": 10, "rules": rules, **decision}],
    }


def told(router: Router) -> dict[str, Problem]:
    return {problem.field: problem for problem in problems(router, Facts())}


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
@pytest.mark.parametrize("name", ["admin", "admin-binding"])
def test_a_condition_names_the_role_that_the_router_gives_out(
    name: str, contract: str, make_router: MakeRouter
) -> None:
    router = make_router({"contract": contract, "routing": roles(name)}, gateway=GATEWAY)
    assert not told(router)
    routing = render(router, Facts())["routing"]
    (decision,) = routing["decisions"]
    assert decision["rules"]["conditions"] == [{"type": "authz", "name": "admin"}]
    # By which the release's own validator finds it.
    assert [binding["name"] for binding in routing["signals"]["role_bindings"]] == ["admin"]


def test_bindings_of_one_role_keep_names_of_their_own(make_router: MakeRouter) -> None:
    others = [{**BINDING, "name": "more"}, {**BINDING, "name": "user", "role": "guest"}]
    routing = {"signals": {"role_bindings": [BINDING, *others]}}
    signals = render(make_router({"routing": routing}), Facts())["routing"]["signals"]
    assert [one["name"] for one in signals["role_bindings"]] == ["admin", "more", "guest"]


def test_a_role_that_is_no_text_is_told_with_its_field(make_router: MakeRouter) -> None:
    binding = {**BINDING, "role": ["admin"]}
    router = make_router({"routing": {"signals": {"role_bindings": [binding]}}}, gateway=GATEWAY)
    assert "spec.config.routing.signals.role_bindings[0].role" in told(router)


def test_a_role_inside_a_rule_is_found_too(make_router: MakeRouter) -> None:
    leaf = {"type": "authz", "name": "admin-binding"}
    rules = {"operator": "AND", "conditions": [{"operator": "NOT", "conditions": [leaf]}]}
    router = make_router({"routing": roles("", rules=rules)})
    (decision,) = render(router, Facts())["routing"]["decisions"]
    assert decision["rules"]["conditions"][0]["conditions"] == [{**leaf, "name": "admin"}]


def test_a_role_that_nothing_gives_is_told(make_router: MakeRouter) -> None:
    router = make_router({"routing": roles("root")}, gateway=GATEWAY)
    field = "spec.config.routing.decisions[0].rules.conditions[0].name"
    assert "use a declared one: admin" in told(router)[field].remedy


@pytest.mark.parametrize(
    ("services", "happens"),
    [({}, "403"), ({"authz": {"fail_open": True}}, "never matches")],
)
def test_in_standalone_mode_nobody_has_a_role(
    services: dict[str, Any], happens: str, make_router: MakeRouter
) -> None:
    router = make_router({"routing": roles("admin"), "global": {"services": services}})
    problem = told(router)["spec.config.routing.decisions[0].rules"]
    assert (problem.reason, problem.blocking) == ("PartlyInEffect", False)
    assert happens in problem.found


def test_a_header_of_the_users_own_comes_through(make_router: MakeRouter) -> None:
    authz = {"identity": {"user_id_header": "x-user"}}
    router = make_router({"routing": roles("admin"), "global": {"services": {"authz": authz}}})
    assert not told(router)


def test_what_is_kept_for_users_is_told_too(make_router: MakeRouter) -> None:
    plugin = {"type": "response_cache", "configuration": {"enabled": True}}
    decision = {
        "name": "all",
        "rules": {"operator": "AND", "conditions": []},
        "plugins": [plugin],
    }
    memory = {"enabled": True, "milvus": {"address": "milvus:19530"}}
    config = {"routing": {"decisions": [decision]}, "global": {"stores": {"memory": memory}}}
    assert set(told(make_router(config))) == {
        "spec.config.routing.decisions[0].plugins[0]",
        "spec.config.global.stores.memory.enabled",
    }
    assert not told(make_router(config, gateway=GATEWAY))
    plugin["configuration"] = {"enabled": True, "scope": "global"}
    assert set(told(make_router(config))) == {"spec.config.global.stores.memory.enabled"}


def test_where_auth_says_who_a_user_is_roles_are_in_effect(make_router: MakeRouter) -> None:
    auth = {"apiKeys": [{"secretRef": {"name": "clients"}, "groups": ["platform-admins"]}]}
    assert told(make_router({"routing": roles("admin")}))
    assert not told(make_router({"routing": roles("admin")}, auth=auth))
