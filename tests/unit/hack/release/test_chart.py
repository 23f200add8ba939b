"""The chart has what the manifests have, and takes from its values what people set."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
import yaml
from release import chart

GALAXY = {
    "version": "1.2.3", "description": "An operator", "homepage": "https://example.com",
    "repository": "https://example.com", "tags": ["a"], "authors": ["We"],
}  # fmt: skip
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "manager", "namespace": "system", "labels": {}},
    "spec": {
        "replicas": 1,
        "template": {
            "metadata": {},
            "spec": {
                "containers": [{"image": "registry.test/own:v1", "env": [], "resources": {"a": 1}}]
            },
        },
    },
}
ACCOUNT = {"kind": "ServiceAccount", "metadata": {"name": "manager", "namespace": "system"}}
ROLE = {"kind": "Role", "metadata": {"name": "manager", "namespace": "system"}}
CRD = {"kind": "CustomResourceDefinition", "metadata": {"name": "crd"}, "text": "say {{ this }}"}
NAMESPACE = {"kind": "Namespace", "metadata": {"name": "system"}}


@pytest.fixture(scope="module")
def files() -> chart.Files:
    default = [NAMESPACE, CRD, ACCOUNT, DEPLOYMENT]
    return chart.files(default, [ACCOUNT, ROLE, copy.deepcopy(DEPLOYMENT)], GALAXY, "1.24.0")


def test_what_both_scopes_have_alike_depends_on_none(files: chart.Files) -> None:
    assert ".Values.scope" not in files["templates/serviceaccount-manager.yaml"]
    assert ".Values.scope" not in files["templates/deployment-manager.yaml"]


def test_what_one_scope_has_is_of_that_scope(files: chart.Files) -> None:
    assert files["templates/role-manager.yaml"].startswith(
        '{{- if eq .Values.scope "namespace" }}\n'
    )


def test_objects_are_in_the_releases_namespace_which_is_no_object_of_the_chart(
    files: chart.Files,
) -> None:
    assert "namespace: {{ .Release.Namespace }}" in files["templates/role-manager.yaml"]
    assert not [path for path in files if path.startswith("templates/namespace-")]


def test_the_crd_is_upgraded_with_the_release_and_stays_without_it(files: chart.Files) -> None:
    text = files["templates/customresourcedefinition-crd.yaml"]
    assert text.startswith("{{- if .Values.crd.install }}\n")
    assert "helm.sh/resource-policy: keep" in text


def test_braces_of_a_manifest_are_text(files: chart.Files) -> None:
    assert 'say {{ "{{" }} this }}' in files["templates/customresourcedefinition-crd.yaml"]


def test_every_value_has_a_meaning_and_is_read_by_a_template(files: chart.Files) -> None:
    assert set(chart.MEANINGS) == set(chart.VALUES)
    templates = "".join(text for path, text in files.items() if path.startswith("templates/"))
    assert [name for name in chart.VALUES if f".Values.{name}" not in templates] == []


def test_the_defaults_are_those_of_the_manifests(files: chart.Files) -> None:
    values = yaml.safe_load(files["values.yaml"])
    assert (values["image"]["repository"], values["image"]["tag"]) == ("registry.test/own", "v1")
    assert values["resources"] == {"a": 1}
    jsonschema.validate(values, json.loads(files["values.schema.json"]))


def test_an_image_by_its_digest_is_the_default_as_such() -> None:
    deployment = copy.deepcopy(DEPLOYMENT)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = f"registry.test:5000/own@sha256:{'a' * 64}"
    files = chart.files([deployment], [deployment], GALAXY, "1.24.0")
    image = yaml.safe_load(files["values.yaml"])["image"]
    assert (image["repository"], image["tag"]) == ("registry.test:5000/own", "")
    assert image["digest"] == f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "team"},
        {"replica": 2},
        {"replicas": "two"},
        {"image": {"repository": "a", "digest": "sha256:short"}},
        {"crd": {"instal": False}},
    ],
)
def test_a_value_that_nothing_reads_or_nobody_can_mean_is_refused(
    files: chart.Files, wrong: dict[str, Any]
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(files["values.schema.json"]))
