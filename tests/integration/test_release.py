"""A release as people get it: every file that takes no registry, read by who will read it."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import go_program
import kustomize
import pytest
import yaml
from control_plane import programs
from control_plane.plane import progress_to_stderr
from release import files
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
        "SHA256SUMS", "install.yaml", "olm-v1-catalog-template.yaml", "olm-v1-extension.yaml",
        f"{NAME}-{VERSION}.tgz", f"{NAME}-bundle-{VERSION}.tar.gz",
        f"vllm-semantic_router-{VERSION}.tar.gz", f"semantic_router_cli-{VERSION}-py3-none-any.whl",
        f"{NAME}-{VERSION}.spdx.json", f"{NAME}-{VERSION}.cdx.json",
    }  # fmt: skip
    listed = [file for file in made.iterdir() if file.name != files.SUMS]
    assert (made / files.SUMS).read_text() == files.sums(listed)


def test_a_tag_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=rf"the tag is v9\.9\.9, .* {VERSION}"):
        release(tmp_path, "", "v9.9.9", [], pinned=False)


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
        assert set(pinned) <= names
