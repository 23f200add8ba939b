"""Gateway mode where the Gateway API is not installed, which is the shared control plane."""

from __future__ import annotations

from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter


def test_a_cluster_without_the_gateway_api_is_a_condition(
    operator: Operator, router: SemanticRouter
) -> None:
    reference = {"name": "public", "namespace": "edge"}
    router.spec["gateway"] = {"existingRef": reference, "extProc": True}
    router.create_service()
    router.apply()

    router.wait_for("Ready")
    missing = router.wait_for("RouteReady", "False")
    assert missing["reason"] == "GatewayApiNotInstalled"
    assert "gateway.networking.k8s.io/v1" in missing["message"]
    router.wait_for_phase("Degraded")

    del router.spec["gateway"]
    router.apply()
    router.wait_for_phase("Running")
