"""managed_fields.json holds manifests and the fieldsV1 that a kube-apiserver 1.36 made of them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.fields import covers

CAPTURED: dict[str, dict[str, Any]] = {
    entry["manifest"]["kind"]: entry
    for entry in json.loads(Path(__file__).with_name("managed_fields.json").read_text())
}


def captured(kind: str) -> tuple[dict[str, Any], dict[str, Any]]:
    entry = copy.deepcopy(CAPTURED[kind])
    return entry["fieldsV1"], entry["manifest"]


def without(fields: dict[str, Any], *path: str) -> dict[str, Any]:
    """What is left of an entry after somebody else has edited the field at ``path``.

    A parent whose last child goes is gone too: it was never an element of the set itself.
    """
    head, *rest = path
    left = {name: children for name, children in fields.items() if name != head}
    if rest and (children := without(fields[head], *rest)):
        left[head] = children
    return left


POD = ("f:spec", "f:template", "f:spec")
CONTAINER = (*POD, "f:containers", 'k:{"name":"router"}')


@pytest.mark.parametrize("kind", CAPTURED)
def test_an_entry_covers_the_manifest_it_was_made_of(kind: str) -> None:
    assert covers(*captured(kind))


@pytest.mark.parametrize("kind", CAPTURED)
def test_an_empty_entry_covers_nothing(kind: str) -> None:
    _, manifest = captured(kind)
    assert not covers({}, manifest)


@pytest.mark.parametrize(
    "path",
    [
        ("f:spec", "f:replicas"),
        ("f:metadata", "f:annotations", "f:vllm.ai/applied-hash"),
        ("f:metadata", "f:annotations"),
        ("f:metadata", "f:ownerReferences"),
        ("f:spec", "f:selector"),
        (*POD, "f:tolerations"),
        (*POD, "f:nodeSelector"),
        (*POD, "f:affinity"),
        (*POD, "f:imagePullSecrets", 'k:{"name":"s"}'),
        (*POD, "f:volumes", 'k:{"name":"models"}'),
        (*POD, "f:volumes", 'k:{"name":"models"}', "f:emptyDir"),
        (*POD, "f:volumes", 'k:{"name":"cfg"}', "f:configMap", "f:items"),
        CONTAINER,
        (*CONTAINER, "f:image"),
        (*CONTAINER, "f:args"),
        (*CONTAINER, "f:env", 'k:{"name":"A"}', "f:value"),
        (*CONTAINER, "f:env", 'k:{"name":"B"}'),
        (*CONTAINER, "f:env", 'k:{"name":"C"}', "f:valueFrom", "f:secretKeyRef"),
        (*CONTAINER, "f:resources", "f:limits", "f:cpu"),
        (*CONTAINER, "f:startupProbe", "f:httpGet", "f:port"),
        (*CONTAINER, "f:ports", 'k:{"containerPort":8080,"protocol":"TCP"}', "f:name"),
        (*CONTAINER, "f:volumeMounts", 'k:{"mountPath":"/app/models"}'),
    ],
    ids=lambda path: "/".join(path[-2:]),
)
def test_a_deployment_field_that_somebody_edited_is_not_covered(path: tuple[str, ...]) -> None:
    fields, manifest = captured("Deployment")
    assert not covers(without(fields, *path), manifest)


def test_an_edited_config_map_key_is_not_covered() -> None:
    fields, manifest = captured("ConfigMap")
    assert not covers(without(fields, "f:data", "f:config.yaml"), manifest)


def test_a_removed_finalizer_is_not_covered() -> None:
    fields, manifest = captured("PersistentVolumeClaim")
    fields["f:metadata"]["f:finalizers"] = {'v:"somebody/else"': {}}
    assert not covers(fields, manifest)


def test_service_ports_of_one_number_and_two_protocols_are_told_apart() -> None:
    fields, manifest = captured("Service")
    ports = {json.dumps(port, sort_keys=True) for port in manifest["spec"]["ports"]}
    assert any('"UDP"' in port for port in ports)
    key = 'k:{"port":8080,"protocol":"UDP"}'
    assert not covers(without(fields, "f:spec", "f:ports", key), manifest)


def test_a_field_that_we_have_not_applied_yet_is_not_covered() -> None:
    fields, manifest = captured("Deployment")
    manifest["spec"]["paused"] = True
    assert not covers(fields, manifest)


def test_what_we_own_and_no_longer_ask_for_does_not_matter_here() -> None:
    # The hash of the manifest differs then, which is looked at first.
    fields, manifest = captured("Deployment")
    del manifest["spec"]["replicas"]
    assert covers(fields, manifest)


def test_a_null_asks_for_nothing() -> None:
    fields, manifest = captured("Deployment")
    manifest["spec"]["minReadySeconds"] = None
    assert covers(fields, manifest)
