"""What live policies say, from what Envoy Gateway leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import live_gateway_policy

GATEWAY: dict[str, Any] = {"existingRef": {"name": "public", "namespace": "edge"}}
OURS = {"kind": "Gateway", "name": "public", "namespace": "edge"}
NAMED = "EnvoyExtensionPolicy my-router"


def policy(status: str = "", generation: int = 2, **ancestor: str) -> dict[str, Any]:
    """With a verdict when there is a status."""
    said = {
        "type": "Accepted",
        "status": status,
        "observedGeneration": generation,
        "reason": "Invalid",
        "message": "no ready endpoints.",
    }
    ancestors = [{"ancestorRef": {**OURS, **ancestor}, "conditions": [said]}] if status else []
    metadata = {"name": "my-router", "namespace": "apps", "generation": 2}
    return {"metadata": metadata, "status": {"ancestors": ancestors}}


def test_accepted_policies_leave_the_word_to_the_http_route() -> None:
    live = {NAMED: policy("True"), "BackendTrafficPolicy my-router": policy("True")}
    assert live_gateway_policy.admission_of(list(live), live, GATEWAY, has_pods=True) is None
    assert live_gateway_policy.admission_of([], {}, GATEWAY, has_pods=True) is None


@pytest.mark.parametrize(
    "live",
    [
        {},
        {NAMED: policy()},
        {NAMED: policy("True", generation=1)},
        {NAMED: policy("False", generation=1)},
        {NAMED: policy("True", namespace="other")},
        {NAMED: policy("True", name="other")},
    ],
    ids=["missing", "silent", "old", "old refusal", "other namespace", "other gateway"],
)
def test_a_policy_without_a_verdict_on_its_latest_state_waits(live: dict[str, Any]) -> None:
    found = live_gateway_policy.admission_of([NAMED], live, GATEWAY, has_pods=True)
    assert found is not None
    assert (found.reason, found.ready, found.failing) == ("GatewayPolicyPending", False, False)


def test_a_refused_policy_repeats_what_the_controller_says() -> None:
    found = live_gateway_policy.admission_of(
        [NAMED], {NAMED: policy("False")}, GATEWAY, has_pods=True
    )
    assert found is not None
    assert (found.reason, found.ready, found.failing) == ("GatewayPolicyNotAccepted", False, True)
    said = "Gateway edge/public refuses EnvoyExtensionPolicy my-router (Invalid): no ready"
    assert found.message == f"{said} endpoints."


def test_a_policy_that_is_attached_to_nothing_or_accepted_in_part_is_refused() -> None:
    detached, partial, whole = policy("True"), policy("True"), policy("True")
    for live, status in ((detached, "False"), (partial, "True"), (whole, "True")):
        live["status"]["ancestors"][0]["conditions"] += [
            {"type": "Attached", "status": status, "reason": "Pending", "message": "no target"},
            {"type": "Programmed", "status": "False", "reason": "Other", "message": "not ours"},
        ]
    partial["status"]["ancestors"][0]["conditions"][0]["reason"] = "PartiallyValid"
    for live, said in (
        (detached, "(Pending): no target."),
        (partial, "(PartiallyValid): no ready"),
    ):
        found = live_gateway_policy.admission_of([NAMED], {NAMED: live}, GATEWAY, has_pods=True)
        assert found is not None
        assert (found.reason, found.failing) == ("GatewayPolicyNotAccepted", True)
        assert said in found.message
    assert live_gateway_policy.admission_of([NAMED], {NAMED: whole}, GATEWAY, True) is None


def test_a_policy_that_leads_to_no_pod_yet_is_waited_for() -> None:
    found = live_gateway_policy.admission_of(
        [NAMED], {NAMED: policy("False")}, GATEWAY, has_pods=False
    )
    assert found is not None
    assert (found.reason, found.failing) == ("GatewayPolicyNotAccepted", False)


def test_each_policy_counts() -> None:
    live = {NAMED: policy("True"), "BackendTrafficPolicy my-router": policy("False")}
    found = live_gateway_policy.admission_of(list(live), live, GATEWAY, has_pods=True)
    assert found is not None
    assert "BackendTrafficPolicy" in found.message
