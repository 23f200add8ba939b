"""The chapters "Verify" and "Troubleshooting", walked on users' own objects.

One test per symptom: what the operator says of it, what the chapter's commands show, and that the
remedy which both name works. Pods are simulated, so there is nothing for `kubectl logs` and
`kubectl port-forward` to show; the operator's own log is a file. Routes: test_openshift.py.
Gateways: test_gateway_missing.py, and gateway/ where their API is served.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from functools import partial

import pytest
from control_plane import Kubectl
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from e2e.shell import Shell
from eventually import eventually

DESCRIBE = "kubectl describe semanticrouter my-router"
PODS = "kubectl describe pod -l app.kubernetes.io/instance=my-router"


@pytest.fixture
def empty_class(kubectl: Kubectl) -> Iterator[str]:
    """A StorageClass that nobody provides volumes for."""
    name = f"nobody-{uuid.uuid4().hex[:8]}"
    manifest = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}
    manifest |= {"metadata": {"name": name}, "provisioner": "example.com/nobody"}  # type: ignore[dict-item]
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    yield name
    kubectl("delete", "storageclass", name)


def wait_until_told(shell: Shell, *words: str, event: bool = True) -> str:
    """Until `kubectl describe` has all of these words in its status; what it then shows.

    A reason comes first, then what its message says: field, what was found, remedy. event: the
    reason stands among the Events too, as it does when the status of its condition has flipped.
    """

    def look() -> str:
        described = shell(DESCRIBE)
        status, _, events = described.partition("\nStatus:")[2].partition("\nEvents:")
        for word in words:
            assert word in status, described
        assert not event or words[0] in events, described
        return described

    return eventually(look, 60, f"{DESCRIBE} to say {words}")


def test_what_verifies_a_deployment_shows_all_of_it(
    operator: Operator, router: SemanticRouter, shell: Shell
) -> None:
    router.use_sample("vllm.ai_v1alpha1_semanticrouter_my-router.yaml")
    router.create_inference_service()
    router.apply()
    router.wait_for_phase("Running")

    header, line = shell("kubectl get semanticrouter my-router").splitlines()
    assert header.split() == ["NAME", "PHASE", "REPLICAS", "READY", "AGE"]
    assert line.split()[:4] == ["my-router", "Running", "2", "2"]
    listed = shell(
        "kubectl get deployment,service,configmap -l app.kubernetes.io/instance=my-router"
    )
    assert [line.split()[0] for line in listed.splitlines() if "my-router" in line] == [
        "deployment.apps/my-router",
        "service/my-router",
        "service/my-router-headless",
        "configmap/my-router-config",
        "configmap/my-router-envoy-config",
    ]
    wait_until_told(shell, "RouterReady", "Phase: ", "AllBackendsResolved", "PartlyInEffect")


def test_backends_that_are_not_found_lead_to_what_is_missing(
    operator: Operator, router: SemanticRouter, kubectl: Kubectl, other_namespace: str, shell: Shell
) -> None:
    labels = {"app": "llama-stack", "model": "llama-3.3-70b"}
    direct = {"name": "vllm-deepseek", "namespace": other_namespace, "port": 8000}
    router.spec["vllmEndpoints"] = [
        {
            "name": "llama3-8b-endpoint",
            "model": "llama3-8b",
            "backend": {"type": "kserve", "inferenceServiceName": "llama-3-8b"},
        },
        {
            "name": "llama-405b-endpoint",
            "model": "llama-3.3-70b-instruct",
            "backend": {"type": "llamastack", "discoveryLabels": labels},
        },
        {
            "name": "custom-vllm-endpoint",
            "model": "deepseek-r1-distill-qwen-7b",
            "backend": {"type": "service", "service": direct},
        },
    ]
    router.apply()
    told = wait_until_told(
        shell,
        "NoBackendsResolved",
        "spec.vllmEndpoints[0].backend.inferenceServiceName",
        "spec.vllmEndpoints[1].backend.discoveryLabels",
        "spec.vllmEndpoints[2].backend.service",
    )
    assert f"{other_namespace}/vllm-deepseek" in told
    for words in (
        "No backends found",
        *(f"Failed to discover backend spec.vllmEndpoints[{number}]" for number in range(3)),
    ):
        eventually(partial(operator.said, words, router.name), 30, f"the log to say {words}")

    assert "NotFound" in shell("kubectl get inferenceservice llama-3-8b", fails=True)
    router.create_inference_service(ready=False)
    wait_until_told(shell, "NoBackendsResolved", "InferenceService", "is not Ready")
    assert "Status:  False" in shell("kubectl describe inferenceservice llama-3-8b")
    router.create_inference_service()
    router.create_service("llama-3-8b-predictor", 80)
    assert "llama-3-8b-predictor" in shell("kubectl get service llama-3-8b-predictor")
    some = ("SomeBackendsUnresolved", "llama-405b-endpoint", "custom-vllm-endpoint")
    wait_until_told(shell, *some, event=False)

    by_labels = "kubectl get services -l app=llama-stack,model=llama-3.3-70b"
    assert "No resources found" in shell(by_labels)
    router.create_service("stack", 8321, labels)
    assert "stack" in shell(by_labels)
    shown = shell("kubectl get service stack -o jsonpath='{.metadata.labels}'")
    assert json.loads(shown).items() >= labels.items()

    there = f"kubectl get service vllm-deepseek -n {other_namespace}"
    assert "NotFound" in shell(there, fails=True)
    SemanticRouter(kubectl, other_namespace).create_service("vllm-deepseek", 9000)
    assert "vllm-deepseek" in shell(there)
    assert json.loads(shell(f"{there} -o jsonpath='{{.spec.ports[0]}}'"))["port"] == 9000
    port = "spec.vllmEndpoints[2].backend.service.port"
    wait_until_told(shell, "SomeBackendsUnresolved", port, "9000", event=False)
    direct["port"] = 9000
    router.apply()
    wait_until_told(shell, "AllBackendsResolved")
    router.wait_for_phase("Running")


def test_a_storage_class_that_is_not_there_and_one_that_gives_no_volume_are_told_apart(
    operator: Operator, router: SemanticRouter, empty_class: str, shell: Shell
) -> None:
    persistence = {"enabled": True, "size": "10Gi", "storageClassName": "no-such-class"}
    router.spec["persistence"] = persistence
    router.create_service()
    router.apply()
    wait_until_told(
        shell, "StorageClassNotFound", "spec.persistence.storageClassName", "standard", empty_class
    )
    listed = shell("kubectl get storageclass")
    assert "standard (default)" in listed
    assert "no-such-class" not in listed
    assert "NotFound" in shell("kubectl describe pvc my-router-models", fails=True)

    persistence["storageClassName"] = empty_class
    router.apply()
    wait_until_told(shell, "VolumePending", "my-router-models", empty_class, event=False)
    shown = shell("kubectl describe pvc my-router-models")
    assert "Pending" in shown
    assert "example.com/nobody" in shown, "the claim's events say whom it waits for"

    # A claim's class cannot be changed.
    persistence["storageClassName"] = "standard"
    router.apply()
    told = wait_until_told(shell, "ApplyRefused", "spec.persistence.storageClassName")
    assert "my-router-models" in told
    shell("kubectl delete pvc my-router-models --wait=false")
    router.wait_for_phase("Running")
    shown = shell("kubectl describe pvc my-router-models")
    assert "Bound" in shown
    assert "standard" in shown


def test_an_image_that_cannot_be_pulled_leads_to_the_pull_secret(
    operator: Operator, router: SemanticRouter, shell: Shell
) -> None:
    router.create_service()
    router.apply()
    router.wait_for_phase("Running")
    fail_to_pull(router)
    image = "ghcr.io/vllm-project/semantic-router/extproc"
    wait_until_told(shell, "ImagePullBackOff", image, "imagePullSecrets")
    assert "ImagePullBackOff" in shell(PODS)

    shell(
        "kubectl create secret docker-registry ghcr-secret --docker-server=ghcr.io "
        "--docker-username=me --docker-password=token"
    )
    router.spec["imagePullSecrets"] = [{"name": "ghcr-secret"}]
    router.apply()
    router.wait_for_phase("Running")
    pods = json.loads(shell("kubectl get pods -l app.kubernetes.io/instance=my-router -o json"))[
        "items"
    ]
    assert [pod["spec"]["imagePullSecrets"] for pod in pods] == [[{"name": "ghcr-secret"}]]


def fail_to_pull(router: SemanticRouter) -> None:
    """What a kubelet writes."""
    selector = f"-l=app.kubernetes.io/instance={router.name}"
    answer = router.kubectl("get", "pods", selector, "-n", router.namespace, "-o", "json")
    (pod,) = json.loads(answer)["items"]
    status = pod["status"]
    for condition in status["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition.update(status="False", reason="ContainersNotReady")
    (container,) = (
        item for item in status["containerStatuses"] if item["name"] == "semantic-router"
    )
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    container.update(ready=False, started=False, state={"waiting": waiting})
    router.patch("pod", pod["metadata"]["name"], {"status": status}, "--subresource=status")


def test_a_token_for_the_models_reaches_the_pods(
    operator: Operator, router: SemanticRouter, shell: Shell
) -> None:
    assert "NotFound" in shell("kubectl get secret hf-token-secret", fails=True)
    shell("kubectl create secret generic hf-token-secret --from-literal=token=hf_xxxxxxxxxxxxx")
    source = {"secretKeyRef": {"name": "hf-token-secret", "key": "token"}}
    router.spec["env"] = [{"name": "HF_TOKEN", "valueFrom": source}]
    router.create_service()
    router.apply()
    router.wait_for_phase("Running")
    shown = shell(PODS)
    assert "HF_TOKEN:" in shown
    assert "<set to the key 'token' in secret 'hf-token-secret'>" in shown
    assert "hf_xxxxxxxxxxxxx" not in shell("kubectl get all,configmap -o yaml") + operator.text


def test_the_log_says_which_platform_was_detected_and_why(operator: Operator, shell: Shell) -> None:
    found = shell(f"cat {operator.log} | grep -i 'platform\\|openshift'")
    line = "Detected standard Kubernetes platform - will use standard security contexts"
    assert line in found
    shell("kubectl api-resources | grep route.openshift.io", fails=True)
