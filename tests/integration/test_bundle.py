"""What is packaged from config/: current, and a bundle in the eyes of OLM's own validators."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import inherited
from control_plane import programs
from control_plane.plane import progress_to_stderr
from olm_bundle import PACKAGE, sources, validator
from release import pins
from release.registry import Registries
from stand_in_registry import INDEX, Registry, serving

CHECKOUT = Path(__file__).resolve().parents[2]
BUNDLE = CHECKOUT / "bundle"
CSV = BUNDLE / "manifests" / f"{PACKAGE}.clusterserviceversion.yaml"
# A rule of RBAC has no version. The validator takes every rule for these two, whose v1 is what the
# operator asks for, for one for the v1beta1 that Kubernetes 1.25 removed.
FALSE_ALARMS = {"endpointslices", "events"}
ALARM = re.compile(r"(\w+): \(\[")


@pytest.fixture(scope="module")
def packaged() -> dict[str, str]:
    return sources.packaged(programs.ensure_kubectl(progress_to_stderr))


@pytest.fixture(scope="module")
def csv() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(CSV.read_text(encoding="utf-8"))
    return found


def validate(directory: Path, pytestconfig: pytest.Config) -> tuple[bool, list[str]]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # Uncaptured: the first run builds the validators.
    with capture.global_and_fixture_disabled():
        passed, said = validator.validate(directory, progress_to_stderr)
    return passed, [line for line in said if not is_false_alarm(line)]


def is_false_alarm(line: str) -> bool:
    named = set(ALARM.findall(line.partition("Migrate the API(s) for ")[2]))
    return bool(named) and named <= FALSE_ALARMS


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """requirements/images.yaml as `make pin-images` leaves it, by a registry that has them all."""
    file = tmp_path / "images.yaml"
    shutil.copy(pins.FILE, file)
    monkeypatch.setattr(pins, "FILE", file)
    there = {image.partition("/")[2]: INDEX for image in pins.read()}
    with serving(Registry(there)) as registry:
        registries = Registries(pause=0.0)

        def ask(image: str) -> str:
            return registries.digest(f"{registry.address}/{image.partition('/')[2]}")

        assert pins.main(ask) == 0
        return {image: registry.digest(image.partition("/")[2]) for image in pins.read()}


def packaged_csv(image: str) -> dict[str, Any]:
    made = sources.packaged(programs.ensure_kubectl(progress_to_stderr), image)
    found: dict[str, Any] = yaml.load(made[f"bundle/manifests/{CSV.name}"], Loader=yaml.CSafeLoader)
    return found


DISCONNECTED = "features.operators.openshift.io/disconnected"
OWN = f"registry.test/own@sha256:{'0' * 64}"


def test_a_bundle_by_digests_is_one_for_clusters_without_the_internet(
    pinned: dict[str, str],
) -> None:
    csv = packaged_csv(OWN)
    related = {item["name"]: item["image"] for item in csv["spec"]["relatedImages"]}
    started = [f"{image}@{digest}" for image, digest in pinned.items() if "ansible" not in image]
    assert sorted(related.values()) == sorted([OWN, *started])
    assert csv["metadata"]["annotations"]["containerImage"] == OWN
    assert csv["metadata"]["annotations"][DISCONNECTED] == "true"
    (deployment,) = csv["spec"]["install"]["spec"]["deployments"]
    (manager,) = deployment["spec"]["template"]["spec"]["containers"]
    told = {item["name"]: item.get("value", "") for item in manager["env"]}
    assert manager["image"] == OWN
    assert inherited.chosen(told) == {
        "RELATED_IMAGE_SEMANTIC_ROUTER": related["semantic-router"],
        "RELATED_IMAGE_ENVOY": related["envoy"],
    }


def test_what_is_packaged_is_current(packaged: dict[str, str]) -> None:
    """Else: make bundle"""
    generated = {path: (CHECKOUT / path).read_text(encoding="utf-8") for path in packaged}
    assert generated == packaged


def test_nothing_else_is_in_the_bundle(packaged: dict[str, str]) -> None:
    there = {str(path.relative_to(CHECKOUT)) for path in BUNDLE.rglob("*") if path.is_file()}
    assert there == {path for path in packaged if path.startswith("bundle/")}


def test_olms_validators_find_nothing_wrong(pytestconfig: pytest.Config) -> None:
    assert validate(BUNDLE, pytestconfig) == (True, [])


def test_olms_validators_do_find_what_is_wrong(
    pytestconfig: pytest.Config, tmp_path: Path, csv: dict[str, Any]
) -> None:
    """Holds the test before this one."""
    wrong = shutil.copytree(BUNDLE, tmp_path / "bundle")
    csv = {**csv, "spec": {**csv["spec"], "version": "0.1.1", "minKubeVersion": "soon"}}
    (wrong / "manifests" / CSV.name).write_text(yaml.safe_dump(csv))
    passed, said = validate(wrong, pytestconfig)
    assert not passed
    assert "soon" in "\n".join(said)


def test_the_examples_are_the_samples(csv: dict[str, Any]) -> None:
    examples = json.loads(csv["metadata"]["annotations"]["alm-examples"])
    listed = yaml.safe_load((CHECKOUT / "config/samples/kustomization.yaml").read_text())
    samples = [
        sample["metadata"]["name"]
        for name in listed["resources"]
        for sample in yaml.safe_load_all((CHECKOUT / "config/samples" / name).read_text())
    ]
    assert sorted(example["metadata"]["name"] for example in examples) == sorted(samples)


def test_scorecard_finds_a_descriptor_of_every_field_of_the_examples(csv: dict[str, Any]) -> None:
    """Its rule in olm-spec-descriptors: the path is the field at the top of the spec, no deeper."""
    (owned,) = csv["spec"]["customresourcedefinitions"]["owned"]
    described = {descriptor["path"] for descriptor in owned["specDescriptors"]}
    examples = json.loads(csv["metadata"]["annotations"]["alm-examples"])
    assert {field for example in examples for field in example["spec"]} - described == set()


def test_the_bundle_names_every_kind_that_the_operator_makes(csv: dict[str, Any]) -> None:
    (owned,) = csv["spec"]["customresourcedefinitions"]["owned"]
    named = [(resource["kind"], resource["version"]) for resource in owned["resources"]]
    assert named == [(item.kind, item.api_version.rpartition("/")[2]) for item in RESOURCES]


def test_olm_grants_what_kustomize_grants(csv: dict[str, Any]) -> None:
    spec = csv["spec"]["install"]["spec"]
    granted = [
        rule
        for part in ("permissions", "clusterPermissions")
        for entry in spec[part]
        for rule in entry["rules"]
    ]
    files = ("role", "leader_election_role", "metrics_auth_role")
    wanted = [
        rule
        for name in files
        for rule in yaml.safe_load((CHECKOUT / f"config/rbac/{name}.yaml").read_text())["rules"]
    ]
    assert sorted(granted, key=json.dumps) == sorted(wanted, key=json.dumps)


def test_everywhere_means_only_what_has_no_namespace(csv: dict[str, Any]) -> None:
    rules = csv["spec"]["install"]["spec"]["clusterPermissions"][0]["rules"]
    assert {resource for rule in rules for resource in rule["resources"]} == {
        "gatewayclasses", "namespaces", "storageclasses", "subjectaccessreviews", "tokenreviews",
    }  # fmt: skip
