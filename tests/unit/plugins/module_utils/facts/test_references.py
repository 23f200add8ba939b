"""Which ConfigMaps and Secrets the pods use, and when their digests change."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.references import (
    config_maps_digest,
    mounted,
    references,
    secrets_digest,
)
from examples import router

SPEC: dict[str, Any] = {
    "env": [
        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "some-keys", "key": "a"}}},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "some-keys", "key": "b"}}},
        {"name": "C", "valueFrom": {"secretKeyRef": {"name": "token", "key": "c"}}},
        {"name": "D", "value": "plain", "valueFrom": None},
    ],
    "envFrom": [
        {"configMapRef": {"name": "all-keys"}},
        {"secretRef": {"name": "more"}, "configMapRef": None},
    ],
    "extraVolumes": [
        {"name": "w", "configMap": {"name": "whole"}},
        {"name": "i", "configMap": {"name": "items", "items": [{"key": "k", "path": "p"}]}},
        {"name": "s", "secret": {"secretName": "mounted"}},
        {"name": "e", "emptyDir": {}},
        {
            "name": "p",
            "projected": {
                "sources": [{"configMap": {"name": "projected"}}, {"secret": {"name": "projected"}}]
            },
        },
    ],
    "extraContainers": [
        {
            "name": "sidecar",
            "image": "example.com/sidecar:1",
            "envFrom": [{"configMapRef": {"name": "sidecar"}}],
        }
    ],
    "config": {
        "response_cache": {
            "backend_type": "redis",
            "redis": {
                "connection": {"host": "r", "password_secret_ref": {"name": "redis", "key": "p"}}
            },
        }
    },
}


def config_map(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "any", "resourceVersion": data.pop("version", "1")}, "data": data}


def test_every_place_of_a_pod_that_takes_something_is_found() -> None:
    found = references(router(**SPEC).spec)
    assert found.config_maps == {
        "some-keys": frozenset({"a", "b"}),
        "all-keys": None,
        "whole": None,
        "items": frozenset({"k"}),
        "projected": None,
        "sidecar": None,
    }
    assert found.secrets == ["more", "mounted", "projected", "redis", "token"]


def test_keys_are_read_again_and_a_ca_of_an_issuer_is_not() -> None:
    issuer = {
        "issuer": "i",
        "audiences": ["a"],
        "jwksUri": "https://i/keys",
        "caRef": {"name": "c"},
    }
    key_set = {"issuer": "j", "audiences": ["a"], "jwksRef": {"name": "read-again"}}
    found = references(
        router(auth={"apiKeys": [{"secretRef": {"name": "team"}}], "jwt": [issuer, key_set]}).spec
    )
    assert found.named_secrets == {"spec.auth.apiKeys[0].secretRef.name": "team"}
    assert (found.config_maps, found.secrets) == ({"c": frozenset({"ca.crt"})}, [])


def test_what_backends_are_verified_by_is_read_again_by_envoy() -> None:
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}}
    entries = [
        {"name": name, "model": name, "backend": {**backend, "tls": tls}}
        for name, tls in {
            "one": {"caRef": {"name": "ca"}, "clientCertificateRef": {"name": "client"}},
            "two": {"caRef": {"name": "other-ca", "kind": "Secret"}},
        }.items()
    ]
    found = references(router(vllmEndpoints=entries).spec)
    assert found.reread_config_maps == ["ca"]
    assert found.named_secrets == {
        "spec.vllmEndpoints[0].backend.tls.clientCertificateRef.name": "client",
        "spec.vllmEndpoints[1].backend.tls.caRef.name": "other-ca",
    }
    assert (found.config_maps, found.secrets) == ({}, [])


def test_a_router_without_references_has_no_digests() -> None:
    found = references(router().spec)
    assert (found.config_maps, found.secrets) == ({}, [])
    assert config_maps_digest({}, {}) == ""
    assert secrets_digest([], {}) == ""


def test_a_config_map_used_as_a_whole_counts_as_a_whole() -> None:
    spec = {"envFrom": [{"configMapRef": {"name": "some-keys"}}], "env": SPEC["env"]}
    assert references(router(**spec).spec).config_maps == {"some-keys": None}


def test_the_digest_follows_the_content_that_is_used() -> None:
    keyed = {"one": frozenset({"a"})}

    def digest(keys: Any, found: Any) -> str:
        return config_maps_digest(keys, {"one": found})

    before = digest(keyed, config_map(a="1", b="1"))
    assert before == digest(keyed, config_map(a="1", b="2", version="2"))
    assert before != digest(keyed, config_map(a="2"))
    assert before != digest(keyed, config_map())
    assert digest({"one": None}, config_map(a="1")) != digest({"one": None}, config_map(a="2"))
    binary = {"metadata": {}, "binaryData": {"a": "AA=="}}
    assert digest({"one": None}, binary) not in ("", digest({"one": None}, config_map()))


def test_nothing_is_concluded_from_what_is_not_there() -> None:
    assert config_maps_digest({"one": None, "two": None}, {"one": config_map(), "two": None}) == ""
    assert secrets_digest(["one"], {}) == ""


def test_the_digest_of_secrets_follows_their_versions_and_identity() -> None:
    def digest(uid: str, version: str) -> str:
        return secrets_digest(
            ["one"], {"one": {"metadata": {"uid": uid, "resourceVersion": version}}}
        )

    assert len({digest("a", "1"), digest("a", "2"), digest("b", "1")}) == 3
    assert digest("a", "1") == digest("a", "1")


def test_what_a_router_that_serves_alone_reads_at_its_start_replaces_pods_when_it_changes() -> None:
    keys = {"secretRef": {"name": "team"}, "clients": ["web"]}
    gateway = {"mode": "router", "tls": {"secretName": "router-tls"}}
    found = references(router(auth={"apiKeys": [keys]}, gateway=gateway).spec)

    assert found.secrets == ["router-tls", "team"]
    assert found.named_secrets == {
        "spec.auth.apiKeys[0].secretRef.name": "team",
        "spec.gateway.tls.secretName": "router-tls",
    }


def test_every_object_without_which_no_pod_starts_has_its_field() -> None:
    issuer = {"issuer": "i", "audiences": ["a"]}
    jwt = [
        {**issuer, "jwksUri": "https://i/keys", "caRef": {"name": "c"}},
        {**issuer, "jwksRef": {"name": "j"}},
    ]
    volumes = [
        {"name": "a", "secret": {"secretName": "s", "optional": True}},
        {"name": "b", "secret": {"secretName": "t"}},
        {"name": "c", "projected": {"sources": [{"configMap": {"name": "p"}}]}},
    ]
    keys = [{"secretRef": {"name": "team"}}]
    spec = router(auth={"apiKeys": keys, "jwt": jwt}, extraVolumes=volumes).spec
    assert [(each.field, each.kind, each.name) for each in mounted(spec)] == [
        ("spec.auth.apiKeys[0].secretRef.name", "Secret", "team"),
        ("spec.auth.jwt[0].caRef.name", "ConfigMap", "c"),
        ("spec.auth.jwt[1].jwksRef.name", "ConfigMap", "j"),
        ("spec.extraVolumes[1].secret.secretName", "Secret", "t"),
        ("spec.extraVolumes[2].projected.sources[0].configMap.name", "ConfigMap", "p"),
    ]
