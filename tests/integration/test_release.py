"""A release as people get it: every file that takes no registry, read by who will read it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from typing import Any

import go_program
import kustomize
import pytest
import yaml
from control_plane import programs
from control_plane.plane import progress_to_stderr
from release import files, pins
from release.__main__ import PARTS, ReleaseError, release

CHECKOUT = Path(__file__).parents[2]
NAME = kustomize.released_image().rpartition("/")[2]
VERSION = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
# What the chart has otherwise on purpose: Helm's labels, and the namespace, which is the user's.
HELMS = {"helm.sh/chart", "app.kubernetes.io/managed-by"}


@pytest.fixture(scope="module")
def made(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release")
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        release(directory, "", "", list(PARTS), pinned=False)
    return directory


@pytest.fixture(scope="module")
def helm(made: Path) -> Path:
    return go_program.ensure("helm", progress_to_stderr)


def rendered(helm: Path, made: Path, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    chart = made / f"{NAME}-{VERSION}.tgz"
    command = [str(helm), "template", "any", str(chart), "--namespace", "elsewhere", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return by_key(done.stdout)


def by_key(text: str) -> dict[tuple[str, str], dict[str, Any]]:
    objects = [item for item in yaml.load_all(text, Loader=yaml.CSafeLoader) if item]
    return {(item["kind"], item["metadata"]["name"]): item for item in objects}


def test_the_release_is_complete_and_its_sums_are_right(made: Path) -> None:
    assert {file.name for file in made.iterdir()} == {
        "SHA256SUMS", "install.yaml", "images.txt",
        "olm-v1-catalog-template.yaml", "olm-v1-extension.yaml",
        f"{NAME}-{VERSION}.tgz", f"{NAME}-bundle-{VERSION}.tar.gz",
        f"vllm-semantic_router-{VERSION}.tar.gz", f"semantic_router_cli-{VERSION}-py3-none-any.whl",
        f"ansible_warm_runner-{VERSION}-py3-none-any.whl",
        f"kubectl-semantic_router-v{VERSION}.tar.gz", "semantic-router.yaml",
        f"{NAME}-{VERSION}.spdx.json", f"{NAME}-{VERSION}.cdx.json",
    }  # fmt: skip
    listed = [file for file in made.iterdir() if file.name != files.SUMS]
    assert (made / files.SUMS).read_text() == files.sums(listed)


def test_a_tag_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=rf"the tag is v9\.9\.9, .* {VERSION}"):
        release(tmp_path, "", "v9.9.9", [], pinned=False)


def test_a_pinned_release_is_of_an_image_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pins, "read", lambda: {"a:1": f"sha256:{'a' * 64}"})
    with pytest.raises(ReleaseError, match=r"registry\.test/own:v1, which is no digest"):
        release(tmp_path, "registry.test/own:v1", "", [], pinned=True)
    release(tmp_path, f"registry.test/own:v1@sha256:{'b' * 64}", "", [], pinned=True)


def test_the_list_of_images_is_what_olm_is_told_of(made: Path) -> None:
    csv = yaml.load(
        (CHECKOUT / f"bundle/manifests/{NAME}.clusterserviceversion.yaml").read_text("utf-8"),
        Loader=yaml.CSafeLoader,
    )
    related = [item["image"] for item in csv["spec"]["relatedImages"]]
    assert (made / "images.txt").read_text("utf-8").splitlines() == related


@pytest.mark.parametrize(("scope", "base"), [("cluster", "default"), ("namespace", "namespaced")])
def test_the_chart_installs_what_kustomize_installs(
    helm: Path, made: Path, scope: str, base: str
) -> None:
    kubectl = programs.ensure_kubectl(progress_to_stderr)
    theirs = by_key(kustomize.build(kubectl, base, namespace="elsewhere"))
    ours = rendered(helm, made, f"--set=scope={scope}", f"--set=crd.install={scope == 'cluster'}")
    for item in (*theirs.values(), *ours.values()):
        item["metadata"].pop("annotations", None)
        item["metadata"]["labels"] = {
            key: value
            for key, value in item["metadata"].get("labels", {}).items()
            if key not in HELMS
        }
        if item["kind"] == "Deployment":
            item["spec"]["template"]["spec"]["containers"][0].setdefault(
                "imagePullPolicy", "IfNotPresent"
            )
    assert {key for key in theirs if key[0] != "Namespace"} == set(ours)
    assert [key for key in ours if ours[key] != theirs[key]] == []


def test_the_chart_takes_an_image_by_its_digest(helm: Path, made: Path) -> None:
    digest = f"sha256:{'a' * 64}"
    values = (f"--set=image.digest={digest}", "--set=env[0].name=A", "--set=env[0].value=b")
    (deployment,) = (
        item for (kind, _), item in rendered(helm, made, *values).items() if kind == "Deployment"
    )
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(f"@{digest}")
    assert container["env"][-1] == {"name": "A", "value": "b"}


def test_helm_refuses_a_value_that_the_chart_does_not_have(helm: Path, made: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        rendered(helm, made, "--set=replica=2")


def test_the_bundle_is_that_of_the_checkout(made: Path) -> None:
    with tarfile.open(made / f"{NAME}-bundle-{VERSION}.tar.gz") as tar:
        names = {member.name.partition("/")[2] for member in tar.getmembers()}
    bundle = {path for path in (CHECKOUT / "bundle").rglob("*") if path.is_file()}
    wanted = {str(path.relative_to(CHECKOUT)) for path in bundle}
    assert names == {*wanted, "bundle.Dockerfile"}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one fragment after `make changelog`, by who has no Ansible on PATH."""
    copy = tmp_path_factory.mktemp("told")
    for name in ("changelogs", "meta", "playbooks", "plugins", "roles", "config/manager"):
        shutil.copytree(CHECKOUT / name, copy / name)
    for name in ("Makefile", "galaxy.yml", ".yamllint"):
        shutil.copy(CHECKOUT / name, copy)
    shutil.rmtree(copy / "changelogs" / "fragments", ignore_errors=True)
    (copy / "changelogs" / "fragments").mkdir()
    (copy / "changelogs" / "fragments" / "1-x.yml").write_text("minor_changes: ['``x`` is new.']\n")
    (copy / "changelogs" / "changelog.yaml").write_text("ancestor: null\nreleases: {}\n")
    (copy / ".venv").symlink_to(Path(sys.executable).parents[1])
    # READY: the environment is there, whatever it was made from.
    make = ["make", "--silent", "changelog", "READY="]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(copy), "LANG": "C.UTF-8"}
    done = subprocess.run(
        make, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return copy


def test_what_is_committed_for_a_release_passes_the_linters(told: Path) -> None:
    # git keeps no directory that is empty, as that of the fragments is now.
    (told / "changelogs" / "fragments").rmdir()
    for linter in (["yamllint", "--strict", "changelogs"], ["antsibull-changelog", "lint"]):
        command = [str(told / ".venv" / "bin" / linter[0]), *linter[1:]]
        done = subprocess.run(command, cwd=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_writes_the_notes_of_a_release_that_people_read(told: Path) -> None:
    workflow = yaml.safe_load((CHECKOUT / ".github/workflows/release.yml").read_text("utf-8"))
    (step,) = (
        step["run"]
        for step in workflow["jobs"]["release"]["steps"]
        if "notes.md" in step.get("run", "") and "antsibull" in step["run"]
    )
    environment = {"PATH": os.environ["PATH"], "VERSION": VERSION, "LANG": "C.UTF-8"}
    subprocess.run(["bash", "-ec", step], cwd=told, env=environment, check=True, timeout=60)
    notes = (told / "notes.md").read_text("utf-8")
    assert "## Minor Changes" in notes
    assert "<code>x</code> is new" in notes.replace("\\", "")


@pytest.fixture
def foreign(made: Path, tmp_path: Path) -> Path:
    """An environment of another project: Ansible, and the warm runner from the release's wheel."""
    root = tmp_path / "environment"
    venv.create(root)
    wheel = made / f"ansible_warm_runner-{VERSION}-py3-none-any.whl"
    pip = [sys.executable, "-m", "pip", f"--python={root}", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(wheel)], check=True, timeout=120)
    # Ansible is this environment's. Its own link to the warm runner is not followed from there.
    python = root / "bin" / "python"
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site, ours = (
        subprocess.run([program, "-c", asked], capture_output=True, text=True, check=True).stdout
        for program in (str(python), sys.executable)
    )
    Path(site.strip(), "ansible.pth").write_text(ours)
    for name in ("ansible-playbook", "ansible-runner"):
        script = (Path(sys.executable).parent / name).read_text("utf-8")
        program = root / "bin" / name
        program.write_text(f"#!{python}\n{script.partition(chr(10))[2]}")
        program.chmod(0o755)
    return root


# Whose child the lookup's shell is: the template, where the run is warm.
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.pipe', 'cat /proc/$PPID/cmdline') }}"
"""
# A run is cold until Ansible is loaded.
TRY = """
for number in $(seq 60); do
  ansible-playbook play.yml > out 2>&1 || exit 1
  grep -q warm_runner.template out && exec cat out
  sleep 1
done
cat out; exit 1
"""


def test_the_warm_runner_runs_playbooks_of_a_project_that_has_nothing_of_this_one(
    foreign: Path, tmp_path: Path
) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    environment = {"PATH": f"{foreign}/bin:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    command = [f"{foreign}/bin/warm-runner", "exec", "--", "sh", "-c", TRY]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed=0" in done.stdout
    readme = (CHECKOUT / "warm" / "README.md").read_text("utf-8")
    assert f"/download/v{VERSION}/ansible_warm_runner-{VERSION}-py3-none-any.whl" in readme


def test_both_boms_name_every_package_that_the_image_installs(made: Path) -> None:
    spdx = json.loads((made / f"{NAME}-{VERSION}.spdx.json").read_text())
    cyclone = json.loads((made / f"{NAME}-{VERSION}.cdx.json").read_text())
    pinned = [
        line.split("==")[0].lower().replace("_", "-")
        for name in ("schema.txt", "router-0.4.txt")
        for line in (CHECKOUT / "requirements" / name).read_text().splitlines()
        if "==" in line and not line.startswith("#")
    ]
    for told in (spdx["packages"], cyclone["components"]):
        names = {package["name"].lower().replace("_", "-") for package in told}
        assert {*pinned, "semantic-router-cli", "ansible-warm-runner"} <= names
        # Ansible's, which Syft does not know by itself.
        assert "kubernetes.core" in names
        # What krew's archive brings along.
        assert {"typer", "rich", "urllib3"} <= names


def test_krew_installs_from_what_lies_beside_its_manifest(made: Path) -> None:
    (platform,) = yaml.safe_load((made / "semantic-router.yaml").read_text())["spec"]["platforms"]
    page = "https://github.com/vllm-project/semantic-router-operator/releases/download"
    where, _, name = platform["uri"].rpartition("/")
    assert where == f"{page}/v{VERSION}"
    assert platform["sha256"] == files.digest(made / name)
    guide = (CHECKOUT / "docs" / "cli.md").read_text("utf-8")
    assert f"--manifest-url={where}/semantic-router.yaml" in guide
