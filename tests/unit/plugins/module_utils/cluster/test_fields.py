"""managed_fields.json holds manifests and the fieldsV1 that a kube-apiserver 1.36 made of them."""

from __future__ import annotations

import copy
import cProfile
import json
import pstats
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.fields import covers
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.managed_fields import (
    is_exact,
)

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


def test_a_text_of_a_set_is_the_same_however_it_is_escaped() -> None:
    manifest = {"metadata": {"finalizers": ["a<b", "\u00e4"]}}
    owned = {"f:metadata": {"f:finalizers": {'v:"a\\u003cb"': {}, 'v:"\u00e4"': {}}}}
    assert covers(owned, manifest)


def test_an_entry_that_leaves_a_part_of_its_key_out_is_not_taken_for_another() -> None:
    ports = [{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}]
    keys = [f'k:{{"containerPort":80,"protocol":"{name}"}}' for name in ("TCP", "UDP")]
    owned = {"f:ports": {key: {"f:containerPort": {}, "f:protocol": {}} for key in keys}}
    assert covers(owned, {"ports": ports})
    assert not covers({"f:ports": {keys[1]: owned["f:ports"][keys[1]]}}, {"ports": ports})


def test_thousands_of_variables_are_compared_before_a_worker_is_missed() -> None:
    """Calls are counted, which are as many on any machine: 4,000 took half a minute once, as each
    was sought among all of them."""
    number = 3000
    env = [{"name": f"A{index}", "value": "x"} for index in range(number)]
    keys = {f'k:{{"name":"A{index}"}}': {"f:name": {}, "f:value": {}} for index in range(number)}
    container = {'k:{"name":"router"}': {"f:name": {}, "f:env": keys}}
    owned: dict[str, Any] = {"f:containers": container}
    manifest: dict[str, Any] = {"containers": [{"name": "router", "env": env}]}
    for step in reversed(POD):
        owned, manifest = {step: owned}, {step.removeprefix("f:"): manifest}
    entry = {"manager": "semantic-router-operator", "operation": "Apply", "fieldsV1": owned}
    live = {"metadata": {"managedFields": [entry]}}

    profile = cProfile.Profile()
    assert profile.runcall(covers, owned, manifest)
    assert profile.runcall(
        is_exact, {"kind": "Deployment", "apiVersion": "apps/v1", **manifest}, live
    )
    assert pstats.Stats(profile).total_calls < 200 * number  # type: ignore[attr-defined]
