"""Backends that are there, late, lost, several, elsewhere."""

from __future__ import annotations

import operator_account
import yaml
from control_plane import ControlPlane, Kubectl, audit
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

# Five seconds, and a machine that does other things too; sooner than any look that time calls for.
SOON = 10.0


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
    router.wait_for("BackendsResolved", "False", timeout=SOON)
    after = router.read("deployment", router.name)
    assert before["metadata"]["generation"] == after["metadata"]["generation"]


def settled(router: SemanticRouter) -> None:
    """From now on nothing but news starts a run, for a long time."""
    router.wait_for_phase("Running")
    eventually(lambda: router.get()["status"].get("fingerprint"), 60, "a run to find it settled")


def test_a_backend_that_goes_comes_back_and_moves_is_in_the_status_within_seconds(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    router.apply()
    settled(router)
    kubectl("delete", "service", "vllm-qwen", "-n", router.namespace)
    router.wait_for("BackendsResolved", "False", timeout=SOON)
    router.create_service()
    router.wait_for("BackendsResolved", timeout=SOON)
    router.wait_for_phase("Running", timeout=SOON)
    router.create_service(port=9000)
    moved = router.wait_for("BackendsResolved", "False", timeout=SOON)
    assert "9000" in moved["message"]


def test_an_inference_service_that_is_not_ready_any_more_is_in_the_status_within_seconds(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_inference_service()
    backend = {"type": "kserve", "inferenceServiceName": "llama-3-8b"}
    router.spec["vllmEndpoints"][0]["backend"] = backend
    router.apply()
    settled(router)
    router.create_inference_service(ready=False)
    router.wait_for("BackendsResolved", "False", timeout=SOON)


def test_objects_that_stand_for_backends_are_heard_of_within_seconds(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    backends = {
        "llm": {"type": "llminferenceservice", "name": "llama"},
        "stack": {"type": "vllmrouter", "name": "production"},
        # The reference picker signs its own certificate.
        "pool": {"type": "inferencepool", "name": "llama", "tls": {"insecureSkipVerify": True}},
        "any": {"type": "selector", "selector": {"labels": {"app": "vllm"}, "port": "http"}},
    }
    router.spec["vllmEndpoints"] = [
        {"name": name, "model": f"model-{name}", "backend": backend}
        for name, backend in backends.items()
    ]
    router.apply()
    router.wait_for("BackendsResolved", "False")
    # A run that found all missing has ended, so from here on it is news that starts one.
    router.create_service("production", 80)
    router.create_object("production-stack.vllm.ai/v1alpha1", "VLLMRouter", "production", {})
    router.create_service("llama-epp", 9002)
    picker = {"endpointPickerRef": {"name": "llama-epp", "port": {"number": 9002}}}
    router.create_object("inference.networking.k8s.io/v1", "InferencePool", "llama", {}, **picker)
    router.create_service("found", 8000, labels={"app": "vllm"})
    address = f"http://public.gateways.svc.cluster.local/{router.namespace}/llama"
    told = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "addresses": [{"url": address}],
        "url": address,
    }
    router.create_object("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", told)
    router.wait_for("BackendsResolved", timeout=SOON)
    found = {item["name"]: item for item in router.get()["status"]["endpoints"]}
    assert {name: item["address"] for name, item in found.items()} == {
        "llm": "public.gateways.svc:80",
        "stack": f"production.{router.namespace}.svc:80",
        "pool": f"llama-epp.{router.namespace}.svc:9002",
        "any": f"found.{router.namespace}.svc:8000",
    }
    assert found["llm"]["url"] == f"http://public.gateways.svc:80/{router.namespace}/llama"
    settled(router)
    told["conditions"] = [{"type": "Ready", "status": "False", "message": "no GPU"}]
    router.create_object("serving.kserve.io/v1alpha2", "LLMInferenceService", "llama", told)
    lost = router.wait_for("BackendsResolved", "False", timeout=SOON)
    assert "LLMInferenceService" in lost["message"]
    assert "no GPU" in lost["message"]


def test_a_thousand_services_that_nobody_names_start_no_run_and_no_write(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl, control_plane: ControlPlane
) -> None:
    endpoint = router.spec["vllmEndpoints"][0]
    names = [f"named-{number}" for number in range(6)]
    # So many that the operator does not watch each by its name.
    router.spec["vllmEndpoints"] = [
        {
            **endpoint,
            "name": name,
            "backend": {"type": "service", "service": {"name": name, "port": 8000}},
        }
        for name in names
    ]
    for name in names:
        router.create_service(name)
    router.apply()
    settled(router)
    offset = control_plane.audit_log.stat().st_size
    jobs = operator.jobs(router.namespace)
    unnamed = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": f"unnamed-{number}"},
            "spec": {"clusterIP": "None", "selector": {"app": "none"}},
        }
        for number in range(1000)
    ]
    create = ("create", "-n", router.namespace, "-f", "-")
    kubectl(*create, stdin=yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": unnamed}))
    # It comes after all of them, so they have been seen by now.
    kubectl("delete", "service", names[0], "-n", router.namespace)
    router.wait_for("BackendsResolved", "False", timeout=SOON)
    written = [
        request.resource
        for request in audit.writes(control_plane.audit_log, offset)
        if request.namespace == router.namespace
        and request.user == operator_account.USER
        and request.resource != "events"
    ]
    if operator.engine == "embedded":
        assert len(operator.jobs(router.namespace) - jobs) == 1
        assert written == ["semanticrouters/status"]
    else:
        # Runs that earlier ones have asked for still come. One news, one ring.
        assert written == ["configmaps", "semanticrouters/status"]


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


def test_nothing_is_written_until_the_spec_says_by_what_a_backend_is_verified(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service(port=8443)
    backend = router.spec["vllmEndpoints"][0]["backend"]
    backend["service"]["port"] = 8443
    router.apply()
    refused = router.wait_for("ConfigValid", "False")
    assert refused["reason"] == "BackendNotVerified"
    assert "spec.vllmEndpoints[0].backend.tls" in refused["message"]
    assert router.objects() == {}
    backend["tls"] = {"caRef": {"name": "models-ca"}}
    router.apply()
    missed = router.wait_for("Degraded")
    assert missed["reason"] == "AuthorityNotFound"
    volumes = router.read("deployment", router.name)["spec"]["template"]["spec"]["volumes"]
    assert "models-ca" in [volume.get("configMap", {}).get("name") for volume in volumes]
    backend["tls"] = {"insecureSkipVerify": True}
    router.apply()
    router.wait_for_phase("Running")
    assert router.condition("ConfigValid")["reason"] == "InsecureSkipVerify"
    assert [item.get("insecureSkipVerify") for item in router.get()["status"]["endpoints"]] == [
        True
    ]


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
    assert endpoints["kserve"]["address"] == f"llama-3-8b-predictor.{namespace}.svc:80"
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
    settled(router)
    router.create_service("stack-a", 8321, labels={"app": "llama-stack"})
    eventually(
        lambda: "stack-a" in router.get()["status"]["endpoints"][0].get("message", ""),
        SOON,
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
