"""Backends that are there, late, lost, several, elsewhere."""

from __future__ import annotations

import yaml
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually


def router_config(router: SemanticRouter) -> dict[str, object]:
    data = router.read("configmap", f"{router.name}-config")["data"]
    return dict(yaml.safe_load(data["config.yaml"]))


def test_a_backend_that_appears_later_is_picked_up_without_an_edit(
    operator: Operator, router: SemanticRouter
) -> None:
    router.apply()
    condition = router.wait_for("BackendsResolved", "False")
    assert condition["reason"] == "NoBackendsResolved"
    assert "spec.vllmEndpoints[0]" in condition["message"]
    assert "vllm-qwen" in condition["message"]
    eventually(
        lambda: operator.said("Failed to discover backend", name=router.name), 30, "a log line"
    )
    generation = router.get()["metadata"]["generation"]
    router.create_service()
    router.wait_for("BackendsResolved")
    router.wait_for("Ready")
    assert router.get()["metadata"]["generation"] == generation


def test_a_backend_that_is_lost_changes_a_condition_and_not_the_pods(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    before = router.read("deployment", router.name)
    kubectl("delete", "service", "vllm-qwen", "-n", router.namespace)
    # Nothing watches other people's Services: an annotation asks for a look now.
    kubectl("annotate", "semanticrouter", router.name, "look=now", "-n", router.namespace)
    router.wait_for("BackendsResolved", "False")
    after = router.read("deployment", router.name)
    assert before["metadata"]["generation"] == after["metadata"]["generation"]


def test_a_lost_backend_is_found_as_soon_as_the_annotation_of_the_router_wants(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    annotations = {"ansible.sdk.operatorframework.io/reconcile-period": "5s"}
    router.resource["metadata"]["annotations"] = annotations
    router.create_service()
    router.apply()
    router.wait_for_phase("Running")
    eventually(lambda: router.get()["status"].get("fingerprint"), 60, "a run to find it settled")
    kubectl("delete", "service", "vllm-qwen", "-n", router.namespace)
    router.wait_for("BackendsResolved", "False", timeout=60)
    router.create_service()
    router.wait_for_phase("Running")


def test_kserve_llamastack_and_service_backends_work_side_by_side(
    operator: Operator, router: SemanticRouter, other_namespace: str, kubectl: Kubectl
) -> None:
    router.create_inference_service()
    router.create_service("llama-stack-b", 8321, labels={"app": "llama-stack"})
    router.create_service("llama-stack-a", 8322, labels={"app": "llama-stack"})
    SemanticRouter(kubectl, other_namespace).create_service("vllm-deepseek")
    router.spec["vllmEndpoints"] = [
        {
            "name": "kserve",
            "model": "llama3-8b",
            "backend": {"type": "kserve", "inferenceServiceName": "llama-3-8b"},
            "weight": 2,
        },
        {
            "name": "stack",
            "model": "llama-3.3-70b",
            "backend": {"type": "llamastack", "discoveryLabels": {"app": "llama-stack"}},
        },
        {
            "name": "elsewhere",
            "model": "deepseek",
            "backend": {
                "type": "service",
                "service": {"name": "vllm-deepseek", "namespace": other_namespace, "port": 8000},
            },
        },
    ]
    router.apply()
    router.wait_for("BackendsResolved")
    endpoints = {item["name"]: item for item in router.get()["status"]["endpoints"]}
    namespace = router.namespace
    assert endpoints["kserve"]["address"] == f"llama-3-8b-predictor.{namespace}.svc:8443"
    assert endpoints["stack"]["address"] == f"llama-stack-a.{namespace}.svc:8322"
    assert "llama-stack-b" in endpoints["stack"]["message"], "several matches are worth a remark"
    assert endpoints["elsewhere"]["address"] == f"vllm-deepseek.{other_namespace}.svc:8000"
    names = [model["name"] for model in router_config(router)["providers"]["models"]]  # type: ignore[index]
    assert names == ["llama3-8b", "llama-3.3-70b", "deepseek"]


def test_a_llama_stack_backend_stays_with_the_service_it_chose(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service("stack-b", 8321, labels={"app": "llama-stack"})
    router.spec["vllmEndpoints"] = [
        {
            "name": "stack",
            "model": "llama-3.3-70b",
            "backend": {"type": "llamastack", "discoveryLabels": {"app": "llama-stack"}},
        }
    ]
    router.apply()
    router.wait_for("BackendsResolved")
    router.create_service("stack-a", 8321, labels={"app": "llama-stack"})
    kubectl("annotate", "semanticrouter", router.name, "look=now", "-n", router.namespace)
    eventually(
        lambda: "stack-a" in router.get()["status"]["endpoints"][0].get("message", ""),
        30,
        "the remark that several Services match",
    )
    address = router.get()["status"]["endpoints"][0]["address"]
    assert address == f"stack-b.{router.namespace}.svc:8321"


def test_one_unresolved_backend_degrades_the_router_and_the_others_go_on(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.spec["vllmEndpoints"].append(
        {
            "name": "late",
            "model": "late-model",
            "backend": {"type": "kserve", "inferenceServiceName": "late"},
        }
    )
    router.apply()
    condition = router.wait_for("BackendsResolved", "False")
    assert condition["reason"] == "SomeBackendsUnresolved"
    router.wait_for("Ready")
    router.wait_for_phase("Degraded")


def test_a_router_without_backends_says_so(operator: Operator, router: SemanticRouter) -> None:
    del router.spec["vllmEndpoints"]
    router.apply()
    assert router.wait_for("BackendsResolved", "False")["reason"] == "NoBackends"
    eventually(
        lambda: operator.said("No backends found", name=router.name), 30, "the document's log line"
    )
