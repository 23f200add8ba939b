"""Every object of every sample, on both platforms, as it is applied: golden files and laws.

What WHOLE names is kept whole, for people to read; of the other samples, what their manifests have
otherwise than those of a sample much like it. These are for Kubernetes; platforms.yaml says what
OpenShift has otherwise, in full of SHOWN_ON_OPENSHIFT, and of the others by a digest. Built of
these, every sample is compared byte for byte on both.
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
GATEWAY = f"{PREFIX}_gateway"
ROUTE = f"{PREFIX}_route"
WHOLE = {golden.BASE, GATEWAY}
# What a sample is told by its difference from, where golden.BASE is less like it.
LIKE = {
    f"{PREFIX}_complexity": ROUTE,
    f"{PREFIX}_every_field.every-field-gateway": GATEWAY,
    f"{PREFIX}_hybrid_cache": f"{PREFIX}_milvus_cache",
    f"{PREFIX}_milvus_cache": f"{PREFIX}_qdrant_cache",
    f"{PREFIX}_openshift": ROUTE,
    f"{PREFIX}_qdrant_cache": f"{PREFIX}_memory_cache",
    f"{PREFIX}_redis_cache": f"{PREFIX}_memory_cache",
    f"{PREFIX}_valkey_cache": f"{PREFIX}_redis_cache",
    "vllm_v1alpha1_semanticrouter": ROUTE,
}
SHOWN_ON_OPENSHIFT = (golden.BASE, f"{PREFIX}_every_field", GATEWAY, f"{PREFIX}_redis_cache")
# Stands for the sample's own in platforms.yaml.
NAME = "<name>"
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
    """Manifests of the sample it is like, under its own name, with the hashes of its ConfigMaps."""
    like = LIKE.get(name, golden.BASE)
    old, new = (SAMPLES[which]["metadata"] for which in (like, name))
    base = built(like, KUBERNETES).replace(old["name"], new["name"])
    namespace = re.compile(rf"(?<=^  namespace: ){old['namespace']}$", re.MULTILINE)
    base = namespace.sub(new["namespace"], base)
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
    manifests = built(name, KUBERNETES)

    if name in WHOLE:
        golden.check(golden.MANIFESTS / file_of(name), golden.abridged(manifests))
    else:
        base = golden.abridged(base_of(name, manifests))
        golden.check_patch(golden.MANIFESTS / file_of(name), base, golden.abridged(manifests))


def file_of(name: str) -> str:
    return f"{name}.{KUBERNETES}.{'yaml' if name in WHOLE else 'patch'}"


def platform_differences() -> str:
    """Each with the samples of which it makes the manifests for OpenShift."""
    found: dict[str, list[str]] = {}
    for name in SAMPLES:
        difference = patch(built(name, KUBERNETES), built(name, OPENSHIFT))
        nameless = difference.replace(SAMPLES[name]["metadata"]["name"], NAME)
        found.setdefault(nameless, []).append(name)
    return "".join(
        f"---\n{yaml_text({'samples': samples, **_shown(difference, samples)})}"
        for difference, samples in found.items()
    )


def _shown(difference: str, samples: list[str]) -> dict[str, str]:
    if not difference or any(name in SHOWN_ON_OPENSHIFT for name in samples):
        return {"patch": difference}
    return {"sha256": hashlib.sha256(difference.encode()).hexdigest()}


def test_openshift_changes_what_platforms_yaml_says():
    if golden.UPDATING:
        golden.store(PLATFORMS_FILE, platform_differences())
    golden.expect(golden.stored(PLATFORMS_FILE), platform_differences(), PLATFORMS_FILE)


def test_every_golden_file_has_its_sample():
    expected = {*map(file_of, SAMPLES), PLATFORMS_FILE.name}

    assert {file.name for file in golden.MANIFESTS.iterdir()} == expected


def test_what_a_sample_is_like_is_told_in_the_end():
    for name in SAMPLES:
        seen = {name}
        while name not in WHOLE:
            name = LIKE.get(name, golden.BASE)
            assert name not in seen
            seen.add(name)


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
        if entry["backend"]["type"] in ("kserve", "inferencepool"):
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
