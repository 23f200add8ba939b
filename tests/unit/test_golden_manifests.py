"""Every object of every sample, on both platforms, as it is applied: golden files and laws.

UPDATE_GOLDEN=1 rewrites the files; read their diff before you commit it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

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

GOLDEN = Path(__file__).parent / "golden" / "manifests"

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


@everywhere
@each_sample
def test_a_sample_becomes_its_golden_manifests(name: str, platform: str):
    file = GOLDEN / f"{name}.{platform}.yaml"
    router = sample(name)
    built = text(router, facts(router, platform))
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(built, encoding="utf-8")

    assert built == file.read_text(encoding="utf-8")


def test_every_golden_file_has_its_sample():
    expected = {f"{name}.{platform}.yaml" for name in SAMPLES for platform in PLATFORMS}

    assert {file.name for file in GOLDEN.iterdir()} == expected


@everywhere
@each_sample
def test_a_sample_has_nothing_wrong(name: str, platform: str):
    router = sample(name)

    assert [str(p) for p in rules.check(router, facts(router, platform))] == []


@everywhere
@each_sample
def test_building_twice_gives_the_same_bytes(name: str, platform: str):
    first, second = sample(name), sample(name)
    found = facts(first, platform)

    assert text(first, found) == text(second, found)
    assert text(first, found) == text(first, found)


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


@each_sample
def test_platforms_differ_in_security_contexts_and_the_route_alone(name: str):
    router = sample(name)
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
