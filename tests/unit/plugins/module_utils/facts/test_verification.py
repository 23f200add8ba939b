"""By what a backend is verified, and who is told when nothing says it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    PLATFORM_OPENSHIFT,
    Endpoint,
    Facts,
    verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.verification import (
    Verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import router

INSIDE = Endpoint("e", "m", 1, "vllm", "models", 8443, "https", ready=True)
OUTSIDE = Endpoint("e", "m", 1, "", "", 443, "https", ready=True, server_name="api.example.com")
ALIAS = replace(INSIDE, server_name="api.example.com")
ALIAS_INSIDE = replace(INSIDE, server_name="gateway.knative.svc.cluster.local")
# What a URL leads to is verified by public authorities, whatever its name looks like.
URL_INSIDE = replace(OUTSIDE, server_name="vllm.models.svc")
FIELD = "spec.vllmEndpoints[0].backend.tls"


def router_of(tls: dict[str, Any] | None = None, **more: Any) -> Router:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}}
    entry = {"name": "e", "model": "m", "backend": {**backend, **({"tls": tls} if tls else {})}}
    return router(vllmEndpoints=[entry], **more)


def found(
    endpoint: Endpoint, tls: dict[str, Any] | None = None, platform: str = PLATFORM_KUBERNETES
) -> Verification:
    facts = Facts(platform=platform, endpoints=[endpoint])
    return verification.by_endpoint(router_of(tls), facts)["e"]


def told(
    tls: dict[str, Any] | None,
    endpoint: Endpoint = INSIDE,
    authorities: dict[str, Any] | None = None,
    **more: Any,
) -> list[Problem]:
    facts = Facts(endpoints=[endpoint], **more)
    return [*verification.problems(router_of(tls), facts, authorities or {})]


@pytest.mark.parametrize("platform", [PLATFORM_KUBERNETES, PLATFORM_OPENSHIFT])
@pytest.mark.parametrize("endpoint", [OUTSIDE, ALIAS, URL_INSIDE])
def test_outside_of_the_cluster_public_authorities_verify(
    endpoint: Endpoint, platform: str
) -> None:
    assert found(endpoint, platform=platform) == Verification()


@pytest.mark.parametrize("endpoint", [INSIDE, ALIAS_INSIDE])
def test_inside_only_openshift_says_by_what_to_verify(endpoint: Endpoint) -> None:
    wanted = found(endpoint, platform=PLATFORM_OPENSHIFT)
    assert wanted.is_known
    assert wanted.ca
    assert wanted.ca.name == "my-router-service-ca"
    assert found(endpoint) == Verification(is_known=False)


def test_what_the_spec_names_comes_before_the_platform() -> None:
    named = found(INSIDE, {"caRef": {"name": "ca"}}, PLATFORM_OPENSHIFT)
    assert named.ca
    assert named.ca.name == "ca"
    system = found(INSIDE, {"wellKnownCACertificates": "System"}, PLATFORM_OPENSHIFT)
    assert system == Verification()
    assert found(INSIDE, {"insecureSkipVerify": True}).is_skipped


def test_a_name_alone_does_not_say_by_what_to_verify() -> None:
    named = {"serverName": "llama.example.com"}
    assert not found(INSIDE, named).is_known
    assert found(INSIDE, named, PLATFORM_OPENSHIFT).ca
    assert found(OUTSIDE, named) == Verification(server_name="llama.example.com")


def test_skipping_has_to_be_written_as_true() -> None:
    assert not found(INSIDE, {"insecureSkipVerify": False}).is_skipped


def test_plain_backends_have_nothing_to_verify() -> None:
    facts = Facts(endpoints=[replace(INSIDE, scheme="http")])
    assert verification.by_endpoint(router_of(), facts) == {}


def test_behind_a_gateway_it_is_not_ours_to_verify() -> None:
    gateway = {"existingRef": {"name": "g", "namespace": "n"}}
    facts = Facts(platform=PLATFORM_OPENSHIFT, endpoints=[INSIDE])
    asked = router_of(gateway=gateway)
    assert verification.by_endpoint(asked, facts) == {}
    assert verification.service_ca(asked, facts) is None
    assert [*verification.problems(asked, facts, {})] == []


def test_the_service_ca_is_wanted_where_a_backend_is_verified_by_it() -> None:
    facts = Facts(platform=PLATFORM_OPENSHIFT, endpoints=[INSIDE])
    assert verification.service_ca(router_of(), facts)
    assert not verification.service_ca(router_of({"caRef": {"name": "ca"}}), facts)
    assert not verification.service_ca(router_of(), replace(facts, platform=PLATFORM_KUBERNETES))


def test_nothing_is_written_while_nobody_says_by_what_to_verify() -> None:
    (problem,) = told(None)
    assert (problem.reason, problem.field) == ("BackendNotVerified", FIELD)
    assert problem.blocking
    assert not problem.retry
    assert "vllm.models.svc:8443" in problem.found
    assert "tls.caRef" in problem.remedy
    assert "tls.insecureSkipVerify" in problem.remedy


@pytest.mark.parametrize(
    "tls",
    [
        {"caRef": {"name": "ca"}},
        {"wellKnownCACertificates": "System"},
    ],
)
def test_nothing_is_wrong_when_it_is_said(tls: dict[str, Any]) -> None:
    assert told(tls) == []


def test_a_backend_that_nobody_has_seen_does_not_stop_the_others() -> None:
    assert told(None, replace(INSIDE, is_assumed=True)) == []
    assert told(None, replace(INSIDE, ready=False)) != []


def test_skipping_is_told_and_stops_nothing() -> None:
    (problem,) = told({"insecureSkipVerify": True})
    assert (problem.reason, problem.field) == ("InsecureSkipVerify", f"{FIELD}.insecureSkipVerify")
    assert not problem.blocking


@pytest.mark.parametrize(
    ("live", "field", "words"),
    [
        (None, "name", "does not exist"),
        ({"metadata": {}}, "key", "has no key ca.crt"),
        ({"data": {"ca.pem": "x"}}, "key", "has no key ca.crt"),
        ({"data": {"ca.crt": "MIIB"}}, "key", "has no certificate in PEM"),
    ],
)
def test_a_ca_that_is_not_there_is_told_with_its_field(
    live: dict[str, Any] | None, field: str, words: str
) -> None:
    (problem,) = told({"caRef": {"name": "ca"}}, authorities={"ca": live})
    assert (problem.reason, problem.field) == ("AuthorityNotFound", f"{FIELD}.caRef.{field}")
    assert words in problem.found
    assert problem.retry
    assert not problem.blocking


@pytest.mark.parametrize(
    "live",
    [
        {"data": {"ca.crt": "-----BEGIN CERTIFICATE-----"}},
        {"binaryData": {"ca.crt": "LS0t"}},
    ],
)
def test_a_ca_that_is_there_is_no_problem(live: dict[str, Any]) -> None:
    assert told({"caRef": {"name": "ca"}}, authorities={"ca": live}) == []


def test_a_service_ca_that_openshift_does_not_write_is_told() -> None:
    name = "my-router-service-ca"
    platform = {"platform": PLATFORM_OPENSHIFT}
    (problem,) = told(None, authorities={name: {"metadata": {}}}, **platform)
    assert (problem.reason, problem.field) == ("AuthorityNotFound", FIELD)
    assert "tls.caRef" in problem.remedy
    assert not problem.blocking
    # Before it is made, and when it is filled.
    assert told(None, **platform) == []
    assert told(None, authorities={name: {"data": {"service-ca.crt": "x"}}}, **platform) == []


def test_nobody_looks_into_a_secret_for_a_ca() -> None:
    tls = {"caRef": {"kind": "Secret", "name": "ca"}}
    assert told(tls, authorities={"ca": None}) == []


def test_models_of_the_routers_own_document_have_no_field_to_name() -> None:
    facts = Facts(endpoints=[INSIDE])
    assert [*verification.problems(router(), facts, {})] == []
