"""The EnvoyFilter for a Gateway of Istio, as Istio's own CRD takes it. Nobody acts on it here."""

from __future__ import annotations

import json

import pytest
from control_plane import Kubectl, istio
from e2e.gateway.gateways import attach, create_class, create_gateway
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually


@pytest.fixture
def served(kubectl: Kubectl) -> None:
    """The API server knows EnvoyFilters, and a GatewayClass of Istio is there."""
    kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(istio.envoy_filter_crd()))
    kubectl("wait", "--for=create", "crd/envoyfilters.networking.istio.io", "--timeout=30s")
    kubectl("wait", "--for=condition=Established", "crd/envoyfilters.networking.istio.io")
    create_class(kubectl, "istio", istio.CONTROLLER)


def test_the_crd_of_istio_takes_the_envoy_filter(
    served: None, operator: Operator, router: SemanticRouter
) -> None:
    create_gateway(router, "istio")
    router.create_service()
    attach(router, extProc=True)
    router.apply()

    router.wait_for("Ready")
    assert router.wait_for("RouteReady", "False")["reason"] == "HTTPRoutePending"
    envoy_filter = router.read("envoyfilter", router.name)
    assert router.read("httproute", f"{router.name}-models")
    for key in ("resourceVersion", "uid", "managedFields", "generation"):
        envoy_filter["metadata"].pop(key, None)
    router.kubectl(
        *("apply", "--dry-run=server", "--validate=strict", "-n", router.namespace, "-f", "-"),
        stdin=json.dumps({**envoy_filter, "metadata": {"name": "by-hand"}}),
    )

    router.patch("semanticrouter", router.name, {"spec": {"gateway": {"extProc": False}}})
    eventually(
        lambda: "not found" in router.kubectl.run(
            "get", "envoyfilter", router.name, "-n", router.namespace
        ).stderr,
        60,
        "the EnvoyFilter to be removed",
    )  # fmt: skip
