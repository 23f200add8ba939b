"""The Helm chart, from config/ as kustomize builds it.

Pure functions from objects to files. What config/default and config/namespaced have alike is a
template as it stands; what one of them alone has, or has otherwise, depends on `scope`. So a change
of config/ is a change of the chart, and there is no second home of any manifest.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]
Files = dict[str, str]

_TEXT = Path(__file__).with_name("text")
# As Helm 4 and Helm 3 read it. CRD: a template, for Helm never upgrades what is in crds/.
_API_VERSION = "v2"
_CRD = "CustomResourceDefinition"
# A value that becomes an expression. Neither Helm nor YAML knows these brackets.
_OPEN, _CLOSE = "\u27e6", "\u27e7"
_NAMESPACE = f"{_OPEN}.Release.Namespace{_CLOSE}"
_BLOCK = re.compile(rf"^( *)(?:- )?([\w.-]+): '?{_OPEN}block (\S+){_CLOSE}'?$", re.MULTILINE)
_EXPRESSION = re.compile(rf"'?{_OPEN}([^{_CLOSE}]+){_CLOSE}'?")

VALUES: Manifest = {
    "scope": "cluster",
    "image": {"repository": "", "tag": "", "digest": "", "pullPolicy": "IfNotPresent"},
    "imagePullSecrets": [],
    "replicas": 1,
    "crd": {"install": True},
    "resources": {},
    "env": [],
    "nodeSelector": {},
    "tolerations": [],
    "affinity": {},
    "priorityClassName": "",
    "podAnnotations": {},
}
# What a value is for, which is the comment in values.yaml and the description in its schema.
MEANINGS = {
    "scope": "cluster: SemanticRouters of all namespaces; namespace: those of the release's own, "
    "with a Role and no ClusterRole",
    "image": "The operator's image; a digest wins over the tag",
    "imagePullSecrets": "As in a pod: [{name: my-registry}]",
    "replicas": "With more than one, one works and the others stand by",
    "crd": "install: false where somebody else installs the CRD; it stays when the release goes",
    "resources": "Of the operator's container",
    "env": "More environment of the operator's container, HTTPS_PROXY say",
    "nodeSelector": "As in a pod",
    "tolerations": "As in a pod",
    "affinity": "As in a pod",
    "priorityClassName": "As in a pod",
    "podAnnotations": "More annotations of the operator's pods",
}  # fmt: skip
# What JSON's types do not say by themselves.
_NARROWER: dict[str, Manifest] = {
    "scope": {"enum": ["cluster", "namespace"]},
    "replicas": {"minimum": 0},
    "imagePullSecrets": {"items": {"type": "object", "required": ["name"]}},
    "env": {"items": {"type": "object", "required": ["name"]}},
    "image": {
        "properties": {
            "repository": {"type": "string", "minLength": 1},
            "tag": {"type": "string"},
            "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
            "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
        },
        "additionalProperties": False,
    },
    "crd": {"properties": {"install": {"type": "boolean"}}, "additionalProperties": False},
}


def files(
    default: Sequence[Manifest],
    namespaced: Sequence[Manifest],
    galaxy: Mapping[str, Any],
    minimum_kubernetes: str,
) -> Files:
    """The files of the chart, by their paths in it. galaxy: what galaxy.yml says."""
    image, _, digest = _container(_of_kind(default, "Deployment"))["image"].partition("@")
    repository, tag = (image, "") if digest else image.rsplit(":", 1)
    name = repository.rpartition("/")[2]
    values = copy.deepcopy(VALUES)
    values["image"] |= {"repository": repository, "tag": tag, "digest": digest}
    values["resources"] = _container(_of_kind(default, "Deployment"))["resources"]
    return {
        "Chart.yaml": _document(_chart(name, galaxy, minimum_kubernetes)),
        "values.yaml": _commented(values),
        "values.schema.json": json.dumps(_schema(values), indent=2) + "\n",
        "README.md": _readme(name, values),
        "templates/NOTES.txt": (_TEXT / "NOTES.txt").read_text(encoding="utf-8"),
        **_templates(default, namespaced),
    }


def _chart(name: str, galaxy: Mapping[str, Any], minimum_kubernetes: str) -> Manifest:
    return {
        "apiVersion": _API_VERSION,
        "name": name,
        "description": galaxy["description"],
        "type": "application",
        "version": galaxy["version"],
        "appVersion": galaxy["version"],
        "kubeVersion": f">={minimum_kubernetes}-0",
        "home": galaxy["homepage"],
        "sources": [galaxy["repository"]],
        "keywords": galaxy["tags"],
        "maintainers": [{"name": author} for author in galaxy["authors"]],
        "annotations": {"artifacthub.io/license": "GPL-3.0-or-later"},
    }


def _templates(default: Sequence[Manifest], namespaced: Sequence[Manifest]) -> Files:
    """One file per object, or per object of one scope."""
    of_cluster, of_namespace = _by_key(default), _by_key(namespaced)
    templates = {}
    for key in {**of_cluster, **of_namespace}:
        there, here = of_cluster.get(key), of_namespace.get(key)
        if key[0] == "Namespace":
            continue
        if key[0] == _CRD:
            templates[_path(key)] = _only_if(".Values.crd.install", _crd(there or {}))
        elif there == here:
            templates[_path(key)] = _template(there or {})
        else:
            parts = [
                _only_if(f'eq .Values.scope "{scope}"', _template(manifest))
                for scope, manifest in (("cluster", there), ("namespace", here))
                if manifest
            ]
            templates[_path(key)] = "".join(parts)
    return templates


def _only_if(condition: str, text: str) -> str:
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n"


def _crd(manifest: Manifest) -> str:
    """Upgraded with the release, and kept after it, for every SemanticRouter would go with it."""
    kept = copy.deepcopy(manifest)
    annotations = kept["metadata"].setdefault("annotations", {})
    annotations["helm.sh/resource-policy"] = "keep"
    return _template(kept)


def _template(manifest: Manifest) -> str:
    changed = _in_the_releases_namespace(copy.deepcopy(manifest))
    labels = changed["metadata"].setdefault("labels", {})
    labels["app.kubernetes.io/managed-by"] = f"{_OPEN}.Release.Service{_CLOSE}"
    labels["helm.sh/chart"] = f'{_OPEN}printf "%s-%s" .Chart.Name .Chart.Version{_CLOSE}'
    if changed["kind"] == "Deployment":
        _valued(changed)
    # What braces the manifests have themselves are text.
    text = _document(changed).replace("{{", '{{ "{{" }}')
    text = _BLOCK.sub(_filled_block, text)
    return _EXPRESSION.sub(r"{{ \1 }}", text)


def _in_the_releases_namespace(manifest: Manifest) -> Manifest:
    if "namespace" in manifest["metadata"]:
        manifest["metadata"]["namespace"] = _NAMESPACE
    for subject in manifest.get("subjects", []):
        if "namespace" in subject:
            subject["namespace"] = _NAMESPACE
    return manifest


def _valued(deployment: Manifest) -> None:
    """Takes from values what people set. What is empty is left out, as it is in config/."""
    deployment["spec"]["replicas"] = f"{_OPEN}.Values.replicas{_CLOSE}"
    template = deployment["spec"]["template"]
    pod, container = template["spec"], _container(deployment)
    container["image"] = (
        f"{_OPEN}.Values.image.repository{_CLOSE}{_OPEN}if .Values.image.digest{_CLOSE}"
        f"@{_OPEN}.Values.image.digest{_CLOSE}{_OPEN}else{_CLOSE}"
        f":{_OPEN}.Values.image.tag{_CLOSE}{_OPEN}end{_CLOSE}"
    )
    container["imagePullPolicy"] = f"{_OPEN}.Values.image.pullPolicy{_CLOSE}"
    container["resources"] = f"{_OPEN}block resources{_CLOSE}"
    container["env"].append({"more": f"{_OPEN}block env{_CLOSE}"})
    annotations = template["metadata"].setdefault("annotations", {})
    annotations["more"] = f"{_OPEN}block podAnnotations{_CLOSE}"
    for name in (
        "affinity", "imagePullSecrets", "nodeSelector", "priorityClassName", "tolerations",
    ):  # fmt: skip
        pod[name] = f"{_OPEN}block {name}{_CLOSE}"


def _filled_block(found: re.Match[str]) -> str:
    indent, key, value = found[1], found[2], found[3]
    path = f".Values.{value}"
    depth = len(indent)
    if key == "more":
        filled = f"{{{{- toYaml . | nindent {depth} }}}}"
    else:
        filled = f"{key}: {{{{- toYaml . | nindent {depth + 2} }}}}"
    return f"{indent}{{{{- with {path} }}}}\n{indent}{filled}\n{indent}{{{{- end }}}}"


def _schema(values: Manifest) -> Manifest:
    types = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            # What Helm itself hands to a chart that is part of another.
            "global": {"type": "object"},
            **{
                name: {
                    "description": MEANINGS[name],
                    "type": types[type(value)],
                    **_NARROWER.get(name, {}),
                }
                for name, value in values.items()
            },
        },
    }


def _commented(values: Manifest) -> str:
    return "".join(f"# {MEANINGS[name]}.\n{_document({name: values[name]})}" for name in values)


def _readme(name: str, values: Manifest) -> str:
    rows = "".join(
        f"| `{key}` | `{json.dumps(value)}` | {MEANINGS[key]} |\n" for key, value in values.items()
    )
    text = (_TEXT / "README.md").read_text(encoding="utf-8")
    return text.format(name=name, rows=rows)


def _by_key(manifests: Sequence[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(item["kind"], item["metadata"]["name"]): item for item in manifests}


def _path(key: tuple[str, str]) -> str:
    kind, name = key
    return f"templates/{kind.lower()}-{name}.yaml"


def _of_kind(manifests: Sequence[Manifest], kind: str) -> Manifest:
    (found,) = (item for item in manifests if item["kind"] == kind)
    return found


def _container(deployment: Mapping[str, Any]) -> Manifest:
    containers: list[Manifest] = deployment["spec"]["template"]["spec"]["containers"]
    return containers[0]


def _document(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100000)
