"""The same roles without an operator: reconcile, finalize, render and each role on its own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SAMPLES, SemanticRouter, minimal
from eventually import eventually
from playbook import Playbook

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = "vllm.semantic_router"


@pytest.fixture
def router(kubectl: Kubectl, namespace: str) -> SemanticRouter:
    return SemanticRouter(kubectl, namespace)


@pytest.fixture
def playbook(tmp_path: Path, control_plane: ControlPlane) -> Playbook:
    return Playbook(tmp_path, control_plane)


@pytest.fixture
def offline(tmp_path: Path) -> Playbook:
    return Playbook(tmp_path, None)


def of(router: SemanticRouter) -> tuple[str, ...]:
    return ("-e", f"router_name={router.name}", "-e", f"router_namespace={router.namespace}")


def test_reconcile_works_with_a_kubeconfig_and_no_operator(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    first = playbook(f"{COLLECTION}.reconcile", *of(router))
    assert "changed=1" in first.stdout, first.stdout
    assert f"Deployment/{router.name}" in router.objects()
    router.wait_for("BackendsResolved")


def test_reconcile_a_second_time_changes_nothing(
    playbook: Playbook, router: SemanticRouter, control_plane: ControlPlane
) -> None:
    router.create_service()
    router.apply()
    playbook(f"{COLLECTION}.reconcile", *of(router))
    router.kubectl(
        "wait", "--for=condition=Available", f"deployment/{router.name}", "-n", router.namespace
    )
    playbook(f"{COLLECTION}.reconcile", *of(router))
    third = playbook(f"{COLLECTION}.reconcile", *of(router))
    assert "changed=0" in third.stdout, third.stdout


def test_a_pipeline_can_wait_until_the_router_is_ready(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    playbook(f"{COLLECTION}.reconcile", *of(router), "-e", "wait=true")
    assert router.condition("Ready")["status"] == "True"


def test_a_wait_ends_at_once_where_only_an_edit_helps(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.spec["config"] = {"prompt_guard": {"enabld": True}}
    router.apply()
    began = time.monotonic()
    done = playbook(f"{COLLECTION}.reconcile", *of(router), "-e", "wait=true", check=False)
    assert done.returncode
    assert "spec.config.prompt_guard.enabld" in done.stdout + done.stderr
    assert time.monotonic() - began < 300


def test_a_wait_that_is_over_says_what_was_missing(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.apply()
    done = playbook(
        f"{COLLECTION}.reconcile", *of(router), "-e", "wait=true", "-e", "wait_timeout=3",
        check=False,
    )  # fmt: skip
    assert done.returncode
    assert "vllm-qwen" in done.stdout + done.stderr
    assert "is not Running" in done.stdout + done.stderr


def test_render_says_which_variable_it_lacks(offline: Playbook) -> None:
    done = offline(f"{COLLECTION}.render", check=False)
    assert done.returncode
    assert "-e cr_file=my-router.yaml" in done.stdout + done.stderr


def test_render_of_a_file_that_is_not_there_names_the_variable(offline: Playbook) -> None:
    done = offline(f"{COLLECTION}.render", "-e", "cr_file=/no/such/file.yaml", check=False)
    assert done.returncode
    assert "No such file or directory. Name a readable YAML file: -e cr_file=" in done.stdout


@pytest.mark.parametrize("name", ["reconcile", "finalize"])
def test_a_playbook_without_a_router_names_the_variable(offline: Playbook, name: str) -> None:
    done = offline(f"{COLLECTION}.{name}", check=False)
    assert done.returncode
    assert "Name the SemanticRouter: -e router_name=my-router" in done.stdout


def test_the_difference_that_check_mode_shows_is_as_long_as_the_edit(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    playbook(f"{COLLECTION}.reconcile", *of(router))
    router.spec["replicas"] = 2
    router.apply()
    said = playbook(f"{COLLECTION}.reconcile", "--check", "--diff", *of(router)).stdout
    gone = [line for line in said.splitlines() if line.startswith("-") and line[1:2] == " "]
    # A PodDisruptionBudget comes with the second pod, as a whole.
    assert gone == ['-        "replicas": 1,']
    assert '+        "replicas": 2,' in said
    assert len(said.splitlines()) < 80


def test_a_reconcile_ends_early_until_something_changes(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()

    def reconcile() -> bool:
        done = playbook(f"{COLLECTION}.reconcile", *of(router))
        return "Look again later" not in done.stdout

    assert not reconcile()
    router.kubectl(
        "wait", "--for=condition=Available", f"deployment/{router.name}", "-n", router.namespace
    )
    assert not reconcile()
    assert reconcile()
    router.kubectl("delete", "configmap", f"{router.name}-envoy-config", "-n", router.namespace)
    assert not reconcile()
    assert f"ConfigMap/{router.name}-envoy-config" in router.objects()
    eventually(reconcile, message="a reconcile that has nothing to do")
    router.kubectl("delete", "service", "vllm-qwen", "-n", router.namespace)
    assert not reconcile()
    router.wait_for("BackendsResolved", "False")


def test_check_mode_shows_the_difference_and_writes_nothing(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.create_service()
    router.apply()
    done = playbook(f"{COLLECTION}.reconcile", "--check", "--diff", *of(router))
    assert not router.objects()
    assert router.get()["status"] == {"observedGeneration": -1}
    assert "kind: Deployment" in done.stdout or '"kind": "Deployment"' in done.stdout, done.stdout


def test_reconcile_of_a_router_that_does_not_exist_says_so(
    playbook: Playbook, namespace: str
) -> None:
    done = playbook(
        f"{COLLECTION}.reconcile",
        "-e", "router_name=nobody",
        "-e", f"router_namespace={namespace}",
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    failures = [line for line in done.stdout.splitlines() if line.startswith("fatal:")]
    assert failures
    assert all('SemanticRouter \\"nobody\\" does not exist' in line for line in failures), failures


def test_finalize_removes_the_objects_and_keeps_router_and_models(
    playbook: Playbook, router: SemanticRouter
) -> None:
    router.spec["persistence"] = {"enabled": True, "size": "1Gi"}
    router.create_service()
    router.apply()
    playbook(f"{COLLECTION}.reconcile", *of(router))
    playbook(f"{COLLECTION}.finalize", *of(router))
    assert list(router.objects()) == [f"PersistentVolumeClaim/{router.name}-models"]
    assert router.get()["metadata"]["name"] == router.name


@pytest.mark.parametrize(
    "role", ["config", "storage", "workload", "networking", "openshift", "monitoring"]
)
def test_each_role_works_on_its_own(
    playbook: Playbook, router: SemanticRouter, tmp_path: Path, role: str
) -> None:
    router.spec["persistence"] = {"enabled": True, "size": "1Gi"}
    router.create_service()
    router.apply()
    write_play_of(role, router, tmp_path)
    playbook("play.yml")
    kinds = {name.split("/")[0] for name in router.objects()}
    expected = {
        "config": {"ConfigMap"},
        "storage": {"PersistentVolumeClaim"},
        "workload": {"ServiceAccount", "Deployment"},
        "networking": {"Service"},
        # Neither a Route nor a ServiceMonitor is asked for, or could be here.
        "openshift": set(),
        "monitoring": set(),
    }
    assert kinds == expected[role]


def test_a_role_on_its_own_writes_nothing_of_a_wrong_router(
    playbook: Playbook, router: SemanticRouter, tmp_path: Path
) -> None:
    router.spec["config"] = {"prompt_guard": {"threshold": 1.5}}
    router.apply()
    write_play_of("config", router, tmp_path)
    done = playbook("play.yml", check=False)
    assert done.returncode != 0
    assert "spec.config.prompt_guard.threshold: 1.5 is not a number from 0 to 1" in done.stdout
    assert not router.objects()


def write_play_of(role: str, router: SemanticRouter, directory: Path) -> None:
    of_this_router = {"router_name": router.name, "router_namespace": router.namespace}
    play = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "roles": [
                {"role": f"{COLLECTION}.discovery", "vars": of_this_router},
                {"role": f"{COLLECTION}.{role}", "vars": {"router": "{{ discovery.router }}"}},
            ],
        }
    ]
    (directory / "play.yml").write_text(yaml.safe_dump(play))


@pytest.mark.parametrize("platform", ["kubernetes", "openshift"])
def test_render_gives_all_manifests_as_one_yaml_without_a_cluster(
    offline: Playbook, tmp_path: Path, platform: str
) -> None:
    sample = SAMPLES / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml"
    offline(
        f"{COLLECTION}.render", "-e", f"cr_file={sample}", "-e", f"platform={platform}",
        "-e", f"render_output={tmp_path / 'out.yaml'}",
    )  # fmt: skip
    manifests = list(yaml.safe_load_all((tmp_path / "out.yaml").read_text()))
    assert sorted(manifest["kind"] for manifest in manifests) == [
        "ConfigMap",
        "ConfigMap",
        # That of the CA by which OpenShift's own certificates are verified.
        *(["ConfigMap"] if platform == "openshift" else []),
        "Deployment",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
        "Service",
        "ServiceAccount",
    ]
    assert ("runAsUser" in json.dumps(manifests)) is (platform == "kubernetes")


@pytest.mark.parametrize(
    ("options", "optional"),
    [
        ((), {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}),
        (("-e", "capabilities=gateway.networking.k8s.io"), {"HTTPRoute"}),
        (("-e", "capabilities="), set()),
    ],
)
def test_render_gives_what_a_cluster_with_these_optional_apis_would_get(
    offline: Playbook, tmp_path: Path, options: tuple[str, ...], optional: set[str]
) -> None:
    router = minimal()
    monitoring = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    gateway = {"existingRef": {"name": "shared", "namespace": "default"}}
    router["spec"].update(monitoring=monitoring, gateway=gateway)
    (tmp_path / "router.yaml").write_text(yaml.safe_dump(router))
    done = offline(
        f"{COLLECTION}.render", "-e", "cr_file=router.yaml", "-e", "render_output=out.yaml",
        *options,
    )  # fmt: skip
    kinds = {item["kind"] for item in yaml.safe_load_all((tmp_path / "out.yaml").read_text())}
    known = {"HTTPRoute", "ServiceMonitor", "PrometheusRule"}
    assert kinds & known == optional
    assert ("spec.monitoring.serviceMonitor.enabled" in done.stdout + done.stderr) is (
        "ServiceMonitor" not in optional
    )


def test_render_prints_to_the_terminal_when_no_file_is_named(offline: Playbook) -> None:
    sample = SAMPLES / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml"
    done = offline(f"{COLLECTION}.render", "-e", f"cr_file={sample}")
    assert "kind: Deployment\n" in done.stdout


@pytest.mark.parametrize(
    ("field", "patch"),
    [
        ("spec.config.prompt_guard.threshold", {"config": {"prompt_guard": {"threshold": "7"}}}),
        ("spec.replica", {"replica": 2}),
    ],
)
def test_render_refuses_a_wrong_router_and_names_the_field(
    offline: Playbook, tmp_path: Path, field: str, patch: dict[str, object]
) -> None:
    wrong = minimal()
    wrong["spec"].update(patch)
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(wrong))
    done = offline(f"{COLLECTION}.render", "-e", "cr_file=wrong.yaml", check=False)
    assert done.returncode != 0
    assert field in done.stdout
    assert "kind: Deployment" not in done.stdout


def test_rendered_text_of_a_router_stays_literal(offline: Playbook, tmp_path: Path) -> None:
    router = yaml.safe_load(
        (SAMPLES / "vllm.ai_v1alpha1_semanticrouter_my-router.yaml").read_text()
    )
    template = "{{ lookup('pipe', 'echo evaluated-$((40+2))') }}"
    router["spec"]["podAnnotations"] = {"note": template}
    router["spec"]["toolsDb"][0]["description"] = template
    (tmp_path / "router.yaml").write_text(yaml.safe_dump(router))
    offline(
        f"{COLLECTION}.render", "-e", "cr_file=router.yaml",
        "-e", f"render_output={tmp_path / 'out.yaml'}",
    )  # fmt: skip
    text = (tmp_path / "out.yaml").read_text()
    assert "evaluated-42" not in text
    assert text.count("lookup(") >= 2
