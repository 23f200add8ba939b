from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import place
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

CONTAINERS: list[dict[str, Any]] = [
    {
        "name": "router",
        "ports": [{"containerPort": 80}, {"containerPort": 81, "protocol": "UDP"}],
        "args": ["-one", "-two"],
        "env": [{"name": "A.B", "value": "[x]"}],
    }
]
MANIFEST: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {
        "name": "my-router",
        "annotations": {"example.com/a.b": "long" * 9, "example.com/a": "short", "twice": "same"},
        "labels": {"tier": "same"},
        "finalizers": ["same"],
    },
    "spec": {"replicas": 1, "containers": CONTAINERS},
    "data": {"config.yaml": "text"},
}
CONTAINER: Path = ("spec", "containers", 0)


@pytest.mark.parametrize(
    ("spelled", "path"),
    [
        ("", ()),
        ("[]", ()),
        ("<nil>", ()),
        ("spec.replicas", ("spec", "replicas")),
        (".spec.replicas", ("spec", "replicas")),
        ("spec.containers[0].env[0].name", (*CONTAINER, "env", 0, "name")),
        ('spec.containers[name="router"].env', (*CONTAINER, "env")),
        ('.spec.containers[name="router"].env[name="A.B"].value', (*CONTAINER, "env", 0, "value")),
        ('spec.containers[0].ports[containerPort=81,protocol="UDP"]', (*CONTAINER, "ports", 1)),
        # The protocol was defaulted by the server.
        ('spec.containers[0].ports[containerPort=80,protocol="TCP"]', (*CONTAINER, "ports", 0)),
        ('spec.containers[0].args[="-two"]', (*CONTAINER, "args", 1)),
        ("metadata.annotations[example.com/a.b]", ("metadata", "annotations", "example.com/a.b")),
        (".metadata.annotations.example.com/a.b", ("metadata", "annotations", "example.com/a.b")),
        (".metadata.annotations.example.com/a", ("metadata", "annotations", "example.com/a")),
        ("data[config.yaml]", ("data", "config.yaml")),
        # What is not there follows what is.
        ("spec.containers[0].image", (*CONTAINER, "image")),
        ("spec.containers[3].image", ("spec", "containers", 3, "image")),
        ("spec.template.spec.volumes[2].name", ("spec", "template", "spec", "volumes", 2, "name")),
        # The list is there, and no such item in it.
        ('spec.containers[name="other"].image', ("spec", "containers")),
        ("spec.containers[", ("spec", "containers")),
    ],
)
def test_a_place_is_read_as_each_part_of_the_api_server_spells_it(spelled: str, path: Path) -> None:
    assert place.path(spelled, MANIFEST) == path


@pytest.mark.parametrize(
    ("message", "paths"),
    [
        ("failed expression: object.spec.replicas <= 5", [("spec", "replicas")]),
        ("set spec.replicas.", [("spec", "replicas")]),
        ("rule failed at path /spec/containers/0/env/0/name/", [(*CONTAINER, "env", 0, "name")]),
        (
            "at /metadata/annotations/example.com~1a.b",
            [("metadata", "annotations", "example.com/a.b")],
        ),
        ("object.spec.containers.all(c, c.image)", [("spec", "containers", "all")]),
        (
            "metadata.labels[tier] and spec.containers[0].image",
            [("metadata", "labels", "tier"), (*CONTAINER, "image")],
        ),
        ("my-spec.replicas, a podspec.field, the spec and metadata", []),
        ('User "a" cannot patch resource "services" in API group "" in the namespace "b"', []),
    ],
)
def test_the_places_that_a_message_speaks_of_are_found(message: str, paths: list[Path]) -> None:
    assert list(place.named_in(message, MANIFEST)) == paths


@pytest.mark.parametrize(
    ("where", "message", "path"),
    [
        # A key, a value, and what is in a list.
        (
            ("metadata", "annotations"),
            'Invalid value: "example.com/a": name part must',
            ("metadata", "annotations", "example.com/a"),
        ),
        (("metadata", "labels"), 'Invalid value: "same": a', ("metadata", "labels", "tier")),
        (
            CONTAINER,
            'Unsupported value: "UDP": supported values',
            (*CONTAINER, "ports", 1, "protocol"),
        ),
        # It stands at two places, or at none, or the place is one already.
        (("metadata",), 'Invalid value: "same": a', ("metadata",)),
        (("metadata", "labels"), 'Invalid value: "other": a', ("metadata", "labels")),
        (("metadata", "name"), 'Invalid value: "same": a', ("metadata", "name")),
        (("metadata", "labels"), "Too many", ("metadata", "labels")),
    ],
)
def test_the_whole_that_is_blamed_is_narrowed_to_what_is_quoted(
    where: Path, message: str, path: Path
) -> None:
    assert place.narrowed(where, message, MANIFEST) == path


@pytest.mark.parametrize(
    ("where", "path"),
    [
        (("metadata", "annotations"), ("metadata", "annotations", "example.com/a.b")),
        ((), ("metadata", "annotations", "example.com/a.b")),
        (("metadata", "name"), ("metadata", "name")),
        (("spec", "replicas"), ("spec", "replicas")),
    ],
)
def test_the_longest_text_is_found(where: Path, path: Path) -> None:
    assert place.longest(where, MANIFEST) == path
