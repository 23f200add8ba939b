"""What GitOps tools make of a status: Argo CD by the script that is shipped, Flux by kstatus.

The statuses are those that the operator writes, from the same builder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    Convergence,
    Told,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.live_workload import (
    Workload,
)
from lupa.lua54 import LuaRuntime
from seen import (
    ALL_FOUND,
    FOUND,
    INVALID,
    LOST,
    NO_CLASS,
    NOT_BUILT,
    ON_OPENSHIFT,
    STARTING,
    UNREADABLE,
    deployment,
    router,
    status,
    with_route,
)

CHECKOUT = Path(__file__).parents[3]
PATCH = CHECKOUT / "config" / "gitops" / "argocd-cm-patch.yaml"
KEY = "resource.customizations.health.vllm.ai_SemanticRouter"

OUT_OF_TIME = Workload(
    deployment(
        ready=1,
        updated=1,
        Progressing={
            "status": "False",
            "reason": "ProgressDeadlineExceeded",
            "message": "it took too long",
        },
    )
)
WITH_ROUTES = {"openshift": {"routes": {"enabled": True}}}


def seen(said: dict[str, Any] | None, generation: int = 3) -> dict[str, Any]:
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "generation": generation},
        **({} if said is None else {"status": said}),
    }


def paused() -> Router:
    found = router()
    found.resource["metadata"]["annotations"] = {"vllm.ai/paused": "true"}
    return found


# name: the object, Argo CD's word, kstatus's word
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "all well": (seen(status()), "Healthy", "Current"),
    "no pods wanted": (
        seen(status(workload=Workload(deployment(0, existing=0, updated=0, ready=0)))),
        "Healthy",
        "Current",
    ),
    "no run yet": (seen({"observedGeneration": -1}), "Progressing", "InProgress"),
    "an older generation's status": (seen(status(), 4), "Progressing", "InProgress"),
    "nothing there yet": (seen(status(workload=Workload())), "Progressing", "InProgress"),
    "pods starting": (seen(status(workload=STARTING)), "Progressing", "InProgress"),
    "a mistake in the spec": (seen(status(problems=[INVALID])), "Degraded", "Failed"),
    "a mistake in the first spec": (
        seen(status(problems=[INVALID], workload=Workload())),
        "Degraded",
        "Failed",
    ),
    "a mistake, and pods starting": (
        seen(status(problems=[INVALID], workload=STARTING)),
        "Degraded",
        "Failed",
    ),
    "something of the cluster's is in the way": (
        seen(status(problems=[NO_CLASS])),
        "Progressing",
        "InProgress",
    ),
    "the cluster does not answer": (
        seen(status(Facts(), [UNREADABLE])),
        "Progressing",
        "InProgress",
    ),
    "pods that do not start": (seen(status(workload=OUT_OF_TIME)), "Degraded", "Failed"),
    "a feature left out": (seen(status(problems=[NOT_BUILT])), "Degraded", "Current"),
    "one backend of two": (
        seen(status(Facts(endpoints=[FOUND, LOST]))),
        "Degraded",
        "Current",
    ),
    "no backend": (seen(status(Facts(endpoints=[LOST]))), "Degraded", "InProgress"),
    "a router that goes by another configuration": (
        seen(status(convergence=Convergence("a" * 64, [Told("one", "b" * 64)]))),
        "Progressing",
        "InProgress",
    ),
    "pods that nobody can ask": (
        seen(status(convergence=Convergence("a" * 64, unasked="OperatorOutsideCluster"))),
        "Healthy",
        "Current",
    ),
    "a Route that nobody has looked at": (
        seen(status(ON_OPENSHIFT, workload=with_route(), owner=router(**WITH_ROUTES))),
        "Progressing",
        "Current",
    ),
    "paused with all in effect": (
        seen(status(ALL_FOUND, previous={"appliedGeneration": 3}, owner=paused())),
        "Suspended",
        "Current",
    ),
    "paused with an edit": (
        seen(status(ALL_FOUND, previous={"appliedGeneration": 2}, owner=paused())),
        "Suspended",
        "InProgress",
    ),
}


def script() -> str:
    text: str = yaml.safe_load(PATCH.read_text(encoding="utf-8"))["data"][KEY]
    return text


def argo(found: dict[str, Any]) -> tuple[str, str]:
    """As Argo CD calls it: the object is the global `obj`."""
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(json.loads(json.dumps(found)), recursive=True)
    said = lua.execute(script())
    return said["status"], said["message"]


def kstatus(found: dict[str, Any]) -> str:
    """The generic rules of sigs.k8s.io/cli-utils, pkg/kstatus/status, in their order."""
    said = found.get("status") or {}
    holds = {item["type"]: item["status"] for item in said.get("conditions") or []}
    generation = found["metadata"]["generation"]
    if said.get("observedGeneration", generation) != generation:
        return "InProgress"
    if holds.get("Stalled") == "True":
        return "Failed"
    if holds.get("Reconciling") == "True":
        return "InProgress"
    if holds.get("Ready", "True") != "True":
        return "InProgress"
    return "Current"


@pytest.mark.parametrize("name", CASES)
def test_argo_cd_says_how_a_router_is_and_why(name: str) -> None:
    found, wanted, _ = CASES[name]
    said, message = argo(found)
    assert said == wanted
    assert message or wanted == "Healthy"


def test_argo_cd_waits_for_a_status() -> None:
    """Of a CRD that is older than its default. kstatus would call such a router current."""
    assert argo(seen(None))[0] == "Progressing"


@pytest.mark.parametrize("name", CASES)
def test_flux_says_how_a_router_is(name: str) -> None:
    found, _, wanted = CASES[name]
    assert kstatus(found) == wanted


def test_no_status_is_on_its_way_and_stalled_at_once() -> None:
    for found, _, _ in CASES.values():
        types = {item["type"] for item in (found.get("status") or {}).get("conditions") or []}
        assert not {"Reconciling", "Stalled"} <= types
