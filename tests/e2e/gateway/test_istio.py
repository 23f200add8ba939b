"""What is made for a Gateway of Istio, as Istio's own CRDs take it. Nobody acts on it here."""

from __future__ import annotations

import json

import pytest
from control_plane import Kubectl, istio
from e2e.gateway.gateways import (
    assert_taken_strictly,
    attach,
    create_class,
    create_gateway,
)
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter


@pytest.fixture
def served(kubectl: Kubectl) -> None:
    """The API server knows Istio's kinds, and a GatewayClass of Istio is there."""
    for kind in (
        "EnvoyFilter",
        "RequestAuthentication",
        "AuthorizationPolicy",
        "DestinationRule",
    ):
        crd = istio.crd(kind)
        name = f"crd/{crd['metadata']['name']}"
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(crd))
        kubectl("wait", "--for=create", name, "--timeout=55s")
        kubectl("wait", "--for=condition=Established", name, "--timeout=55s")
    create_class(kubectl, "istio", istio.CONTROLLER)


def test_the_crds_of_istio_take_what_asks_for_tokens(
    served: None, operator: Operator, router: SemanticRouter
) -> None:
    create_gateway(router, "istio")
    router.create_service()
    attach(router, hostnames=["router.example.com"])
    keys = "https://issuer.example.com/keys"
    issuer = {"issuer": "https://issuer.example.com", "audiences": ["a"], "jwksUri": keys}
    router.spec["auth"] = {"jwt": [issuer]}
    router.apply()

    router.wait_for("Ready")
    for kind in ("requestauthentication", "authorizationpolicy"):
        assert_taken_strictly(router, router.read(kind, router.name))
    assert router.read("httproute", f"{router.name}-health")

    router.patch("semanticrouter", router.name, {"spec": {"auth": None}})
    router.wait_until_gone("requestauthentication", router.name)
    router.wait_until_gone("authorizationpolicy", router.name)
    router.wait_until_gone("httproute", f"{router.name}-health")


def test_the_crd_of_istio_takes_the_envoy_filter(
    served: None, operator: Operator, router: SemanticRouter
) -> None:
    create_gateway(router, "istio")
    router.create_service()
    attach(router, extProc=True)
    entry = router.spec["vllmEndpoints"][0]
    entry["backend"]["tls"] = {"caRef": {"kind": "Secret", "name": "ca"}}
    entry["trafficPolicy"] = {
        "loadBalancer": {"slowStart": "30s"},
        "timeout": {"connect": "2s"},
        "healthCheck": {"passive": {"consecutive5xxErrors": 3}},
    }
    router.apply()

    router.wait_for("Ready")
    assert router.wait_for("RouteReady", "False")["reason"] == "HTTPRoutePending"
    assert_taken_strictly(router, router.read("envoyfilter", router.name))
    rule = f"{router.name}-{entry['backend']['service']['name']}"
    assert_taken_strictly(router, router.read("destinationrule", rule))
    assert router.read("httproute", f"{router.name}-models")

    del entry["backend"]["tls"], entry["trafficPolicy"]
    changed = {"gateway": {"extProc": False}, "vllmEndpoints": [entry]}
    router.patch("semanticrouter", router.name, {"spec": changed})
    router.wait_until_gone("envoyfilter", router.name)
    router.wait_until_gone("destinationrule", rule)
