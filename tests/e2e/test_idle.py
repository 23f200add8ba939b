"""A converged cluster sees no writes: counted in the API server's audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from control_plane import ControlPlane, Kubectl, audit
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter, minimal
from eventually import eventually

QUIET = timedelta(seconds=60)


def test_three_converged_routers_see_no_write_in_a_quiet_minute(
    operator: Operator, control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    routers = [SemanticRouter(kubectl, namespace, minimal(f"quiet-{n}")) for n in range(3)]
    routers[0].create_service()
    # The third is looked at again every few seconds, so that the minute is quiet but not empty: who
    # annotates a router wants that, whatever is watched.
    annotations = {"ansible.sdk.operatorframework.io/reconcile-period": "10s"}
    routers[2].resource["metadata"]["annotations"] = annotations
    routers[2].spec["vllmEndpoints"][0]["backend"]["service"]["name"] = "not-there"
    for router in routers:
        router.apply()
    routers[0].wait_for_phase("Running")
    routers[1].wait_for_phase("Running")
    routers[2].wait_for_phase("Degraded")
    routers[2].wait_for("Available")

    log = control_plane.audit_log
    offset = log.stat().st_size
    runs_before = sum(entry.get("name") == "quiet-2" for entry in operator.entries)
    started = datetime.now(UTC)

    def minute_is_over() -> bool:
        # By the API server's clock; it always has something to log (leases, nodes).
        return any(
            datetime.fromisoformat(request.time) - started > QUIET
            for request in audit.requests(log, offset)
        )

    eventually(minute_is_over, QUIET.total_seconds() + 30, "a minute to pass in the audit log")
    written = [
        request
        for request in audit.writes(log, offset)
        # In the namespaces of other tests, something may be on its way out still.
        if request.namespace in (namespace, "")
        and (request.namespace or request.agent.startswith("semantic-router-operator"))
    ]
    assert written == []
    runs = sum(entry.get("name") == "quiet-2" for entry in operator.entries) - runs_before
    assert runs > 0, "nothing ran in this minute, so it proves nothing"


@pytest.mark.parametrize("scaled", [False, True], ids=["alone", "with an autoscaler"])
def test_a_look_at_a_router_that_has_settled_ends_after_discovery(
    operator: Operator, router: SemanticRouter, scaled: bool
) -> None:
    # The autoscaler's status is written again and again meanwhile.
    router.spec["autoscaling"] = {"enabled": scaled, "minReplicas": 2, "maxReplicas": 4}
    router.create_service()
    router.apply()
    router.wait_for_phase("Running")
    eventually(lambda: router.get()["status"].get("fingerprint"), 60, "a run to find it settled")
    printed = operator.look_again(router)
    assert "Discover, build, apply and report" in printed
    assert "Look again later" not in printed
