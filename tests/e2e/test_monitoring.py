"""What watches a router and what closes it, before and after Prometheus' operator is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from control_plane import Kubectl, crds
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

KINDS = "servicemonitors,prometheusrules"
EVERYTHING = {
    part: {"enabled": True} for part in ("serviceMonitor", "prometheusRule", "grafanaDashboard")
}


@pytest.fixture
def prometheus_operator(kubectl: Kubectl) -> Iterator[list[str]]:
    """Arguments that name its CRDs, which are not there yet; removed at the end."""
    named = [f"--filename={crds.module_file(*file)}" for file in crds.PROMETHEUS_OPERATOR]
    yield named
    kubectl("delete", *named, "--ignore-not-found")


def watching(router: SemanticRouter) -> set[str]:
    """The kinds and names of what belongs to the router there."""
    answer = router.kubectl(
        "get", f"{KINDS},configmaps,networkpolicies", "-n", router.namespace,
        f"-l=app.kubernetes.io/instance={router.name}", "-o", "name",
    )  # fmt: skip
    return {
        line for line in answer.split() if "configmap" not in line or line.endswith("-dashboard")
    }


def test_a_router_is_watched_as_soon_as_the_cluster_can_and_no_longer_than_wanted(
    operator: Operator, router: SemanticRouter, prometheus_operator: list[str]
) -> None:
    router.spec["monitoring"] = EVERYTHING
    router.spec["networkPolicy"] = {"enabled": True, "egress": []}
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    router.wait_for_phase("Degraded")
    missing = router.wait_for("Degraded")
    assert missing["reason"] == "MonitoringApiMissing"
    for field in ("serviceMonitor", "prometheusRule"):
        assert f"spec.monitoring.{field}.enabled" in missing["message"]
    assert router.read("configmap", f"{router.name}-dashboard")["data"]
    policy = router.read("networkpolicy", router.name)["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]

    # Server-side: the CRDs do not fit into the annotation that a plain apply writes.
    router.kubectl("apply", "--server-side", *prometheus_operator)
    router.wait_for_phase("Running")
    name = router.name
    expected = {
        f"servicemonitor.monitoring.coreos.com/{name}",
        f"prometheusrule.monitoring.coreos.com/{name}",
        f"configmap/{name}-dashboard",
        f"networkpolicy.networking.k8s.io/{name}",
    }
    assert watching(router) == expected
    rules: list[dict[str, Any]] = router.read("prometheusrule", name)["spec"]["groups"][1]["rules"]
    # Prometheus' templates are not Ansible's.
    assert any("{{ $value" in rule["annotations"]["description"] for rule in rules)

    router.spec["monitoring"] = {part: {"enabled": False} for part in EVERYTHING}
    router.spec["networkPolicy"] = {"enabled": False}
    router.apply()
    eventually(lambda: not watching(router), 60, "what watches the router to go")
    router.wait_for_phase("Running")
