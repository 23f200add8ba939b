"""Every field of spec stands in the sample every_field, does something, and is found from there.

The fields come from the CRD, so a new one without a place in the sample, or one that no builder
reads, fails here. router_config/test_every_field.py asks more of spec.config: both contracts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, reduce
from itertools import count
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    config,
    provenance,
    registry,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, variation
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    MISSING,
    field_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_CONFIG_HASH,
    ANNOTATION_ENVOY_CONFIG_HASH,
    Manifest,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, sample_documents
from schema_walk import (
    Place,
    Schema,
    Steps,
    leaves,
    look_up,
    places,
    read,
    removed,
    source_of_spec,
    spelled,
    written,
)

Resource = dict[str, Any]

# Every field of a file changes its hash; who refuses a hash refuses no field.
HASHES = {ANNOTATION_CONFIG_HASH, ANNOTATION_ENVOY_CONFIG_HASH}

DOCUMENTS = sample_documents("vllm.ai_v1alpha1_semanticrouter_every_field")
NAMES = [document["metadata"]["name"] for document in DOCUMENTS]
DEFAULTED = [{**document, "spec": Router(document).spec} for document in DOCUMENTS]
# Other tests hold that it is the same section under another name.
OLDER_NAME = ("config", "semantic_cache")
FIELDS = {
    spelled(steps): (steps, node)
    for steps, node in leaves(source_of_spec())
    if steps[:2] != OLDER_NAME
}
CORE = {field for field, (_, node) in FIELDS.items() if "$core" in node}

# Fields, as patterns, that the sample leaves out, and why.
UNREAD = "no release of the router reads it; condition ConfigValid says so"
NOT_SHOWN = {
    r"spec\.config\.response_cache\.hnsw\..*": UNREAD,
    r"spec\.config\.decisions\[\]\.preferred_endpoints\[\]": UNREAD,
    r"spec\.\w+Probe\.(exec|grpc|tcpSocket)": "a probe has one handler; some probe shows each",
}

# Fields, as patterns, that change no object, and why that is right.
WITHOUT_EFFECT = {
    r"spec\.config\.classifier\.pii_model\.use_modernbert": UNREAD,
    r"spec\.configRolloutPolicy": "it decides about pods that run already: objects/test_rollout.py",
    r"spec\.vllmEndpoints\[\]\.backend\.discoveryLabels\.\*": "discovery looks for it",
    r"spec\.vllmEndpoints\[\]\.backend\.tls\.wellKnownCACertificates": (
        "without it nothing is written: facts/test_verification.py"
    ),
    r"spec\.vllmEndpoints\[\]\.backend\.(name|selector\..*)": "discovery looks for it",
    r"spec\.toolsDb\[\]\.tool\.type": "it has one value, which goes without saying",
}

# Fields, as patterns, that no refusal names, and why.
NOT_NAMED = {
    r"spec\.monitoring\.serviceMonitor\.enabled": "spec.service.metrics.enabled is its switch too",
    r"spec\.accelerator\.type": "image and device are of spec.image and spec.resources too",
    r"spec\.vllmEndpoints\[\]\.backend\.type": "with another type the rest of backend is another",
}

# Fields, as patterns, that no refusal names by themselves; what it names, and why.
_SWITCH = "a switch is no value of a manifest: the section that it switches"
_IMAGE = "one text is made of several fields: what they have in common"
_FILE = "a file in a ConfigMap is made of many fields: the part that most of it comes from"
NEAREST = {
    r"spec\.openshift\.routes\.tls\.destinationCACertificate": (
        "spec.openshift",
        "a text of many lines is named by its part",
    ),
    r"(spec\.config)\.(?!.*_secret_ref\.).*": (r"\1", _FILE),
    r"(spec\.toolsDb)\b.*": (r"\1", _FILE),
    r"spec\.auth\.apiKeys\[\]\.groups\[\]": ("spec.vllmEndpoints", _FILE),
    r"(spec\.vllmEndpoints)\[\]\.(name|loras\[\]\.name)": (r"\1", _FILE),
    r"(spec\.vllmEndpoints)\[\]\.backend\.(\w+Name|pickerScheme|service\.(scheme|namespace))": (
        r"\1",
        _FILE,
    ),
    r"(spec\.vllmEndpoints)\[\]\.backend\.tls\.(caRef\.kind|(?!caRef|client).*)": (r"\1", _FILE),
    r"(spec\.vllmEndpoints)\[\]\.trafficPolicy\..*": (r"\1", _FILE),
    r"spec\.vllmEndpoints\[\]\.(reasoningFamily|reasoning|catalog|loras\[\]\.description)": (
        "spec.config",
        _FILE,
    ),
    r"spec\.vllmEndpoints\[\]\.backend\.external\.(url|provider|apiVersion|headers\.\*)": (
        "spec.config",
        _FILE,
    ),
    r"(spec\.(?!config).*)\.enabled": (r"\1", _SWITCH),
    r"(spec\.serviceAccount)\.create": (r"\1", _SWITCH),
    r"(spec\.gateway)\.extProc": (r"\1", _SWITCH),
    r"(spec\.egressProxy\.noProxy)\[\]": (r"\1", _IMAGE),
    r"(spec\.(envoy\.)?image)\.(repository|tag|imageRegistry)": (r"\1", _IMAGE),
}


def but(fields: Iterable[str], *explained: dict[str, str]) -> list[str]:
    """The fields that nothing explains."""
    patterns = [pattern for group in explained for pattern in group]
    return sorted(f for f in fields if not any(re.fullmatch(p, f) for p in patterns))


def shown(
    steps: Steps, documents: Iterable[Resource] = DOCUMENTS
) -> Iterator[tuple[Resource, Place]]:
    """The documents that have the field, and where."""
    for document in documents:
        for place in places(document["spec"], steps):
            yield document, ("spec", *place)


def found_for(resource: Resource) -> Facts:
    routes = resource["spec"].get("openshift", {}).get("routes", {})
    return facts(Router(resource), "openshift" if "hostname" in routes else "kubernetes")


def built(resource: Resource) -> str:
    router = Router(resource)
    found = found_for(resource)
    return json.dumps(registry.build(router, found))


@pytest.fixture(autouse=True)
def _quick_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs, differs as JSON too, in a twentieth of the time."""
    monkeypatch.setattr(config, "yaml_text", lambda document: json.dumps(document) + "\n")


@pytest.mark.parametrize("field", but(FIELDS, NOT_SHOWN))
def test_the_field_stands_in_the_sample(field: str):
    steps, _ = FIELDS[field]

    assert [*shown(steps)]


def others(value: Any, node: Schema) -> Iterator[Any]:
    """Values that the field could have in the place of this one; the caller takes a valid one."""
    yield from (choice for choice in node.get("enum", []) if choice != value)
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1)
    elif isinstance(value, str):
        yield from (f"{value}-other", f"{value}x", "11Gi", "51%", "0.31")
    elif isinstance(value, dict):
        yield {**value, "other": "value"}


def changed(document: Resource, place: Place, node: Schema) -> Resource:
    """The document with another valid value; without the field when it has one value only."""
    for value in others(read(document, place), node):
        resource: Resource = written(document, place, value)
        if not crd.validate(resource):
            return resource
    without: Resource = removed(document, place)
    return without


@pytest.mark.parametrize("field", but(FIELDS.keys() - CORE, NOT_SHOWN, WITHOUT_EFFECT))
def test_another_value_makes_another_object(field: str):
    steps, node = FIELDS[field]

    assert any(
        built(changed(document, place, node)) != built(document) for document, place in shown(steps)
    )


def different(one: Any, other: Any, place: Place = ()) -> Iterator[Place]:
    """The places of one that the other has not, or not so."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key, value in one.items():
            yield from different(value, other.get(key, MISSING), (*place, key))
    elif isinstance(one, list) and isinstance(other, list):
        for index, value in enumerate(one):
            against = other[index] if index < len(other) else MISSING
            yield from different(value, against, (*place, index))
    elif one != other:
        yield place


@cache
def as_built(index: int) -> list[tuple[Manifest, provenance.Source]]:
    """The manifests of a document of the sample, and who knows where they come from."""
    resource = DOCUMENTS[index]
    router, found = Router(resource), found_for(resource)
    manifests = registry.build(router, found)
    return [(one, cache(provenance.source_of(router, found, one))) for one in manifests]


def answers(resource: Resource, other: Resource) -> Iterator[str]:
    """What is named when the places are refused that make the difference."""
    varied = registry.build(Router(other), found_for(other))
    kinds = [one["kind"] for one in varied]
    original = as_built(NAMES.index(resource["metadata"]["name"]))
    is_same_list = kinds == [manifest["kind"] for manifest, _ in original]
    for index, (manifest, source) in enumerate(original):
        counterpart = varied[index] if is_same_list else same(manifest, varied)
        for place in different(manifest, counterpart):
            if not HASHES.intersection(place):
                yield source(place)


def same(manifest: Manifest, among: list[Manifest]) -> Manifest | None:
    wanted = (manifest["kind"], manifest["metadata"]["name"])
    return next((one for one in among if (one["kind"], one["metadata"]["name"]) == wanted), None)


def values(value: Any, place: Place) -> Iterator[Place]:
    """The places below that have no parts."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from values(item, (*place, key))
    else:
        yield place


def schema_at(place: Place) -> Schema:
    return reduce(variation.below, place, crd.schema())


def nearest(field: str, place: Place) -> str:
    """What a refusal names: the very place, but for what is explained."""
    for pattern, (name, _) in NEAREST.items():
        if match := re.fullmatch(pattern, field):
            return match.expand(name)
    return field_path(place[1:])


@pytest.mark.parametrize("field", but(FIELDS, NOT_SHOWN, WITHOUT_EFFECT, NOT_NAMED))
def test_who_refuses_what_the_field_makes_names_the_field(field: str):
    steps, node = FIELDS[field]
    outcomes = (
        nearest(field, place) in answers(document, changed(document, place, schema_at(place)))
        for document, whole in shown(steps, DOCUMENTS if "$core" in node else DEFAULTED)
        for place in values(read(document, whole), whole)
    )

    # Each value of Kubernetes' own types; one of the sample's entries of the others.
    assert all(outcomes) if "$core" in node else any(outcomes)


def everything(node: Schema, name: str, numbers: Iterator[int]) -> Any:
    """A value that has every field of a type of Kubernetes, each recognisable."""
    if node.get("properties"):
        return {key: everything(child, key, numbers) for key, child in node["properties"].items()}
    if node.get("items"):
        return [everything(node["items"], name, numbers)]
    if isinstance(node.get("additionalProperties"), dict):
        return {"any": everything(node["additionalProperties"], name, numbers)}
    if node.get("type") == "boolean":
        return True
    return next(numbers) if node.get("type") == "integer" else f"{name}-{next(numbers)}"


@pytest.mark.parametrize("field", sorted(CORE))
def test_what_kubernetes_defines_reaches_the_pod_as_it_stands(field: str):
    steps, _ = FIELDS[field]
    value = everything(look_up(crd.schema()["properties"]["spec"], steps), "", count(1))
    place = ("spec", *(0 if step == "[]" else step for step in steps))

    assert json.dumps(value) in built(written(DOCUMENTS[0], place, value))


def test_the_older_name_of_the_cache_makes_the_same_configuration():
    newer = DOCUMENTS[0]
    cache = newer["spec"]["config"]["response_cache"]
    older = removed(newer, ("spec", "config", "response_cache"))
    older = written(older, ("spec", "config", "semantic_cache"), cache)
    sections = source_of_spec()["properties"]["config"]["properties"]

    old, new = (json.dumps(config.config_maps(Router(r), Facts())) for r in (older, newer))

    assert old.replace("SEMANTIC_CACHE", "RESPONSE_CACHE") == new
    assert sections["semantic_cache"]["properties"] == sections["response_cache"]["properties"]


def test_every_explanation_is_of_a_field_that_exists():
    explained = [*NOT_SHOWN, *WITHOUT_EFFECT, *NOT_NAMED, *NEAREST]

    assert [p for p in explained if not any(re.fullmatch(p, field) for field in FIELDS)] == []
