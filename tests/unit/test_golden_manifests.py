"""Every object of every sample, on both platforms, as it is applied: golden files and laws.

What WHOLE names is kept whole, for people to read; of the other samples, what their manifests for
Kubernetes have otherwise than those of the base sample. platforms.yaml says what the other platform
of each has otherwise. Built of these, every sample is compared byte for byte on both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import golden
import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import yaml_text
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import PLATFORMS, SAMPLE_FILES, SAMPLES, SAMPLES_DIRECTORY, facts, sample
from patches import patch

PLATFORMS_FILE = golden.MANIFESTS / "platforms.yaml"
KUBERNETES, OPENSHIFT = PLATFORMS
PREFIX = "vllm.ai_v1alpha1_semanticrouter"
WHOLE = {
    golden.BASE: KUBERNETES,
    f"{PREFIX}_gateway": KUBERNETES,
    f"{PREFIX}_every_field": OPENSHIFT,
    f"{PREFIX}_every_field.every-field-gateway": OPENSHIFT,
}
BASE_NAME = SAMPLES[golden.BASE]["metadata"]["name"]
# Stands for the sample's own in platforms.yaml.
NAME = "<name>"
NAMESPACE = re.compile(r"(?<=^  namespace: )default$", re.MULTILINE)
HASH = re.compile(r'(?<=-hash: )"?[0-9a-f]{16}"?$', re.MULTILINE)

everywhere = pytest.mark.parametrize("platform", PLATFORMS)
each_sample = pytest.mark.parametrize("name", SAMPLES)


def text(router: Router, found: Facts) -> str:
    return "".join(f"---\n{yaml_text(manifest)}" for manifest in registry.build(router, found))


def values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from values(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from values(item, f"{path}[{index}]")


@cache
def built(name: str, platform: str) -> str:
    router = sample(name)
    return text(router, facts(router, platform))


def base_of(name: str, manifests: str) -> str:
    """The base sample's manifests under the sample's name, with the hashes of its ConfigMaps."""
    metadata = SAMPLES[name]["metadata"]
    base = built(golden.BASE, KUBERNETES).replace(BASE_NAME, metadata["name"])
    base = NAMESPACE.sub(metadata["namespace"], base)
    hashes = content_hashes(manifests)
    return HASH.sub(lambda _: next(hashes, ""), base)


def content_hashes(manifests: str) -> Iterator[str]:
    """What the pods' annotations say of each ConfigMap, as YAML has it."""
    for manifest in yaml.load_all(manifests, Loader=yaml.CSafeLoader):
        if manifest["kind"] == "ConfigMap":
            content = json.dumps(manifest["data"], sort_keys=True)
            digest = hashlib.sha256(content.encode()).hexdigest()[:16]
            yield f'"{digest}"' if digest[0].isdigit() else digest


@each_sample
def test_a_sample_becomes_its_golden_manifests(name: str):
    platform = WHOLE.get(name, KUBERNETES)
    manifests = built(name, platform)

    if name in WHOLE:
        golden.check(golden.MANIFESTS / f"{name}.{platform}.yaml", manifests)
    else:
        file = golden.MANIFESTS / f"{name}.{platform}.patch"
        golden.check_patch(file, base_of(name, manifests), manifests)


def platform_differences() -> str:
    """Each with the samples of which it makes the manifests of this platform."""
    found: dict[tuple[str, str], list[str]] = {}
    for name in SAMPLES:
        here, there = platforms_of(name)
        difference = patch(built(name, here), built(name, there))
        nameless = difference.replace(SAMPLES[name]["metadata"]["name"], NAME)
        found.setdefault((there, nameless), []).append(name)
    return "".join(
        f"---\n{yaml_text({'platform': platform, 'samples': samples, 'patch': difference})}"
        for (platform, difference), samples in found.items()
    )


def platforms_of(name: str) -> tuple[str, str]:
    """That of the golden file, and the other one."""
    here = WHOLE.get(name, KUBERNETES)
    return here, OPENSHIFT if here == KUBERNETES else KUBERNETES


def test_the_other_platform_changes_what_platforms_yaml_says():
    if golden.UPDATING:
        golden.store(PLATFORMS_FILE, platform_differences())
    entries = [*yaml.safe_load_all(golden.stored(PLATFORMS_FILE))]
    told = {name: entry for entry in entries for name in entry["samples"]}

    assert {name: platforms_of(name)[1] for name in SAMPLES} == {
        name: entry["platform"] for name, entry in told.items()
    }
    for name, entry in told.items():
        here, there = (built(name, platform) for platform in platforms_of(name))
        difference = entry["patch"].replace(NAME, SAMPLES[name]["metadata"]["name"])
        golden.expect_patched(here, difference, there, PLATFORMS_FILE)


def test_every_golden_file_has_its_sample():
    expected = {
        f"{name}.{WHOLE.get(name, KUBERNETES)}.{'yaml' if name in WHOLE else 'patch'}"
        for name in SAMPLES
    }

    assert {file.name for file in golden.MANIFESTS.iterdir()} == {*expected, PLATFORMS_FILE.name}


@everywhere
@each_sample
def test_a_sample_has_nothing_wrong(name: str, platform: str):
    router = sample(name)
    found = rules.check(router, facts(router, platform))

    # What a release or a Gateway cannot do, or does by another model, is said, and no fault of the
    # sample's.
    told = ("PartlyInEffect", "InvalidConfig")
    assert [str(p) for p in found if p.blocking or p.reason not in told] == []


@each_sample
def test_a_sample_that_offers_tools_has_some(name: str):
    router = sample(name)
    told = rules.check(router, facts(router, "kubernetes"))

    assert [str(p) for p in told if "there are no tools" in p.found] == []


@everywhere
@each_sample
def test_building_twice_gives_the_same_bytes(name: str, platform: str):
    first, second = sample(name), sample(name)
    found = facts(first, platform)
    once = text(first, found)

    assert text(first, found) == once
    assert text(second, found) == once


@everywhere
@each_sample
def test_no_manifest_holds_a_null(name: str, platform: str):
    router = sample(name)

    for manifest in registry.build(router, facts(router, platform)):
        assert [path for path, value in values(manifest) if value is None] == []


@everywhere
@each_sample
def test_manifests_share_nothing_with_the_router_or_with_each_other(name: str, platform: str):
    router = sample(name)
    found = facts(router, platform)
    before = deepcopy(router.resource), deepcopy(router.spec), found.as_dict()
    built = registry.build(router, found)
    assert (router.resource, router.spec, found.as_dict()) == before

    owner: dict[int, str] = {id(value): f"router{path}" for path, value in values(router.spec)}
    shared = []
    for index, manifest in enumerate(built):
        for path, value in values(manifest):
            if isinstance(value, dict | list):
                here = f"{index}{path}"
                if owner.setdefault(id(value), here) != here:
                    shared.append((here, owner[id(value)]))
    assert shared == []


@everywhere
@each_sample
def test_every_object_says_whose_it_is(name: str, platform: str):
    router = sample(name)

    for manifest in registry.build(router, facts(router, platform)):
        metadata = manifest["metadata"]
        assert metadata["namespace"] == router.namespace
        assert metadata["labels"][LABEL_INSTANCE] == router.name
        assert metadata["labels"][LABEL_MANAGED_BY] == "semantic-router-operator"


def verified_by_the_image(name: str) -> Router:
    """With a CA that is not the platform's."""
    resource = deepcopy(SAMPLES[name])
    for entry in resource["spec"].get("vllmEndpoints") or []:
        if entry["backend"]["type"] == "kserve":
            entry["backend"].setdefault("tls", {"wellKnownCACertificates": "System"})
    return Router(resource)


@each_sample
def test_platforms_differ_in_security_contexts_route_and_the_service_ca_alone(name: str):
    router = verified_by_the_image(name)
    kubernetes, openshift_ = (
        [found for found in registry.build(router, facts(router, p)) if found["kind"] != "Route"]
        for p in PLATFORMS
    )

    def without_contexts(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without_contexts(v) for k, v in value.items() if k != "securityContext"}
        if isinstance(value, list):
            return [without_contexts(item) for item in value]
        return value

    assert without_contexts(kubernetes) == without_contexts(openshift_)


def test_every_sample_is_in_the_kustomization():
    text = (SAMPLES_DIRECTORY / "kustomization.yaml").read_text(encoding="utf-8")

    assert set(yaml.safe_load(text)["resources"]) == {path.name for path in SAMPLE_FILES}
