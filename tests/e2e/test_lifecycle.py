"""From a SemanticRouter to its objects and back: create, update, delete."""

from __future__ import annotations

import json

from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually


def test_the_documents_example_becomes_running_with_two_of_two_replicas(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.use_sample("vllm.ai_v1alpha1_semanticrouter_my-router.yaml")
    router.create_inference_service()
    router.apply()
    kubectl(
        "wait", "--for=condition=Ready", "semanticrouter/my-router", "-n", router.namespace,
        "--timeout=120s", timeout=130,
    )  # fmt: skip
    router.wait_for_phase("Running")
    header, line = kubectl(
        "get", "semanticrouter", "my-router", "-n", router.namespace
    ).splitlines()
    assert header.split() == ["NAME", "PHASE", "REPLICAS", "READY", "AGE"]
    assert line.split()[:4] == ["my-router", "Running", "2", "2"]


def test_the_objects_of_standalone_mode_are_there_and_owned(
    operator: Operator, router: SemanticRouter
) -> None:
    router.use_sample("vllm.ai_v1alpha1_semanticrouter_my-router.yaml")
    router.create_inference_service()
    router.apply()
    router.wait_for("Ready")
    objects = router.objects()
    assert sorted(objects) == [
        "ConfigMap/my-router-config",
        "ConfigMap/my-router-envoy-config",
        "Deployment/my-router",
        "PersistentVolumeClaim/my-router-models",
        "PodDisruptionBudget/my-router",
        "Service/my-router",
        "Service/my-router-headless",
        "ServiceAccount/my-router",
    ]
    uid = router.get()["metadata"]["uid"]
    for name, found in objects.items():
        owners = found["metadata"]["ownerReferences"]
        assert [owner["uid"] for owner in owners] == [uid], name
        assert owners[0]["controller"] is True, name


def test_status_tells_mode_generation_and_endpoints(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for_phase("Running")
    found = router.get()
    status = found["status"]
    assert status["gatewayMode"] == "standalone"
    assert status["observedGeneration"] == found["metadata"]["generation"]
    endpoint = status["endpoints"][0]
    assert endpoint["name"] == "qwen"
    assert endpoint["model"] == "qwen2.5-7b"
    assert endpoint["address"] == f"vllm-qwen.{router.namespace}.svc:8000"
    assert endpoint["ready"] is True


def test_a_changed_spec_reaches_the_objects_and_rolls_the_pods(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    before = router.read("deployment", router.name)["spec"]["template"]
    router.spec["replicas"] = 2
    router.spec["config"] = {"tools": {"enabled": False}}
    router.apply()
    router.wait_for("Ready")
    eventually(lambda: router.get()["status"]["readyReplicas"] == 2, 60, "two ready replicas")
    after = router.read("deployment", router.name)["spec"]["template"]
    assert before["metadata"]["annotations"] != after["metadata"]["annotations"]
    (config, *_) = (
        volume["configMap"] for volume in after["spec"]["volumes"] if volume["name"] == "config"
    )
    # What the pods of before mount stays as it was.
    assert config["name"].startswith(f"{router.name}-config-")
    config["name"] = f"{router.name}-config"
    assert before["spec"] == after["spec"]


def test_what_is_switched_off_disappears_except_the_models(
    operator: Operator, router: SemanticRouter
) -> None:
    router.spec["persistence"] = {"enabled": True, "size": "1Gi"}
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    assert f"ServiceAccount/{router.name}" in router.objects()
    router.spec["persistence"] = {"enabled": False}
    router.spec["serviceAccount"] = {"create": False}
    router.apply()
    eventually(
        lambda: f"ServiceAccount/{router.name}" not in router.objects(),
        60,
        "the ServiceAccount to go",
    )
    router.wait_for("Ready")
    assert f"PersistentVolumeClaim/{router.name}-models" in router.objects()


def test_deleting_the_router_leaves_nothing_behind_and_needs_no_finalizer(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    assert "finalizers" not in router.get()["metadata"]
    router.delete()
    eventually(lambda: not router.objects(), 60, "the garbage collector to remove every object")


def test_events_tell_what_changed(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")

    def reasons() -> set[str]:
        events = json.loads(kubectl("get", "events", "-n", router.namespace, "-o", "json"))
        return {
            event["reason"]
            for event in events["items"]
            if event["involvedObject"]["kind"] == "SemanticRouter"
        }

    eventually(
        lambda: "RouterReady" in reasons(), 30, f"an event RouterReady; there are {reasons()}"
    )


def test_the_log_names_the_router_and_the_platform(
    operator: Operator, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    router.wait_for("Ready")
    assert operator.said(
        "Detected standard Kubernetes platform - will use standard security contexts"
    )
    assert operator.said("", name=router.name)
