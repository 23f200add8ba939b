"""What of backend.tls and trafficPolicy which Gateway can be told, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    gateway_backends as told,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_AGENTGATEWAY,
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    CONTROLLER_KGATEWAY,
    model_groups,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    http_routes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import router

EVERYONE = (
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    CONTROLLER_KGATEWAY,
    CONTROLLER_AGENTGATEWAY,
)
APIS = {
    "gateway.networking.k8s.io": ["v1"],
    "gateway.envoyproxy.io": ["v1alpha1"],
    "networking.istio.io": ["v1alpha3"],
    "gateway.kgateway.dev": ["v1alpha1"],
    "agentgateway.dev": ["v1alpha1"],
}
CONFIG_MAP = {"caRef": {"name": "ca"}}
SECRET = {"caRef": {"kind": "Secret", "name": "ca"}}
FIELD = "spec.vllmEndpoints[0].backend.tls"
POLICY = "spec.vllmEndpoints[0].trafficPolicy"


def attached(*entries: dict[str, Any], **config: Any) -> Router:
    reference = {"name": "public", "namespace": "default"}
    gateway = {"existingRef": reference, "extProc": True}
    return router(gateway=gateway, vllmEndpoints=[*entries], **config)


def entry(name: str = "a", tls: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": f"vllm-{name}", "port": 8000}}
    return {
        "name": name,
        "model": name,
        "backend": {**backend, **({} if tls is None else {"tls": tls})},
        **more,
    }


def facts(found: Router, controller: str, namespace: str = "default", **gateway: Any) -> Facts:
    endpoints = [
        Endpoint(
            each["name"],
            each["model"],
            1,
            f"vllm-{each['name']}",
            namespace,
            8000,
            "https",
            ready=True,
            pool=each["backend"].get("name") or "",
        )
        for each in found.spec["vllmEndpoints"]
    ]
    listeners = [{"name": "http", "allows": True, "why": ""}]
    known = {"found": True, "controller": controller, "listeners": listeners, **gateway}
    return Facts(capabilities=APIS, endpoints=endpoints, gateway=known)


def refused(found: Router, controller: str, **more: Any) -> set[str]:
    problems = list(told.problems(found, facts(found, controller, **more)))
    assert all(problem.blocking and problem.remedy for problem in problems)
    return {problem.field for problem in problems}


@pytest.mark.parametrize("controller", EVERYONE)
def test_every_gateway_can_be_told_of_public_authorities(controller: str) -> None:
    found = attached(entry(tls={"wellKnownCACertificates": "System"}))
    assert refused(found, controller) == set()


@pytest.mark.parametrize(
    ("tls", "field", "by"),
    [
        (CONFIG_MAP, f"{FIELD}.caRef.kind", {CONTROLLER_ISTIO}),
        (SECRET, f"{FIELD}.caRef.kind", {CONTROLLER_KGATEWAY, CONTROLLER_AGENTGATEWAY}),
        ({"caRef": {"name": "ca", "key": "tls.crt"}}, f"{FIELD}.caRef.key", {*EVERYONE}),
        (
            {"insecureSkipVerify": True},
            f"{FIELD}.insecureSkipVerify",
            {*EVERYONE} - {CONTROLLER_ISTIO},
        ),
        (
            {**CONFIG_MAP, "clientCertificateRef": {"name": "me"}},
            f"{FIELD}.clientCertificateRef",
            {*EVERYONE},
        ),
        ({"serverName": "a.com"}, FIELD, {*EVERYONE}),
    ],
)
def test_what_a_gateway_has_no_word_for_is_refused_with_its_field(
    tls: dict[str, Any], field: str, by: set[str]
) -> None:
    found = attached(entry(tls=tls))
    assert {each for each in EVERYONE if field in refused(found, each)} == by


def test_a_policy_has_to_be_beside_its_service() -> None:
    found = attached(entry(tls=CONFIG_MAP))
    assert refused(found, CONTROLLER_ENVOY_GATEWAY, namespace="models") == {FIELD}


def test_an_older_gateway_api_has_no_word_for_certificates() -> None:
    found = attached(entry(tls=CONFIG_MAP))
    assert refused(found, CONTROLLER_ENVOY_GATEWAY, verifies=False) == {FIELD}
    assert told.asked(found, facts(found, CONTROLLER_ENVOY_GATEWAY, verifies=False)) == []
    assert told.wants_verification(found.spec)
    assert not told.wants_verification(attached(entry()).spec)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"retry": {"numRetries": 1}}, f"{POLICY}.retry.numRetries"),
        ({"timeout": {"firstByte": "1m", "request": "2m"}}, f"{POLICY}.timeout.firstByte"),
        ({"healthCheck": {"active": {}, "passive": {}}}, f"{POLICY}.healthCheck.active"),
    ],
)
def test_istio_is_told_less_than_envoy_gateway(policy: dict[str, Any], field: str) -> None:
    found = attached(entry(trafficPolicy=policy))
    assert refused(found, CONTROLLER_ENVOY_GATEWAY) == set()
    assert refused(found, CONTROLLER_ISTIO) == {field}
    assert field in refused(found, CONTROLLER_KGATEWAY)


@pytest.mark.parametrize("controller", EVERYONE)
def test_how_long_a_request_may_take_is_the_routes_own(controller: str) -> None:
    found = attached(entry(trafficPolicy={"timeout": {"request": "90s"}}), entry("b"))
    known = facts(found, controller)
    assert refused(found, controller) == set()
    limits = {
        rule["matches"][0]["headers"][0]["value"]: rule["timeouts"]["request"]
        for route in http_routes(found, known)
        for rule in route["spec"]["rules"]
        if "headers" in rule["matches"][0]
    }
    assert limits == {"a": "90s", "b": "0s"}


def test_models_that_are_asked_alike_share_their_routes() -> None:
    policy = {"retry": {"numRetries": 1}}
    found = attached(
        entry("a", trafficPolicy=policy),
        entry("b"),
        entry("c", trafficPolicy=policy),
        entry("d", trafficPolicy={"timeout": {"idle": "1m"}}),
    )
    groups = [(each.models, each.routes) for each in model_groups("r", found.spec)]
    # What is for the default model is asked as that is.
    assert groups == [
        (["b"], ["r-models"]),
        (["a", "c", ""], ["r-models-2"]),
        (["d"], ["r-models-3"]),
    ]
    assert told.route_policy_names(found) == [
        "my-router",
        "my-router-models-2",
        "my-router-models-3",
    ]


def test_two_who_are_one_service_are_asked_in_one_way() -> None:
    one, other = entry("a", tls=CONFIG_MAP), entry("b", tls={"wellKnownCACertificates": "System"})
    found = attached(one, other)
    known = facts(found, CONTROLLER_ENVOY_GATEWAY)
    same = [known.endpoints[0], Endpoint(**{**vars(known.endpoints[0]), "name": "b", "model": "b"})]
    problems = told.problems(found, Facts(capabilities=APIS, endpoints=same, gateway=known.gateway))
    assert [each.field for each in problems] == ["spec.vllmEndpoints[1].backend.tls"]


def test_a_policy_is_about_every_port_of_a_service() -> None:
    found = attached(entry("a"), entry("b", tls=CONFIG_MAP))
    known = facts(found, CONTROLLER_ENVOY_GATEWAY)
    plain, secured = known.endpoints
    other_port = replace(secured, service=plain.service, port=8443)
    both = replace(known, endpoints=[plain, other_port])
    assert [each.field for each in told.problems(found, both)] == [
        "spec.vllmEndpoints[1].backend.tls"
    ]


def test_only_agentgateway_asks_a_picker_after_the_router() -> None:
    pool = {"name": "a", "model": "a", "backend": {"type": "inferencepool", "name": "llama"}}
    found = attached(pool)
    field = "spec.vllmEndpoints[0].backend.type"
    assert {each for each in EVERYONE if field in refused(found, each)} == {*EVERYONE} - {
        CONTROLLER_AGENTGATEWAY
    }
    *_, models = http_routes(found, facts(found, CONTROLLER_AGENTGATEWAY))
    reference = {
        "group": "inference.networking.k8s.io",
        "kind": "InferencePool",
        "namespace": "default",
        "name": "llama",
        "weight": 1,
    }
    assert [rule["backendRefs"] for rule in models["spec"]["rules"]] == [[reference], [reference]]


def test_verdicts_are_waited_for_where_a_controller_writes_them() -> None:
    found = attached(entry(tls=CONFIG_MAP))
    names = {
        each: [str(policy) for policy in told.policies(found, facts(found, each))]
        for each in EVERYONE
        if each != CONTROLLER_ISTIO
    }
    tls = "BackendTLSPolicy my-router-vllm-a"
    assert names == {
        CONTROLLER_ENVOY_GATEWAY: ["BackendTrafficPolicy my-router", tls],
        CONTROLLER_KGATEWAY: [tls],
        CONTROLLER_AGENTGATEWAY: [tls],
    }
    assert told.policies(found, facts(found, CONTROLLER_ISTIO)) == []
