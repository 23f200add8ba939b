"""How Envoy is told to ask backends with TLS; integration/data_path sees it done."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import upstream_tls
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.verification import (
    Verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_tls import Mounted
from examples import router

CA = Mounted("ConfigMap", "ca", (("ca.crt", "ca.crt"),))
CLIENT = Mounted("Secret", "client", (("tls.crt", "tls.crt"), ("tls.key", "tls.key")))
SKIPPED = Verification(is_skipped=True)
HTTPS = Endpoint("e", "m", 1, "vllm", "models", 8443, "https", ready=True)


def context(wanted: Verification) -> dict[str, Any]:
    found: dict[str, Any] = upstream_tls.transport_socket(wanted)["typed_config"]
    return found


def test_endpoints_that_are_asked_alike_share_a_socket_and_others_do_not() -> None:
    ways = [
        None,
        SKIPPED,
        Verification(),
        Verification(ca=CA),
        Verification(ca=replace(CA, name="other")),
        Verification(server_name="x"),
        Verification(client_certificate=CLIENT),
        replace(SKIPPED, client_certificate=CLIENT),
        replace(SKIPPED, server_name="x"),
        Verification(ca=CA, server_name="x"),
        Verification(ca=CA, client_certificate=CLIENT),
    ]
    assert len({upstream_tls.transport(each) for each in ways}) == len(ways)
    assert upstream_tls.transport(Verification(ca=CA)) == upstream_tls.transport(
        Verification(ca=replace(CA))
    )


@pytest.mark.parametrize("wanted", [Verification(), Verification(is_known=False)])
def test_without_a_ca_the_images_authorities_verify(wanted: Verification) -> None:
    validation = context(wanted)["common_tls_context"]["validation_context"]
    assert validation == {"trusted_ca": {"filename": upstream_tls.AUTHORITIES}}
    assert context(wanted)["auto_sni_san_validation"]


@pytest.mark.parametrize("wanted", [SKIPPED, replace(SKIPPED, ca=CA)])
def test_only_what_is_skipped_is_not_verified(wanted: Verification) -> None:
    assert "auto_sni_san_validation" not in context(wanted)
    assert not any("validation" in name for name in context(wanted)["common_tls_context"])


def test_envoy_yaml_has_a_name_only_where_secrets_need_one() -> None:
    plain = router(vllmEndpoints=[])
    assert upstream_tls.node(plain, Facts()) == {}
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}}
    entry = {"name": "e", "model": "m", "backend": {**backend, "tls": {"caRef": {"name": "ca"}}}}
    asked, facts = router(vllmEndpoints=[entry]), Facts(endpoints=[HTTPS])
    assert upstream_tls.node(asked, facts)["node"]["id"] == "my-router"
    (name,) = upstream_tls.secret_files(asked, facts)
    assert f"/{name}" in str(upstream_tls.transport_socket(Verification(ca=CA)))


@pytest.mark.parametrize(
    "tls", [{"insecureSkipVerify": True}, {"wellKnownCACertificates": "System"}]
)
def test_what_was_there_before_stays_as_it_was(tls: dict[str, Any]) -> None:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}, "tls": tls}
    asked = router(vllmEndpoints=[{"name": "e", "model": "m", "backend": backend}])
    facts = Facts(endpoints=[HTTPS])
    assert upstream_tls.secret_files(asked, facts) == {}
