"""What Gateways are told of backends; the e2e tests ask real controllers and their CRDs."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_AGENTGATEWAY,
    CONTROLLER_ENVOY_GATEWAY,
    CONTROLLER_ISTIO,
    CONTROLLER_KGATEWAY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway_backends import (
    backend_policies,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from examples import router

APIS = {
    "gateway.networking.k8s.io": ["v1"],
    "gateway.envoyproxy.io": ["v1alpha1"],
    "networking.istio.io": ["v1alpha3"],
    "gateway.kgateway.dev": ["v1alpha1"],
    "agentgateway.dev": ["v1alpha1"],
}
EVERYTHING = {
    "loadBalancer": {"type": "RoundRobin", "slowStart": "1m"},
    "timeout": {"connect": "2s", "firstByte": "30s", "idle": "1m30s", "request": "5m"},
    "retry": {"numRetries": 2, "budgetPercent": 20},
    "healthCheck": {
        "active": {"interval": "5s"},
        "passive": {"consecutive5xxErrors": 3, "baseEjectionTime": "15s"},
    },
}


def built(controller: str, **entry: Any) -> list[Manifest]:
    tls = entry.pop("tls", None)
    backend = {"type": "service", "service": {"name": "vllm", "port": 8000}}
    found = router(
        gateway={"existingRef": {"name": "public", "namespace": "default"}, "extProc": True},
        vllmEndpoints=[
            {"name": "e", "model": "m", "backend": backend | ({"tls": tls} if tls else {}), **entry}
        ],
    )
    listeners = [{"name": "http", "allows": True, "why": ""}]
    known = {"found": True, "controller": controller, "listeners": listeners}
    endpoint = Endpoint("e", "m", 1, "vllm", "default", 8000, "https", ready=True)
    return backend_policies(found, Facts(capabilities=APIS, endpoints=[endpoint], gateway=known))


@pytest.mark.parametrize(
    "controller", [CONTROLLER_ENVOY_GATEWAY, CONTROLLER_KGATEWAY, CONTROLLER_AGENTGATEWAY]
)
def test_a_certificate_is_verified_by_the_apis_own_policy(controller: str) -> None:
    *_, policy = built(controller, tls={"caRef": {"name": "ca"}})
    assert (policy["kind"], policy["metadata"]["name"]) == ("BackendTLSPolicy", "my-router-vllm")
    assert policy["spec"] == {
        "targetRefs": [{"group": "", "kind": "Service", "name": "vllm"}],
        "validation": {
            "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "ca"}],
            "hostname": "vllm.default.svc",
        },
    }


def test_public_authorities_and_another_name_are_told_too() -> None:
    tls = {"wellKnownCACertificates": "System", "serverName": "llm.example.com"}
    *_, policy = built(CONTROLLER_KGATEWAY, tls=tls)
    assert policy["spec"]["validation"] == {
        "wellKnownCACertificates": "System",
        "hostname": "llm.example.com",
    }


def test_envoy_gateway_is_told_all_of_a_traffic_policy() -> None:
    (policy,) = built(CONTROLLER_ENVOY_GATEWAY, trafficPolicy=EVERYTHING)
    assert policy["metadata"]["name"] == "my-router-models"
    told = policy["spec"]
    assert [each["name"] for each in told["targetRefs"]] == ["my-router-models"]
    assert told["loadBalancer"] == {"type": "RoundRobin", "slowStart": {"window": "60s"}}
    assert told["timeout"] == {
        "tcp": {"connectTimeout": "2s"},
        "http": {"streamIdleTimeout": "90s"},
    }
    assert told["retry"]["numRetries"] == 2
    assert told["retry"]["perRetry"] == {"timeout": "30s"}
    assert told["retry"]["retryOn"]["httpStatusCodes"] == [503]
    assert told["circuitBreaker"]["retryBudget"]["percent"] == {
        "numerator": 2000,
        "denominator": 10000,
    }
    assert told["healthCheck"]["active"]["http"] == {"path": "/health", "method": "GET"}
    assert told["healthCheck"]["passive"]["consecutive5XxErrors"] == 3
    assert told["requestBuffer"]


def test_envoy_gateway_has_room_for_as_much_as_standalone_mode() -> None:
    (policy,) = built(CONTROLLER_ENVOY_GATEWAY)
    assert [each["name"] for each in policy["spec"]["targetRefs"]] == ["my-router-models"]
    assert policy["spec"]["requestBuffer"] == {"limit": "32Mi"}
    # What the Gateway's owner asks for all routes stays.
    assert policy["spec"]["mergeType"] == "StrategicMerge"
    assert not policy["spec"].keys() & {"loadBalancer", "retry"}


def test_istio_has_one_rule_for_both() -> None:
    policy = {
        "loadBalancer": {"slowStart": "1m"},
        "timeout": {"connect": "2s"},
        "healthCheck": {"passive": {"consecutive5xxErrors": 3}},
    }
    tls = {"caRef": {"kind": "Secret", "name": "ca"}}
    (rule,) = built(CONTROLLER_ISTIO, trafficPolicy=policy, tls=tls)
    assert (rule["kind"], rule["spec"]["host"]) == ("DestinationRule", "vllm")
    told = rule["spec"]["trafficPolicy"]
    assert told["tls"] == {
        "mode": "SIMPLE",
        "sni": "vllm.default.svc",
        "subjectAltNames": ["vllm.default.svc"],
        "credentialName": "ca",
    }
    assert told["loadBalancer"] == {"simple": "LEAST_REQUEST", "warmup": {"duration": "60s"}}
    assert told["connectionPool"] == {"tcp": {"connectTimeout": "2s"}}
    assert told["outlierDetection"]["consecutive5xxErrors"] == 3


def test_istio_takes_any_certificate_only_when_that_is_written() -> None:
    (rule,) = built(CONTROLLER_ISTIO, tls={"insecureSkipVerify": True})
    assert rule["spec"]["trafficPolicy"]["tls"] == {
        "mode": "SIMPLE",
        "sni": "vllm.default.svc",
        "insecureSkipVerify": True,
    }
    (public,) = built(CONTROLLER_ISTIO, tls={"wellKnownCACertificates": "System"})
    assert public["spec"]["trafficPolicy"]["tls"]["caCertificates"] == "system"


def test_what_cannot_be_told_whole_is_not_told_in_part() -> None:
    assert built(CONTROLLER_ISTIO, trafficPolicy=EVERYTHING) == []
    assert built(CONTROLLER_KGATEWAY) == []
