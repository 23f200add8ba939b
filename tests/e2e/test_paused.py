"""Routers that the operator may look at and not touch."""

from __future__ import annotations

import json
from typing import Any

from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

PAUSED = "vllm.ai/paused"
DRY_RUN = "vllm.ai/dry-run"


def annotate(router: SemanticRouter, *changes: str) -> None:
    router.kubectl("annotate", "sr", router.name, "-n", router.namespace, "--overwrite", *changes)


def versions(router: SemanticRouter) -> dict[str, str]:
    """What the operator writes; others write statuses, and the Deployment's annotations."""
    return {
        name: json.dumps([item.get("spec"), item.get("data"), item["metadata"]["uid"]])
        for name, item in router.objects().items()
    }


def status(router: SemanticRouter) -> dict[str, Any]:
    return dict(router.get().get("status") or {})


def reasons(router: SemanticRouter) -> set[tuple[str, str]]:
    found = json.loads(
        router.kubectl(
            "get", "events", "-n", router.namespace, "-o", "json",
            "--field-selector=involvedObject.kind=SemanticRouter",
        )
    )  # fmt: skip
    return {(item["type"], item["reason"]) for item in found["items"]}


def test_a_paused_router_is_left_alone_and_goes_on_when_the_annotation_goes(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    before = versions(router)

    annotate(router, f"{PAUSED}=true")
    router.wait_for("Paused")
    assert status(router)["phase"] == "Paused"
    assert router.condition("Ready")["status"] == "True"

    router.spec["replicas"] = 2
    router.apply()
    waiting = router.wait_for("Ready", "False")
    assert waiting["reason"] == "Paused"
    assert PAUSED in waiting["message"]
    generation = router.get()["metadata"]["generation"]
    assert status(router)["appliedGeneration"] == generation - 1
    router.kubectl("delete", "service", router.name, "-n", router.namespace)
    annotate(router, "example.com/look=again")
    assert router.condition("Paused")["status"] == "True"
    assert {f"Service/{router.name}", *versions(router)} == set(before)
    assert versions(router).items() <= before.items()

    annotate(router, f"{PAUSED}-")
    router.wait_for("Ready")
    router.wait_for_phase("Running")
    assert router.read("deployment", router.name)["spec"]["replicas"] == 2
    assert f"Service/{router.name}" in versions(router)
    assert all(item["type"] != "Paused" for item in status(router)["conditions"])
    assert {("Normal", "Paused"), ("Normal", "Resumed")} <= reasons(router)


def test_a_router_created_paused_makes_nothing_and_can_be_deleted(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    router.resource["metadata"]["annotations"] = {PAUSED: "true"}
    router.apply()
    router.wait_for("Paused")
    assert router.condition("Ready")["reason"] == "DeploymentMissing"
    assert router.objects() == {}
    router.delete()
    assert "finalizers" not in kubectl("get", "sr", "-n", router.namespace, "-o", "json")


def test_a_dry_run_tells_what_would_change_and_changes_nothing(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    password = "hunter2-canary"  # noqa: S105
    connection = {"host": "redis", "password": password}
    cache = {"backend_type": "redis", "redis": {"connection": connection}}
    router.spec["config"] = {"response_cache": cache}
    router.apply()
    router.wait_for("Ready")
    before = versions(router)

    annotate(router, f"{DRY_RUN}=true")
    assert router.wait_for("DryRun")["reason"] == "DryRunNoChanges"
    router.spec.update({"replicas": 2, "service": {"type": "NodePort"}})
    connection["password"] = f"{password}-2"
    router.apply()

    def planned() -> dict[str, Any]:
        condition = router.condition("DryRun")
        assert condition["reason"] == "DryRunChanges", condition
        return dict(status(router)["dryRun"])

    plan = eventually(planned, 60, "a plan for the new spec")
    changes = {(item["action"], item["kind"]): item for item in plan["changes"]}
    assert set(changes) == {
        ("create", "PodDisruptionBudget"),
        ("change", "Service"),
        ("change", "Deployment"),
    }
    assert "spec.type" in changes["change", "Service"]["fields"]
    assert "spec.replicas" in changes["change", "Deployment"]["fields"]
    name = "SR_RESPONSE_CACHE__REDIS__CONNECTION__PASSWORD"
    assert any(f"env[{name}]" in path for path in changes["change", "Deployment"]["fields"])
    assert plan["summary"] == "1 to create, 2 to change"
    assert status(router)["phase"] == "Paused"
    assert versions(router) == before

    settled = router.get()["metadata"]["resourceVersion"]
    runs = sum(entry.get("name") == router.name for entry in operator.entries)
    annotate(router, "example.com/look=again")
    marked = router.get()["metadata"]["resourceVersion"]
    assert marked != settled
    eventually(
        lambda: sum(entry.get("name") == router.name for entry in operator.entries) > runs,
        60,
        "another run",
    )
    assert router.get()["metadata"]["resourceVersion"] == marked, "nothing new, nothing written"

    annotate(router, f"{DRY_RUN}-")
    router.wait_for("Ready")
    assert "dryRun" not in status(router)
    assert router.read("service", router.name)["spec"]["type"] == "NodePort"
    assert ("Normal", "DryRunChanges") in reasons(router)
    said = json.dumps(status(router)) + operator.text + json.dumps(sorted(reasons(router)))
    assert password not in said


def test_a_value_that_means_nothing_is_a_warning(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.resource["metadata"]["annotations"] = {PAUSED: "yes"}
    router.apply()
    router.wait_for("Ready")
    condition = router.condition("ConfigValid")
    assert condition["reason"] == "InvalidAnnotation"
    assert PAUSED in condition["message"]
    assert ("Warning", "InvalidAnnotation") in reasons(router)
