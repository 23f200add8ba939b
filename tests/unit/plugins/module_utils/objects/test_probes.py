"""How a router that serves alone is asked whether it is well."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.probes import (
    router_probes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from examples import router


def asked(**spec: Any) -> dict[str, Any]:
    wanted = router(**spec).spec
    probes = router_probes(wanted, pod_ports(wanted))
    return {name: probe.get("httpGet") or probe["tcpSocket"] for name, probe in probes.items()}


def test_the_listener_says_whether_a_router_that_serves_alone_is_ready() -> None:
    found = asked(gateway={"mode": "router"}, service={"api": {"targetPort": 8000}})

    assert found == {
        "startupProbe": {"path": "/health", "port": 8000},
        "livenessProbe": {"path": "/health", "port": 8000},
        "readinessProbe": {"path": "/ready", "port": 8000},
    }


def test_a_listener_with_tls_is_asked_over_tls() -> None:
    by_secret = asked(gateway={"mode": "router", "tls": {"secretName": "router-tls"}})
    by_files = asked(
        gateway={"mode": "router"},
        config={"listeners": [{"tls": {"cert_file": "/tls/a", "key_file": "/tls/b"}}]},
    )

    for found in (by_secret, by_files):
        assert {probe["scheme"] for probe in found.values()} == {"HTTPS"}


def test_a_router_behind_envoy_is_asked_at_its_own_port() -> None:
    assert {probe["port"] for probe in asked().values()} == {50051}
