"""Plain Kubernetes, asked for what only OpenShift has. The other way round: test_openshift.py."""

from __future__ import annotations

from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter


def test_a_route_on_plain_kubernetes_is_said_to_be_missing_and_the_rest_works(
    operator: Operator, router: SemanticRouter
) -> None:
    router.spec["openshift"] = {"routes": {"enabled": True, "hostname": "router.example.com"}}
    router.create_service()
    router.apply()
    condition = router.wait_for("RouteReady", "False")
    assert condition["reason"] == "RouteApiMissing"
    assert "spec.openshift.routes.enabled" in condition["message"]
    assert "spec.ingress" in condition["message"]
    router.wait_for("Ready")
    router.wait_for("Available")
    router.wait_for_phase("Degraded")
    assert router.wait_for("Degraded")["reason"] == "RouteApiMissing"
    assert "openshiftFeatures" not in router.get()["status"]

    router.spec["openshift"]["routes"]["enabled"] = False
    router.apply()
    router.wait_for_phase("Running")
    assert "RouteReady" not in {item["type"] for item in router.get()["status"]["conditions"]}
