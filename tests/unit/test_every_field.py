"""Every field of spec stands in the sample every_field and does something.

The fields come from the CRD, so a new one without a place in the sample, or one that no builder
reads, fails here. router_config/test_every_field.py asks more of spec.config: both contracts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from functools import cache
from itertools import count
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import config, registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
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

DOCUMENTS = sample_documents("vllm.ai_v1alpha1_semanticrouter_every_field")
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
    r"spec\.toolsDb\[\]\.tool\.type": "it has one value, which goes without saying",
}


def but(fields: Iterable[str], *explained: dict[str, str]) -> list[str]:
    """The fields that nothing explains."""
    patterns = [pattern for group in explained for pattern in group]
    return sorted(f for f in fields if not any(re.fullmatch(p, f) for p in patterns))


def shown(steps: Steps) -> Iterator[tuple[int, Place]]:
    """The numbers of the documents that have the field, and where."""
    for number, document in enumerate(DOCUMENTS):
        for place in places(document["spec"], steps):
            yield number, ("spec", *place)


def built(resource: Resource) -> str:
    router = Router(resource)
    found = facts(router, "openshift" if "openshift" in resource["spec"] else "kubernetes")
    return json.dumps(registry.build(router, found))


@cache
def built_unchanged(number: int) -> str:
    return built(deepcopy(DOCUMENTS[number]))


@pytest.fixture(autouse=True)
def _quick_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs, differs as JSON too, in a twentieth of the time."""
    monkeypatch.setattr(config, "yaml_text", json.dumps)


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
        built(changed(DOCUMENTS[number], place, node)) != built_unchanged(number)
        for number, place in shown(steps)
    )


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
    explained = [*NOT_SHOWN, *WITHOUT_EFFECT]

    assert [p for p in explained if not any(re.fullmatch(p, field) for field in FIELDS)] == []
