"""The kubectl plugin as a user runs it, on a cluster where the operator has reconciled."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane, Kubectl, KubectlError
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter, minimal

BINARIES = Path(sys.executable).parent
Plugin = Callable[..., subprocess.CompletedProcess[str]]
SECRET_VALUE = "hf_" + "never" * 4
PAUSED = r"jsonpath={.metadata.annotations.vllm\.ai/paused}"


@pytest.fixture(scope="module")
def plugin(control_plane: ControlPlane) -> Plugin:
    """`plugin("status", ...)`; by its file, or with `kubectl=True` as kubectl finds it on PATH."""
    env = {**os.environ, **control_plane.env, "COLUMNS": "100"}
    env["PATH"] = f"{BINARIES}:{env['PATH']}"

    def run(
        *arguments: str, stdin: str = "", kubectl: bool = False
    ) -> subprocess.CompletedProcess[str]:
        command = [str(control_plane.kubectl)] if kubectl else [str(BINARIES / "kubectl-sr")]
        return subprocess.run(
            [*command, *arguments],
            env=env, input=stdin, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def namespace(operator: Operator, kubectl: Kubectl) -> Iterator[str]:
    """Two routers: `well` lacks nothing, `ill` has lost a backend and lacks a Secret."""
    name = f"test-plugin-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    well = SemanticRouter(kubectl, name, router_named("well"))
    well.create_service()
    kubectl(
        "create", "secret", "generic", "hf-token-secret", f"--from-literal=token={SECRET_VALUE}",
        "-n", name,
    )  # fmt: skip
    kubectl("apply", "-n", name, "-f", "-", stdin=json.dumps(ready_address()))
    ill = SemanticRouter(kubectl, name, router_named("ill"))
    gone = {"name": "gone", "model": "gone", "backend": {"type": "service", "service": {}}}
    gone["backend"]["service"] = {"name": "vllm-gone", "port": 8000}  # type: ignore[index]
    ill.spec["vllmEndpoints"].append(gone)
    ill.spec["env"][0]["valueFrom"]["secretKeyRef"]["name"] = "no-such-secret"
    for router in (well, ill):
        router.apply()
    for router in (well, ill):
        router.wait_for("Ready")
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


def router_named(name: str) -> dict[str, Any]:
    router = minimal(name)
    reference = {"name": "hf-token-secret", "key": "token"}
    router["spec"]["env"] = [{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}]
    return router


def ready_address() -> dict[str, Any]:
    """What Kubernetes writes when a ready pod stands behind the Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "vllm-qwen-1", "labels": {"kubernetes.io/service-name": "vllm-qwen"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8000}],
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
    }  # fmt: skip


def live(kubectl: Kubectl, namespace: str, name: str) -> dict[str, Any]:
    """The router as a file would hold it."""
    found = json.loads(kubectl("get", "semanticrouter", name, "-n", namespace, "-o", "json"))
    metadata = {"name": name, "namespace": namespace}
    return {**{key: found[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def words(text: str) -> str:
    """Without the tree's lines and line ends."""
    return " ".join(part for part in text.split() if part not in "│├└──")


def test_status_shows_the_chain_and_why_a_link_is_broken(plugin: Plugin, namespace: str) -> None:
    done = plugin("status", "ill", "-n", namespace)

    assert done.returncode == 1, done.stderr
    said = words(done.stdout)
    for part in ("Deployment ill", "ConfigMap ill-config", "Pod ill-", "ServiceNotFound"):
        assert part in said
    # kwok says that they run.
    assert "simulated pods" in said
    assert "spec.vllmEndpoints[1].backend.service: Create it" in said


@pytest.mark.parametrize("spelling", ["sr", "semantic-router"])
def test_kubectl_finds_the_plugin_and_a_router_that_is_well_is_a_success(
    plugin: Plugin, namespace: str, spelling: str
) -> None:
    done = plugin(spelling, "status", "well", "-n", namespace, "-o", "json", kubectl=True)

    assert done.returncode == 0, done.stdout + done.stderr
    (root,) = json.loads(done.stdout)
    assert (root["name"], root["state"]) == (f"{namespace}/well", "ok")
    assert {child["state"] for child in root["children"]} == {"ok"}


def test_kubectl_completes_commands_options_and_names_of_routers(
    plugin: Plugin, namespace: str
) -> None:
    for typed, offered in (
        (["st"], "status"),
        (["wait", "well", "--for", "b"], "backends"),
        (["diff", "--names"], "--namespace"),
        (["doctor", "-n", namespace, "i"], "ill"),
        (["-n", namespace, "restart", "w"], "well"),
        (["-n", namespace, "rest"], "restart"),
    ):
        done = plugin("__complete", "sr", *typed, kubectl=True)
        assert done.stdout.splitlines() == [offered, ":4"], done.stderr


def test_status_without_a_name_shows_all_routers(plugin: Plugin, namespace: str) -> None:
    done = plugin("status", "-A", "-o", "yaml")

    names = {root["name"] for root in yaml.safe_load(done.stdout)}
    assert {f"{namespace}/well", f"{namespace}/ill"} <= names


def test_doctor_finds_nothing_wrong_with_a_router_that_is_well(
    plugin: Plugin, namespace: str
) -> None:
    done = plugin("doctor", "well", "-n", namespace)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "no problems" in done.stdout
    assert "Secret hf-token-secret exists" in words(done.stdout)


def test_who_may_only_look_at_routers_is_not_told_that_anything_is_missing(
    plugin: Plugin, control_plane: ControlPlane, kubectl: Kubectl, namespace: str
) -> None:
    kubectl(
        "create", "role", "router-viewer", "--verb=get,list",
        "--resource=semanticrouters.vllm.ai", "-n", namespace,
    )  # fmt: skip
    kubectl(
        "create", "rolebinding", "router-viewer", "--role=router-viewer",
        "--user=router-viewer", "-n", namespace,
    )  # fmt: skip
    kubeconfig = str(control_plane.kubeconfig_for("router-viewer"))
    examined = plugin("doctor", "well", "-n", namespace, "--kubeconfig", kubeconfig)
    shown = plugin("status", "well", "-n", namespace, "--kubeconfig", kubeconfig)

    assert examined.returncode == 0, examined.stdout + examined.stderr
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for said in (words(examined.stdout), words(shown.stdout)):
        assert "you may not look" in said
        for untrue in ("there is no", "does not exist", "the operator may not"):
            assert untrue not in said


def test_doctor_says_what_is_wrong_where_and_what_to_do(plugin: Plugin, namespace: str) -> None:
    done = plugin("doctor", "ill", "-n", namespace, "-o", "json")

    assert done.returncode == 1
    broken = {item["topic"]: item for item in json.loads(done.stdout) if item["state"] == "broken"}
    assert broken["Backends"]["where"] == "spec.vllmEndpoints[1].backend.service"
    assert "vllm-gone" in broken["Backends"]["found"]
    assert broken["Models"]["found"] == "Secret no-such-secret does not exist"
    assert "kubectl create secret generic no-such-secret" in broken["Models"]["remedy"]


def test_a_pause_holds_until_it_is_resumed(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    gone = plugin("pause", "well", "gone", "-n", namespace)
    assert gone.returncode == 1
    assert 'no SemanticRouter "gone"' in gone.stderr
    assert not kubectl("get", "sr", "well", "-n", namespace, "-o", PAUSED)
    paused = plugin("pause", "semanticrouter/well", "ill", "-n", namespace)
    reached = plugin(
        "wait", "well", "-n", namespace, "--for", "condition=Paused", "--timeout", "60s"
    )
    assert (paused.returncode, reached.returncode) == (0, 0), paused.stderr + reached.stderr

    deleted = ("configmap", "well-config", "-n", namespace)
    kubectl("delete", *deleted)
    assert "Paused" in plugin("status", "well", "-n", namespace).stdout
    assert kubectl("get", "sr", "ill", "-n", namespace, "-o", PAUSED) == "true"
    resumed = plugin("-n", namespace, "resume", "well", "ill")
    assert resumed.returncode == 0, resumed.stderr
    kubectl("wait", "--for=create", *deleted, "--timeout=60s")


def test_a_restart_gives_the_pod_template_what_kubectl_would(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    done = plugin("restart", "well", "-n", namespace)
    assert done.returncode == 0, done.stderr
    template = kubectl(
        "get", "deployment", "well", "-n", namespace, "-o", "jsonpath={.spec.template.metadata}"
    )
    assert "kubectl.kubernetes.io/restartedAt" in template


def test_a_report_has_objects_and_findings_and_no_secret(
    plugin: Plugin, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.tar.gz"
    kubectl("label", "semanticrouter", "well", "ill", "team=report", "-n", namespace)
    done = plugin("report", "-A", "-l", "team=report", "--file", str(file))
    kubectl("label", "semanticrouter", "well", "ill", "team-", "-n", namespace)
    assert done.returncode == 0, done.stderr
    with tarfile.open(file) as archive:
        contents = {
            member.name: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    folder = f"report/{namespace}"
    assert {f"{folder}/well/semanticrouter.yaml", "report/doctor.yaml"} <= set(contents)
    assert f"{folder}/ill/objects/deployment-ill.yaml" in contents
    assert "vllm-gone" in contents["report/doctor.yaml"]
    assert not [name for name, text in contents.items() if SECRET_VALUE in text]


def test_one_may_ask_as_somebody_else(plugin: Plugin, namespace: str) -> None:
    done = plugin("status", "well", "-n", namespace, "--as", "nobody-in-particular")
    assert done.returncode == 3
    assert "nobody-in-particular" in done.stderr


def test_routers_are_chosen_by_label(plugin: Plugin, kubectl: Kubectl, namespace: str) -> None:
    kubectl("label", "semanticrouter", "well", "team=search", "-n", namespace)
    done = plugin("status", "-n", namespace, "-l", "team=search", "-o", "json")
    kubectl("label", "semanticrouter", "well", "team-", "-n", namespace)
    assert [root["name"] for root in json.loads(done.stdout)] == [f"{namespace}/well"]


def test_no_command_prints_the_value_of_a_secret(plugin: Plugin, namespace: str) -> None:
    for command in (["status", "-o", "json"], ["doctor", "-o", "json"]):
        done = plugin(*command, "-n", namespace)
        assert done.stdout
        assert SECRET_VALUE not in done.stdout + done.stderr


def test_diff_of_what_is_there_is_empty(plugin: Plugin, kubectl: Kubectl, namespace: str) -> None:
    done = plugin("diff", "-", stdin=json.dumps(live(kubectl, namespace, "well")))

    assert (done.returncode, done.stdout) == (0, "Nothing would change.\n"), done.stderr


def test_diff_shows_what_a_file_would_change_and_changes_nothing(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    router = live(kubectl, namespace, "well")
    router["spec"]["vllmEndpoints"][0]["model"] = "qwen3-8b"
    before = kubectl("get", "deployment,configmap", "-n", namespace, "-o", "json")
    done = plugin("diff", "-", stdin=json.dumps(router))

    assert done.returncode == 1, done.stderr
    assert "+ model: qwen3-8b" in words(done.stdout)
    for part in ("ConfigMap", "Deployment", "its pods are replaced"):
        assert part in done.stdout
    assert kubectl("get", "deployment,configmap", "-n", namespace, "-o", "json") == before


def test_diff_of_a_new_router_creates_everything(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    router = copy.deepcopy(live(kubectl, namespace, "well"))
    router["metadata"]["name"] = "another"
    done = plugin("diff", "-", "-o", "json", stdin=json.dumps(router))

    assert done.returncode == 1, done.stderr
    assert {item["action"] for item in json.loads(done.stdout)["changes"]} == {"created"}
    assert "another" not in kubectl("get", "semanticrouters", "-n", namespace)


@pytest.mark.parametrize("name", ["well", "new"])
@pytest.mark.parametrize(("field", "value"), [("replicas", -1), ("replcas", 2)])
def test_diff_of_what_apply_refuses_is_refused(
    plugin: Plugin, kubectl: Kubectl, namespace: str, name: str, field: str, value: int
) -> None:
    router = live(kubectl, namespace, "well")
    router["metadata"]["name"] = name
    router["spec"][field] = value
    done = plugin("diff", "-", stdin=json.dumps(router))

    assert done.returncode == 1
    assert f"spec.{field}" in done.stderr
    with pytest.raises(KubectlError, match=field):
        kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(router))


def test_diff_of_a_file_of_another_namespace_asks_which_one_is_meant(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    done = plugin("diff", "-", "-n", "default", stdin=json.dumps(live(kubectl, namespace, "well")))

    assert done.returncode == 2
    assert namespace in done.stderr


def test_a_router_that_is_not_there_is_told_with_its_namespace(
    plugin: Plugin, namespace: str
) -> None:
    for command in ("status", "doctor"):
        done = plugin(command, "nobody", "-n", namespace)
        assert done.returncode == 1
        said = f'There is no SemanticRouter "nobody" in namespace "{namespace}".'
        assert said in words(done.stderr)


def test_doctor_tells_of_a_pause(plugin: Plugin, kubectl: Kubectl, namespace: str) -> None:
    kubectl("annotate", "semanticrouter", "well", "-n", namespace, "vllm.ai/paused=true")
    try:
        done = plugin("doctor", "well", "-n", namespace)
    finally:
        kubectl("annotate", "semanticrouter", "well", "-n", namespace, "vllm.ai/paused-")

    assert "vllm.ai/paused-" in words(done.stdout)


def test_the_api_server_accepts_what_validate_passes_and_render_prints(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    router = json.dumps(live(kubectl, namespace, "well"))
    assert plugin("validate", "-", stdin=router).returncode == 0
    rendered = plugin("render", "-", stdin=router)

    accepted = kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=rendered.stdout
    )
    assert "deployment.apps/well" in accepted


def test_validate_passes_a_key_with_nothing_behind_it_as_the_api_server_does(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    router = live(kubectl, namespace, "well")
    decision = {"name": "all", "rules": {"operator": "OR", "conditions": []}, "plugins": None}
    router["spec"]["config"] = {"routing": {"decisions": [decision]}}
    text = yaml.safe_dump(router)
    done = plugin("validate", "-", stdin=text)

    assert done.returncode == 0, done.stdout
    assert "well" in kubectl("apply", "--dry-run=server", "-f", "-", stdin=text)


def test_a_migrated_chart_becomes_a_router_that_is_ready(
    plugin: Plugin, kubectl: Kubectl, namespace: str
) -> None:
    endpoint = f"vllm-qwen.{namespace}.svc.cluster.local:8000"
    model = {"name": "qwen2.5-7b", "backend_refs": [{"name": "qwen", "endpoint": endpoint}]}
    values = {
        "replicaCount": 1,
        "persistence": {"enabled": False},
        "dashboard": {"enabled": True},
        "config": {"version": "v0.3", "listeners": [], "providers": {"models": [model]}},
    }
    done = plugin("migrate", "-", "--name", "chart", "-n", namespace, stdin=json.dumps(values))
    assert done.returncode == 1
    assert "dashboard: not carried over" in words(done.stderr)

    kubectl("apply", "--validate=strict", "-f", "-", stdin=done.stdout)
    waited = plugin("wait", "chart", "-n", namespace, "--timeout", "60s")
    assert waited.returncode == 0, waited.stderr
    assert "RouterReady" in waited.stdout


def test_wait_that_runs_out_of_time_says_what_it_waited_for(plugin: Plugin, namespace: str) -> None:
    done = plugin("wait", "ill", "-n", namespace, "--for", "backends", "--timeout", "1s")

    assert done.returncode == 1
    assert "SomeBackendsUnresolved" in words(done.stderr)
    assert "vllm-gone" in words(done.stderr)


def test_wait_for_what_never_was_is_over_when_it_is_gone(plugin: Plugin, namespace: str) -> None:
    done = plugin("wait", "nobody", "-n", namespace, "--for", "deleted", "--timeout", "5s")

    assert done.returncode == 0, done.stderr
