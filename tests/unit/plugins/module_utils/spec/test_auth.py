"""What spec.auth says, and where Envoy finds it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import auth
from examples import router

JWT = {"issuer": "i", "audiences": ["a"], "jwksUri": "https://keys.example.com/jwks"}
GATEWAY = {"existingRef": {"name": "g", "namespace": "n"}}


def issuer(**more: Any) -> auth.Issuer:
    (found,) = auth.issuers(router(auth={"jwt": [{**JWT, **more}]}).spec)
    return found


def test_unset_means_everyone_and_anything_else_does_not() -> None:
    assert not auth.is_wanted(router().spec)
    assert auth.is_wanted(router(auth={}).spec)


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        ("https://Keys.example.com/jwks", "keys.example.com", 443),
        ("https://keys.auth.svc:8443/a/b", "keys.auth.svc", 8443),
        ("https://keys.example.com", "keys.example.com", 443),
    ],
)
def test_an_issuers_host_and_port_are_those_of_its_keys(uri: str, host: str, port: int) -> None:
    found = issuer(jwksUri=uri)
    assert (found.host, found.port) == (host, port)


def test_claims_are_the_usual_ones_unless_named() -> None:
    assert (issuer().user_claim, issuer().groups_claim) == ("sub", "groups")
    named = issuer(claims={"user": "email"})
    assert (named.user_claim, named.groups_claim) == ("email", "groups")


def test_each_secret_and_ca_has_a_volume_of_its_own() -> None:
    keys = [{"secretRef": {"name": name}} for name in ("one", "two")]
    spec = {"apiKeys": keys, "jwt": [JWT, {**JWT, "issuer": "j", "caRef": {"name": "ca"}}]}
    volumes = [*auth.volumes(router(auth=spec).spec)]
    assert [volume["name"] for volume, _ in volumes] == ["api-keys-0", "api-keys-1", "issuer-ca-1"]
    assert len({directory for _, directory in volumes}) == 3
    assert volumes[-1][0]["configMap"] == {
        "name": "ca",
        "items": [{"key": "ca.crt", "path": "ca.crt"}],
    }


def test_public_keys_may_be_those_of_a_config_map() -> None:
    entry = {"issuer": "i", "audiences": ["a"], "jwksRef": {"name": "keys"}}
    spec = router(auth={"jwt": [JWT, entry]}).spec
    first, second = auth.issuers(spec)
    ((volume, directory),) = auth.volumes(spec)
    assert (first.key_set, second.key_set) == (None, ("keys", "jwks"))
    assert (second.jwks_uri, second.host) == ("", "")
    assert volume["configMap"] == {
        "name": "keys",
        "items": [{"key": "jwks", "path": "jwks.json"}],
    }
    assert second.key_set_file == f"{directory}/jwks.json"


def test_pods_without_an_envoy_get_none() -> None:
    spec = {"apiKeys": [{"secretRef": {"name": "one"}}]}
    assert not [*auth.volumes(router(auth=spec, gateway=GATEWAY).spec)]


def test_the_routers_configuration_may_name_other_headers() -> None:
    assert auth.identity_headers(router().spec) == ("x-authz-user-id", "x-authz-user-groups")
    names = {"user_id_header": "X-User"}
    config = {"global": {"services": {"authz": {"identity": names}}}}
    assert auth.identity_headers(router(config=config).spec) == ("x-user", "x-authz-user-groups")


def test_envoy_sees_the_keys_of_the_clients_that_are_named_and_of_all_others_none() -> None:
    keys = {"secretRef": {"name": "team"}}
    ((everybody, _),) = auth.volumes(router(auth={"apiKeys": [keys]}).spec)
    ((some, _),) = auth.volumes(router(auth={"apiKeys": [{**keys, "clients": ["web"]}]}).spec)

    assert everybody["secret"] == {"secretName": "team"}
    assert some["secret"] == {"secretName": "team", "items": [{"key": "web", "path": "web"}]}


def test_a_router_that_serves_alone_gets_each_key_in_a_variable_of_its_own() -> None:
    keys = [
        {"secretRef": {"name": "team"}, "clients": ["web", "Web"]},
        {"secretRef": {"name": "jobs"}, "clients": ["web"]},
    ]
    spec = router(auth={"apiKeys": keys}, gateway={"mode": "router"}).spec
    found = {entry["name"]: entry["valueFrom"] for entry in auth.key_environment(spec)}

    assert [value["secretKeyRef"] for value in found.values()] == [
        {"name": "team", "key": "web"},
        {"name": "team", "key": "Web"},
        {"name": "jobs", "key": "web"},
    ]
    assert list(auth.volumes(spec)) == []
    assert auth.key_environment(router(auth={"apiKeys": keys}).spec) == []
