"""What stands in front of the HTTPRoutes for spec.auth and spec.cors, and when there are none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import many
import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, gateways
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    http_routes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway_door import door
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource

EG, ISTIO = gateways.CONTROLLER_ENVOY_GATEWAY, gateways.CONTROLLER_ISTIO
KGATEWAY, AGENTGATEWAY = gateways.CONTROLLER_KGATEWAY, gateways.CONTROLLER_AGENTGATEWAY
SERVED = {
    "gateway.networking.k8s.io": ["v1"],
    "gateway.envoyproxy.io": ["v1alpha1"],
    "networking.istio.io": ["v1alpha3"],
    "security.istio.io": ["v1"],
    "gateway.kgateway.dev": ["v1alpha1"],
    "agentgateway.dev": ["v1alpha1"],
}
KEYS = {"apiKeys": [{"secretRef": {"name": "team"}}]}
ISSUER = {"issuer": "https://i", "audiences": ["a"], "jwksUri": "https://i.example.com/keys"}
JWT = {"jwt": [ISSUER]}
KEY_SET = {"issuer": "https://i", "audiences": ["a"], "jwksRef": {"name": "keys"}}
OTHER_KEY = {**KEY_SET, "jwksRef": {"name": "keys", "key": "other"}}
CORS = {"allowOrigins": ["https://chat.example.com"]}
HEALTH = {"/health", "/ready", "/startup-status"}


def router(
    namespace: str = "default", gateway: dict[str, Any] | None = None, **spec: Any
) -> Router:
    reference = {"name": "public", "namespace": namespace}
    return Router(resource(gateway={"existingRef": reference, **(gateway or {})}, **spec))


def known(controller: str = EG, **more: Any) -> Facts:
    listeners = [{"name": "http", "allows": True, "why": ""}]
    gateway = {"found": True, "controller": controller, "listeners": listeners}
    return Facts(capabilities=SERVED, gateway={**gateway, **more})


def paths(route: Manifest) -> set[str]:
    return {match["path"]["value"] for rule in route["spec"]["rules"] for match in rule["matches"]}


def routes(asked: Router, facts: Facts) -> dict[str, Manifest]:
    return {item["metadata"]["name"]: item for item in http_routes(asked, facts)}


def test_without_auth_and_cors_there_is_no_door() -> None:
    assert door(router(), known()) == []
    assert door(Router(resource(auth=KEYS)), Facts()) == []


def test_envoy_gateway_takes_keys_from_the_secrets_and_passes_on_whose_they_are() -> None:
    (policy,) = door(router(auth=KEYS), known())
    keys = policy["spec"]["apiKeyAuth"]
    assert [ref["name"] for ref in keys["credentialRefs"]] == ["team"]
    assert (keys["forwardClientIDHeader"], keys["sanitize"]) == ("x-authz-user-id", True)


def test_kgateway_takes_keys_in_a_policy_beside_the_one_that_has_the_router_asked() -> None:
    asked = router(auth=KEYS, cors={**CORS, "allowHeaders": ["x-a"]}, gateway={"extProc": True})
    facts = known(KGATEWAY)
    (policy,) = door(asked, facts)
    assert policy["metadata"]["name"] == "my-router-door"
    keys = policy["spec"]["apiKeyAuth"]
    assert keys["secretRef"]["name"] == "team"
    assert (keys["clientIdHeader"], keys["forwardCredential"]) == ("x-authz-user-id", False)
    assert policy["spec"]["cors"]["allowHeaders"] == ["x-a"]
    guarded = {ref["name"] for ref in policy["spec"]["targetRefs"]}
    assert guarded == {"my-router", "my-router-models"}
    assert [str(each) for each in gateways.policies(asked, facts)] == [
        "TrafficPolicy my-router-door",
        "TrafficPolicy my-router",
    ]


@pytest.mark.parametrize("controller", [EG, ISTIO])
def test_tokens_become_the_routers_headers(controller: str) -> None:
    policy = door(router(auth=JWT), known(controller))[0]["spec"]
    if controller == EG:
        (rule,) = policy["jwt"]["providers"]
        headers = rule["claimToHeaders"]
    else:
        (rule,) = policy["jwtRules"]
        headers = rule["outputClaimToHeaders"]
    assert (rule["issuer"], rule["audiences"]) == ("https://i", ["a"])
    assert {each["header"]: each["claim"] for each in headers} == {
        "x-authz-user-id": "sub",
        "x-authz-user-groups": "groups",
    }


def test_envoy_gateway_takes_public_keys_from_the_config_map() -> None:
    (policy,) = door(router(auth={"jwt": [KEY_SET]}), known())
    (provider,) = policy["spec"]["jwt"]["providers"]
    reference = {"group": "", "kind": "ConfigMap", "name": "keys"}
    assert provider["localJWKS"] == {"type": "ValueRef", "valueRef": reference}
    assert "remoteJWKS" not in provider


def test_every_route_but_healths_is_behind_the_door() -> None:
    asked = router(auth=JWT, gateway={"extProc": True})
    (policy,) = door(asked, known())
    guarded = {ref["name"] for ref in policy["spec"]["targetRefs"]}
    built = routes(asked, known())
    assert built.keys() - guarded == {"my-router-health"}
    assert paths(built["my-router-health"]) == HEALTH
    assert not HEALTH & set.union(*(paths(built[name]) for name in guarded))


def test_health_stays_where_it_is_when_everyone_may_come_in() -> None:
    built = routes(router(cors=CORS), known())
    assert list(built) == ["my-router"]
    assert paths(built["my-router"]) >= HEALTH


def test_istio_refuses_who_has_no_token_of_ours() -> None:
    _, policy = door(router(auth=JWT), known(ISTIO))
    (rule,) = policy["spec"]["rules"]
    assert policy["spec"]["action"] == "DENY"
    assert rule["from"] == [{"source": {"notRequestPrincipals": ["https://i/*"]}}]
    assert set(rule["to"][0]["operation"]["notPaths"]) == HEALTH


@pytest.mark.parametrize(
    ("hostnames", "hosts"),
    [
        ([], None),
        (["a.example.com"], ["a.example.com", "a.example.com:*"]),
        (["a.example.com", "*.example.com"], None),
    ],
)
def test_istio_refuses_on_the_routers_own_hosts_where_it_can_tell_them(
    hostnames: list[str], hosts: list[str] | None
) -> None:
    _, policy = door(router(auth=JWT, gateway={"hostnames": hostnames}), known(ISTIO))
    assert policy["spec"]["rules"][0]["to"][0]["operation"].get("hosts") == hosts


@pytest.mark.parametrize(
    ("controller", "spec", "field"),
    [
        (EG, {"auth": {**KEYS, **JWT}}, "spec.auth.jwt"),
        (
            EG,
            {"auth": {"apiKeys": [{"secretRef": {"name": "t"}, "groups": ["g"]}]}},
            "spec.auth.apiKeys[0].groups",
        ),
        (EG, {"auth": {"jwt": [{**ISSUER, "caRef": {"name": "c"}}]}}, "spec.auth.jwt[0].caRef"),
        (ISTIO, {"auth": {"jwt": [{**ISSUER, "caRef": {"name": "c"}}]}}, "spec.auth.jwt[0].caRef"),
        (EG, {"auth": {"jwt": [OTHER_KEY]}}, "spec.auth.jwt[0].jwksRef.key"),
        (ISTIO, {"auth": {"jwt": [KEY_SET]}}, "spec.auth.jwt[0].jwksRef"),
        (ISTIO, {"auth": KEYS}, "spec.auth.apiKeys"),
        (ISTIO, {"auth": JWT, "cors": CORS}, "spec.cors"),
        (KGATEWAY, {"auth": JWT}, "spec.auth.jwt[0]"),
        (
            KGATEWAY,
            {"auth": {"apiKeys": [{"secretRef": {"name": name}} for name in ("a", "b")]}},
            "spec.auth.apiKeys[1]",
        ),
        (
            KGATEWAY,
            {"auth": {"apiKeys": [{"secretRef": {"name": "t"}, "groups": ["g"]}]}},
            "spec.auth.apiKeys[0].groups",
        ),
        (KGATEWAY, {"cors": CORS}, "spec.cors"),
        (
            KGATEWAY,
            {
                "auth": KEYS,
                "gateway": {"extProc": True},
                "vllmEndpoints": many.endpoints(241, 1),
            },
            "spec.auth",
        ),
    ],
)
def test_what_a_controller_cannot_do_blocks_and_opens_nothing(
    controller: str, spec: dict[str, Any], field: str
) -> None:
    (problem,) = gateways.problems(router(**spec), known(controller))
    assert (problem.reason, problem.field, problem.blocking) == ("AuthNotAttached", field, True)
    assert door(router(**spec), known(controller)) == []
    assert routes(router(**spec), known(controller)) == {}


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (known(found=False), "GatewayNotFound"),
        (known("example.com/other"), "GatewayControllerUnknown"),
        (known(AGENTGATEWAY), "GatewayControllerUnknown"),
        (known("", className="eg", classDenied="forbidden"), "GatewayUnreadable"),
        (
            replace(known(ISTIO), capabilities={**SERVED, "security.istio.io": ["v1beta1"]}),
            "AuthNotAttached",
        ),
    ],
)
@pytest.mark.parametrize("spec", [{"auth": JWT}, {"cors": CORS}])
def test_while_nothing_can_guard_them_there_are_no_routes(
    spec: dict[str, Any], facts: Facts, reason: str
) -> None:
    asked = router(**spec)
    found = gateways.problems(asked, facts)
    assert reason in {problem.reason for problem in found}
    assert routes(asked, facts) == {}


def test_istio_takes_policies_from_the_gateways_namespace_only() -> None:
    asked = router("istio-system", auth=JWT)
    (problem,) = gateways.problems(asked, known(ISTIO))
    assert (problem.reason, problem.blocking) == ("AuthNotAttached", False)
    assert routes(asked, known(ISTIO)) == {}
