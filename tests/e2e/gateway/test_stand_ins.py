"""What is made for Gateways of kgateway and agentgateway, and what becomes of their verdict.

Neither runs here. Their CRDs are stand-ins, see stand_ins.yaml, and the verdict is the test's.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import Kubectl
from e2e.gateway.gateways import (
    assert_taken_strictly,
    attach,
    create_class,
    create_gateway,
)
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

STAND_INS = Path(__file__).parent / "stand_ins.yaml"
GATEWAY_API = "gateway.networking.k8s.io"


@pytest.fixture(scope="module")
def served(kubectl: Kubectl) -> None:
    """The API server knows the kinds, and there is a GatewayClass of each."""
    # The API server knows no anchors.
    crds = yaml.safe_load(STAND_INS.read_text(encoding="utf-8"))
    for crd in crds:
        kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(crd))
    names = [f"crd/{crd['metadata']['name']}" for crd in crds]
    kubectl("wait", "--for=condition=Established", *names, "--timeout=55s")
    create_class(kubectl, "kgateway", "kgateway.dev/kgateway")
    create_class(kubectl, "agentgateway", "agentgateway.dev/agentgateway")


def verdict(type_: str, status: str, reason: str, generation: int) -> dict[str, Any]:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": f"{reason} it is",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def judge(router: SemanticRouter, kind: str, name: str, reason: str = "Valid") -> None:
    """As its controller does; every reason but Valid comes with Accepted, as agentgateway's."""
    generation = router.read(kind, name)["metadata"]["generation"]
    conditions = [
        verdict("Accepted", "True", reason, generation),
        verdict("Attached", "True", "Attached", generation),
    ]
    ancestor = {
        "group": GATEWAY_API,
        "kind": "Gateway",
        "name": "public",
        "namespace": router.namespace,
    }
    if kind == "httproute":
        conditions = [
            verdict(each, "True", each, generation) for each in ("Accepted", "ResolvedRefs")
        ]
        said: dict[str, Any] = {
            "parents": [
                {"parentRef": ancestor, "controllerName": "x.io/c", "conditions": conditions}
            ]
        }
    else:
        said = {
            "ancestors": [
                {"ancestorRef": ancestor, "controllerName": "x.io/c", "conditions": conditions}
            ]
        }
    router.patch(kind, name, {"status": said}, "--subresource=status")


def wait_for_reason(router: SemanticRouter, reason: str) -> None:
    def look() -> dict[str, Any]:
        found = router.condition("RouteReady")
        assert (found["status"], found["reason"]) == ("False", reason), found
        return found

    eventually(look, 60, f"RouteReady to be False for {reason}")


@pytest.mark.parametrize(
    ("class_name", "policy", "others"),
    [
        ("kgateway", "trafficpolicy", ["gatewayextension"]),
        ("agentgateway", "agentgatewaypolicy", []),
    ],
)
def test_models_are_reachable_once_their_gateway_has_taken_the_policy(
    served: None,
    operator: Operator,
    router: SemanticRouter,
    class_name: str,
    policy: str,
    others: list[str],
) -> None:
    create_gateway(router, class_name)
    router.create_service()
    attach(router, extProc=True)
    router.apply()

    router.wait_for("Ready")
    for kind in (policy, *others):
        assert_taken_strictly(router, router.read(kind, router.name))
    for name in (router.name, f"{router.name}-models"):
        judge(router, "httproute", name)
    wait_for_reason(router, "GatewayPolicyPending")
    judge(router, policy, router.name, "PartiallyValid")
    wait_for_reason(router, "GatewayPolicyNotAccepted")
    judge(router, policy, router.name)
    router.wait_for("RouteReady")

    router.patch("semanticrouter", router.name, {"spec": {"gateway": {"extProc": False}}})
    for kind in (policy, *others):
        router.wait_until_gone(kind, router.name)


def test_kgateway_is_told_of_keys_and_agentgateway_of_none(
    served: None, operator: Operator, router: SemanticRouter
) -> None:
    create_gateway(router, "kgateway")
    create_gateway(router, "agentgateway", name="other")
    router.create_service()
    router.kubectl(
        *("create", "secret", "generic", "team", "-n", router.namespace, "--from-literal=me=key")
    )
    attach(router)
    router.spec["auth"] = {"apiKeys": [{"secretRef": {"name": "team"}}]}
    router.spec["cors"] = {"allowOrigins": ["https://a.example.com"], "allowHeaders": ["x-a"]}
    router.apply()

    router.wait_for("Ready")
    assert_taken_strictly(router, router.read("trafficpolicy", f"{router.name}-door"))
    assert router.read("httproute", router.name)

    other = {"existingRef": {"name": "other"}}
    router.patch("semanticrouter", router.name, {"spec": {"gateway": other}})
    router.wait_until_gone("httproute", router.name)
    router.wait_until_gone("trafficpolicy", f"{router.name}-door")
    wait_for_reason(router, "GatewayControllerUnknown")
