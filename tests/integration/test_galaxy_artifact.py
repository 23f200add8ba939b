"""The collection as Galaxy would have it: built, installed into an empty directory, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from control_plane import ControlPlane, Kubectl

CHECKOUT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
MY_ROUTER = CHECKOUT / "config/samples/vllm.ai_v1alpha1_semanticrouter_my-router.yaml"

# Everything at the top, so that what somebody adds to the checkout is a decision.
PARTS = {
    "FILES.json", "MANIFEST.json",
    "CHANGELOG.rst", "CONTRIBUTING.md", "LICENSE", "README.md", "SECURITY.md", "changelogs",
    "config", "docs",
    "meta", "playbooks", "plugins", "roles", "watches.yaml",
}  # fmt: skip
LIMIT = 1_000_000
OPERATOR = "semantic-router-operator-controller-manager"


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def only_in(directory: Path) -> dict[str, str]:
    """Environment in which the checkout, linked into site-packages, cannot be taken for it."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(directory),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
    }


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("artifact")
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", directory)
    (built,) = directory.glob("vllm-semantic_router-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of collections with this one, and with the kubernetes.core that it depends on."""
    directory = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--offline", "--collections-path", directory)
    run(BIN / "ansible-galaxy", "collection", "install", artifact, *options, **only_in(directory))
    there = Path(sysconfig.get_path("purelib")) / "ansible_collections" / "kubernetes"
    (directory / "ansible_collections" / "kubernetes").symlink_to(there)
    return directory


def test_the_artifact_holds_what_users_need_and_nothing_else(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        members = {member.name: member.size for member in archive.getmembers() if member.isfile()}
    assert {name.split("/")[0] for name in members} <= PARTS
    assert {
        "watches.yaml",
        "config/crd/bases/vllm.ai_semanticrouters.yaml",
        "config/crd/schema.json",
        "playbooks/files/operator.yaml",
        "playbooks/reconcile.yml",
        "roles/workload/tasks/main.yml",
        "plugins/action/apply.py",
    } <= set(members)
    # What is installed stands in playbooks/files, and the changelog in one file.
    assert {name.split("/")[1] for name in members if name.startswith("config/")} <= {
        "crd", "prometheus", "samples",
    }  # fmt: skip
    assert not [name for name in members if name.startswith("changelogs/fragments/")]
    assert artifact.stat().st_size < LIMIT
    assert not [name for name in members if "__pycache__" in name or name.endswith(".pyc")]


def test_galaxys_importer_takes_it(artifact: Path, tmp_path: Path) -> None:
    """What Galaxy runs on an upload, less the linters, which `make lint` runs on more."""
    pytest.importorskip("galaxy_importer", reason="only .venv has it")
    configuration = tmp_path / "galaxy-importer.cfg"
    off = ("RUN_FLAKE8", "RUN_ANSIBLE_DOC", "RUN_ANSIBLE_LINT", "REQUIRE_V1_OR_GREATER")
    lines = ["[galaxy-importer]", *(f"{name} = False" for name in off), "CHECK_CHANGELOG = True"]
    configuration.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "galaxy_importer.main", str(artifact)],
        cwd=tmp_path,
        env={
            **os.environ,
            "GALAXY_IMPORTER_CONFIG": str(configuration),
            "PATH": f"{BIN}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Importer processing completed successfully" in said, said[-2000:]
    assert not [line for line in said.splitlines() if "WARNING" in line or "ERROR" in line]


def test_the_installed_collection_renders_as_the_checkout_does(
    installed: Path, tmp_path: Path
) -> None:
    arguments = ("vllm.semantic_router.render", "-e", f"cr_file={MY_ROUTER}", "-e")
    run(
        BIN / "ansible-playbook",
        *arguments,
        f"render_output={tmp_path / 'installed.yaml'}",
        **only_in(installed),
    )
    run(BIN / "ansible-playbook", *arguments, f"render_output={tmp_path / 'checkout.yaml'}")

    text = (tmp_path / "installed.yaml").read_text()
    assert "Deployment" in {document["kind"] for document in yaml.safe_load_all(text)}
    assert text == (tmp_path / "checkout.yaml").read_text()


@pytest.fixture(scope="module")
def empty_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One of this module's own, without any CRD."""
    with ControlPlane.start(tmp_path_factory.mktemp("empty")) as plane:
        yield plane


def play(installed: Path, plane: ControlPlane, name: str, *options: str) -> str:
    return run(
        BIN / "ansible-playbook", f"vllm.semantic_router.{name}", *options,
        **only_in(installed), **plane.env,
    )  # fmt: skip


def test_install_reconcile_and_uninstall_work_from_the_installed_collection(
    installed: Path, empty_cluster: ControlPlane
) -> None:
    kubectl = Kubectl(empty_cluster.kubectl, empty_cluster.env)
    options = (
        "-e", "operator_image=registry.example.com/operator:v9", "-e", "operator_replicas=2",
        "-e", "operator_namespace=routing", "-e", '{"operator_pull_secrets": [{"name": "key"}]}',
    )  # fmt: skip
    play(installed, empty_cluster, "install", *options)
    deployment = json.loads(kubectl("get", "deployment", OPERATOR, "-n=routing", "-o=json"))
    pod = deployment["spec"]["template"]["spec"]
    assert deployment["status"]["readyReplicas"] == 2
    assert pod["containers"][0]["image"] == "registry.example.com/operator:v9"
    assert pod["imagePullSecrets"] == [{"name": "key"}]
    account = f"system:serviceaccount:routing:{OPERATOR}"
    assert may(kubectl, account, "list", "semanticrouters.vllm.ai", "--all-namespaces")
    assert "changed=0" in play(installed, empty_cluster, "install", *options)

    kubectl("create", "--namespace=default", "service", "clusterip", "vllm", "--tcp=8000")
    kubectl("apply", "--namespace=default", "-f", str(MY_ROUTER))
    play(installed, empty_cluster, "reconcile", "-e", "router_name=my-router")
    kubectl("get", "deployment", "my-router", "--namespace=default")

    play(installed, empty_cluster, "uninstall", "-e", "operator_namespace=routing")
    assert kubectl("get", "deployment,serviceaccount,service", "-n=routing", "-o=name").split() == [
        "serviceaccount/default"
    ]
    assert not may(kubectl, account, "list", "semanticrouters.vllm.ai", "--all-namespaces")
    kubectl("get", "semanticrouter,deployment", "my-router", "--namespace=default")

    play(installed, empty_cluster, "uninstall", "-e", "remove_crd=true")
    assert "semanticrouters" not in kubectl("get", "crds", "-o=name")


def test_an_operator_of_one_namespace_has_no_right_elsewhere(
    installed: Path, empty_cluster: ControlPlane
) -> None:
    kubectl = Kubectl(empty_cluster.kubectl, empty_cluster.env)
    for name in ("one", "models"):
        kubectl("create", "namespace", name)
    options = ("-e", "operator_namespace=one", "-e", "operator_watch_namespace=models")
    play(installed, empty_cluster, "install", *options)
    deployment = json.loads(kubectl("get", "deployment", OPERATOR, "-n=one", "-o=json"))
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {"name": "WATCH_NAMESPACE", "value": "models"} in environment
    account = f"system:serviceaccount:one:{OPERATOR}"
    assert may(kubectl, account, "create", "deployments", "--namespace=models")
    assert may(kubectl, account, "create", "leases", "--namespace=one")
    assert not may(kubectl, account, "create", "deployments", "--namespace=one")
    assert not may(kubectl, account, "list", "semanticrouters.vllm.ai", "--all-namespaces")

    play(installed, empty_cluster, "uninstall", *options)
    assert not may(kubectl, account, "create", "deployments", "--namespace=models")


def may(kubectl: Kubectl, account: str, verb: str, resource: str, where: str) -> bool:
    answer = kubectl.run("auth", "can-i", verb, resource, where, f"--as={account}")
    return answer.stdout.startswith("yes")


def test_the_installed_collection_is_the_one_that_is_asked(installed: Path, tmp_path: Path) -> None:
    """Holds the test before this one: without the artifact there is no such playbook."""
    done = subprocess.run(
        [BIN / "ansible-playbook", "vllm.semantic_router.render"],
        env={**os.environ, **only_in(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "vllm.semantic_router.render" in done.stderr
