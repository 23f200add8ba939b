"""Discovery against a real API server: by function, by action, and by the modules for hand use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    Discovery,
    discover,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane, Kubectl
from endpoint_slices import endpoint_slice
from eventually import eventually

ANSIBLE = Path(sys.executable).parent

KSERVE = {
    "name": "kserve-backend",
    "model": "llama3-8b",
    "backend": {"type": "kserve", "inferenceServiceName": "llama-3-8b"},
}
LLAMASTACK = {
    "name": "stack-backend",
    "model": "llama-405b",
    "backend": {"type": "llamastack", "discoveryLabels": {"app": "llama-stack"}},
}
SERVICE = {
    "name": "service-backend",
    "model": "qwen",
    "backend": {"type": "service", "service": {"name": "vllm-qwen", "port": 8000}},
}


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    return Client.from_options({"kubeconfig": str(control_plane.kubeconfig)})


def semantic_router(namespace: str, *endpoints: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "namespace": namespace},
        "spec": {"vllmEndpoints": list(endpoints), "persistence": {"enabled": False}, **spec},
    }


def service(name: str, port: int = 8000, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"ports": [{"port": port}]},
    }


def inference_service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {}},
    }


def create(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))


def ready(kubectl: Kubectl, namespace: str, name: str) -> None:
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl(
        "patch", "inferenceservices.serving.kserve.io", name, "-n", namespace,
        "--subresource=status", "--type=merge", f"--patch={json.dumps(status)}",
    )  # fmt: skip


def addresses(found: Discovery) -> dict[str, tuple[str, bool, str]]:
    return {item.name: (item.address, item.ready, item.reason) for item in found.facts.endpoints}


def test_each_type_of_backend_is_found(client: Client, kubectl: Kubectl, namespace: str) -> None:
    create(
        kubectl,
        namespace,
        inference_service("llama-3-8b"),
        service("llama-3-8b-predictor", 80),
        service("stack-b", 8321, app="llama-stack"),
        service("stack-a", 8321, app="llama-stack"),
        endpoint_slice("stack-a", 8321),
        service("vllm-qwen"),
        endpoint_slice("vllm-qwen"),
    )
    ready(kubectl, namespace, "llama-3-8b")
    router = Router(semantic_router(namespace, KSERVE, LLAMASTACK, SERVICE))
    found = discover(Reads(client), router)
    assert addresses(found) == {
        "kserve-backend": (f"llama-3-8b-predictor.{namespace}.svc:80", True, ""),
        "stack-backend": (f"stack-a.{namespace}.svc:8321", True, ""),
        "service-backend": (f"vllm-qwen.{namespace}.svc:8000", True, ""),
    }
    assert found.problems == []
    assert found.facts.capabilities["serving.kserve.io"][0] == "v1beta1"
    assert found.messages == [
        "Detected standard Kubernetes platform - will use standard security contexts"
    ]


def test_backends_that_are_not_there_are_named(client: Client, namespace: str) -> None:
    router = Router(semantic_router(namespace, KSERVE, LLAMASTACK, SERVICE))
    found = discover(Reads(client), router)
    assert {name: (ok, why) for name, (_, ok, why) in addresses(found).items()} == {
        "kserve-backend": (False, "InferenceServiceNotFound"),
        "stack-backend": (False, "NoServiceMatches"),
        "service-backend": (False, "ServiceNotFound"),
    }
    assert [line.split(":")[0] for line in found.messages[1:]] == [
        "Failed to discover backend kserve-backend",
        "Failed to discover backend stack-backend",
        "Failed to discover backend service-backend",
        "No backends found",
    ]


def test_a_backend_that_appears_later_is_found(
    client: Client, kubectl: Kubectl, namespace: str
) -> None:
    router = Router(semantic_router(namespace, KSERVE))
    create(
        kubectl, namespace, inference_service("llama-3-8b"), service("llama-3-8b-predictor", 8443)
    )
    before = addresses(discover(Reads(client), router))["kserve-backend"]
    ready(kubectl, namespace, "llama-3-8b")
    after = addresses(discover(Reads(client), router))["kserve-backend"]
    assert before[1:] == (False, "InferenceServiceNotReady")
    assert after[1:] == (True, "")
    assert before[0] == after[0]


def test_the_storage_class_is_looked_up_only_for_a_volume(client: Client, namespace: str) -> None:
    wanted = semantic_router(namespace, persistence={"storageClassName": "no-such-class"})
    found = discover(Reads(client), Router(wanted))
    assert [problem.reason for problem in found.problems] == ["StorageClassNotFound"]
    assert "standard" in found.problems[0].found
    existing = {"storageClassName": "no-such-class", "existingClaim": "mine"}
    found = discover(Reads(client), Router(semantic_router(namespace, persistence=existing)))
    assert found.problems == []


def test_a_reader_without_rights_hears_which_right_is_missing(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.kubeconfig_for("nobody-in-particular")
    client = Client.from_options({"kubeconfig": str(kubeconfig)})
    router = Router(semantic_router(namespace, LLAMASTACK, SERVICE, persistence={"size": "1Gi"}))
    found = discover(Reads(client), router)
    assert not found.failed
    assert {why for _, _, why in addresses(found).values()} == {"BackendUnreadable"}
    assert 'cannot list resource "services"' in found.facts.endpoints[0].message
    assert [(item.reason, item.blocking) for item in found.problems] == [
        ("StorageClassesUnreadable", False)
    ]


def test_a_silent_api_server_is_no_answer() -> None:
    client = Client.from_options({"host": "http://127.0.0.1:1", "api_key": "x"})
    found = discover(Reads(client), Router(semantic_router("default", SERVICE)))
    assert found.failed
    (problem,) = found.problems
    assert (problem.reason, problem.retry, problem.blocking) == ("DiscoveryFailed", True, True)
    assert not any("Detected" in line for line in found.messages)


def play(control_plane: ControlPlane, tmp_path: Path, *tasks: dict[str, Any]) -> dict[str, Any]:
    """Run tasks and return the last one's result."""
    answer = tmp_path / "answer.json"
    keep = {
        "ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(answer)},
    }
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        yaml.safe_dump(
            [{"hosts": "localhost", "gather_facts": False, "tasks": [*tasks, keep]}],
        )
    )
    environment = {
        **os.environ,
        "K8S_AUTH_KUBECONFIG": str(control_plane.kubeconfig),
        "ANSIBLE_LOCALHOST_WARNING": "false",
    }
    command = [ANSIBLE / "ansible-playbook", "-i", "localhost,", "-c", "local", playbook]
    command += ["-e", f"ansible_python_interpreter={sys.executable}"]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return dict(json.loads(answer.read_text()))


def test_the_action_reads_the_router_by_name(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    create(
        kubectl,
        namespace,
        semantic_router(namespace, SERVICE),
        service("vllm-qwen"),
        endpoint_slice("vllm-qwen"),
    )
    result = play(
        control_plane,
        tmp_path,
        {
            "vllm.semantic_router.discover": {"name": "my-router", "namespace": namespace},
            "register": "result",
        },
    )
    assert result["changed"] is False
    assert result["problems"] == []
    assert result["router"]["metadata"]["uid"]
    assert "managedFields" not in result["router"]["metadata"]
    assert result["facts"]["endpoints"][0]["service"] == "vllm-qwen"
    assert result["facts"]["endpoints"][0]["port"] == 8000


def test_the_action_fails_for_a_router_that_is_not_there(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    result = play(
        control_plane,
        tmp_path,
        {
            "vllm.semantic_router.discover": {"name": "nowhere", "namespace": namespace},
            "register": "result",
            "failed_when": "not result.failed",
        },
    )
    assert f'SemanticRouter "nowhere" does not exist in namespace "{namespace}"' in result["msg"]


def test_the_modules_answer_like_the_operator(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    create(
        kubectl,
        namespace,
        semantic_router(namespace, SERVICE),
        service("vllm-qwen"),
        endpoint_slice("vllm-qwen"),
    )
    result = play(
        control_plane,
        tmp_path,
        {"vllm.semantic_router.platform_info": {}, "register": "cluster", "check_mode": True},
        {
            "vllm.semantic_router.backend_info": {"name": "my-router", "namespace": namespace},
            "register": "existing",
        },
        {
            "vllm.semantic_router.backend_info": {
                "namespace": namespace,
                "endpoints": [LLAMASTACK],
            },
            "register": "given",
        },
        {
            "ansible.builtin.set_fact": {
                "result": {
                    "cluster": "{{ cluster }}",
                    "existing": "{{ existing }}",
                    "given": "{{ given }}",
                }
            }
        },
    )
    assert result["cluster"]["platform"] == "kubernetes"
    assert result["cluster"]["capabilities"]["serving.kserve.io"][0] == "v1beta1"
    (existing,) = result["existing"]["endpoints"]
    assert (existing["address"], existing["ready"]) == (f"vllm-qwen.{namespace}.svc:8000", True)
    (given,) = result["given"]["endpoints"]
    assert (given["ready"], given["reason"], given["weight"]) == (False, "NoServiceMatches", 1)


def test_the_module_refuses_a_backend_without_what_its_type_needs(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    incomplete = {"name": "a", "model": "b", "backend": {"type": "kserve"}}
    result = play(
        control_plane,
        tmp_path,
        {
            "vllm.semantic_router.backend_info": {"endpoints": [incomplete]},
            "register": "result",
            "failed_when": "not result.failed",
        },
    )
    assert "inferenceServiceName" in result["msg"]


def test_the_operator_would_find_the_period_where_it_looks(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    result = play(
        control_plane,
        tmp_path,
        {"vllm.semantic_router.requeue_after": {"after": "15s"}, "register": "result"},
    )
    assert result["period"] == "15s"


def test_secrets_are_looked_at_only_when_asked_for_and_only_by_their_version(
    client: Client, control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "token"},
        "stringData": {"t": "canary"},
    }
    create(kubectl, namespace, secret)
    reference = {"name": "token", "key": "t"}
    spec = {"env": [{"name": "T", "valueFrom": {"secretKeyRef": reference}}]}
    router = Router(semantic_router(namespace, **spec))

    def digest(asking: Client, secret_versions: bool = True) -> str:
        found = discover(Reads(asking), router, secret_versions=secret_versions)
        assert not found.failed
        assert "canary" not in json.dumps(found.facts.as_dict())
        return found.facts.rollout.secrets

    user = "nobody-special"
    stranger = Client.from_options({"kubeconfig": str(control_plane.kubeconfig_for(user))})
    assert digest(client, secret_versions=False) == ""
    assert digest(stranger) == "", "who may not look learns nothing, and that is no error"
    first = digest(client)
    assert first
    assert digest(client) == first
    kubectl("create", "role", "look", "-n", namespace, "--verb=get", "--resource=secrets")
    kubectl("create", "rolebinding", "look", "-n", namespace, "--role=look", f"--user={user}")
    assert eventually(lambda: digest(stranger), message="the permission to be in force") == first
    create(kubectl, namespace, {**secret, "stringData": {"t": "canary2"}})
    assert digest(client) not in ("", first)
    metadata = client.get_metadata(f"/api/v1/namespaces/{namespace}/secrets/token")
    assert set(metadata or {}) == {"metadata"}


def test_a_secret_of_keys_is_missed_only_by_who_may_look(
    client: Client, control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    keys = {"apiKeys": [{"secretRef": {"name": "team"}}]}
    router = Router(semantic_router(namespace, auth=keys))

    def missed(asking: Client, secret_versions: bool = True) -> list[str]:
        found = discover(Reads(asking), router, secret_versions=secret_versions)
        assert not found.failed
        return [item.field for item in found.problems if item.reason == "SecretNotFound"]

    stranger = Client.from_options({"kubeconfig": str(control_plane.kubeconfig_for("nobody"))})
    assert missed(client) == ["spec.auth.apiKeys[0].secretRef.name"]
    assert missed(client, secret_versions=False) == missed(stranger) == []
    kubectl("create", "secret", "generic", "team", "-n", namespace, "--from-literal=a=b")
    assert missed(client) == []
