"""What backend.tls says, and where Envoy's container finds what that takes."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_tls
from examples import router

GATEWAY = {"existingRef": {"name": "g", "namespace": "n"}}


def entry(name: str, tls: dict[str, Any] | None) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": name, "port": 8443}}
    return {"name": name, "model": "m", "backend": {**backend, **({"tls": tls} if tls else {})}}


def spec_of(*wanted: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    entries = [entry(f"e{index}", tls) for index, tls in enumerate(wanted)]
    return router(vllmEndpoints=entries, **more).spec


def test_a_ca_is_mounted_under_one_name_whatever_its_key_is_called() -> None:
    spec = spec_of({"caRef": {"name": "ca", "key": "root.pem"}})
    (mounted,) = backend_tls.mounted(spec).values()
    assert mounted.pod_volume() == {
        "name": mounted.volume,
        "configMap": {"name": "ca", "items": [{"key": "root.pem", "path": "ca.crt"}]},
    }
    assert mounted.file("ca.crt") == f"{mounted.directory}/ca.crt"


def test_of_a_secret_the_kubelet_mounts_only_what_is_named() -> None:
    spec = spec_of(
        {"caRef": {"kind": "Secret", "name": "ca"}, "clientCertificateRef": {"name": "client"}}
    )
    ca, client = (each.pod_volume()["secret"] for each in backend_tls.mounted(spec).values())
    assert ca == {"secretName": "ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    assert client["secretName"] == "client"
    assert [item["key"] for item in client["items"]] == ["tls.crt", "tls.key"]


def test_endpoints_with_the_same_ca_share_a_volume_and_others_do_not() -> None:
    one, same = {"caRef": {"name": "ca"}}, {"caRef": {"name": "ca", "kind": "ConfigMap"}}
    others = [
        {"caRef": {"name": "ca", "key": "other"}},
        {"caRef": {"name": "ca", "kind": "Secret"}},
        {"caRef": {"name": "other"}},
    ]
    assert len(backend_tls.mounted(spec_of(one, same, None, *others))) == 4


def test_a_volume_keeps_its_name_when_endpoints_change_places() -> None:
    one, two = {"caRef": {"name": "one"}}, {"caRef": {"name": "two"}}
    assert {*backend_tls.mounted(spec_of(one, two))} == {*backend_tls.mounted(spec_of(two, one))}


def test_what_is_named_is_told_with_its_field() -> None:
    spec = spec_of(None, {"caRef": {"name": "ca"}, "clientCertificateRef": {"name": "client"}})
    (tls,) = backend_tls.by_endpoint(spec).values()
    assert [(field, each.kind, each.name) for field, each in tls.named] == [
        ("spec.vllmEndpoints[1].backend.tls.caRef.name", "ConfigMap", "ca"),
        ("spec.vllmEndpoints[1].backend.tls.clientCertificateRef.name", "Secret", "client"),
    ]


def test_pods_without_an_envoy_get_no_certificates() -> None:
    assert backend_tls.mounted(spec_of({"caRef": {"name": "ca"}}, gateway=GATEWAY)) == {}


def test_names_of_volumes_are_taken() -> None:
    spec = spec_of({"caRef": {"name": "ca"}})
    assert {*backend_tls.mounted(spec)} < {*backend_tls.own_volumes(spec)}
    service_ca = backend_tls.service_ca("x")
    assert service_ca.volume in backend_tls.own_volumes(spec)
    (item,) = service_ca.pod_volume()["configMap"]["items"]
    assert item == {"key": "service-ca.crt", "path": "ca.crt"}
