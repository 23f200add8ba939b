"""What is packaged from config/: the OLM bundle, and the manifests of playbooks/install.yml.

Pure functions from objects to files. OLM creates the operator's Deployment and its rights from the
ClusterServiceVersion; whatever else config/default holds is a manifest of its own beside it.
"""

from __future__ import annotations

import base64
import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import kustomize
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import inherited
from release.pins import by_digest

Manifest = dict[str, Any]
Files = dict[str, str]

# The image's name is the package's too, and no other operator's.
PACKAGE = kustomize.released_image().rpartition("/")[2]
CHANNEL = "stable"
# As kustomize names the objects: what users type, whatever the package is called.
PREFIX = "semantic-router-operator"
MANAGER_ROLE = f"{PREFIX}-manager-role"
# Made by OLM from the ClusterServiceVersion; the namespace is the installing person's choice.
_BY_OLM = {"Namespace", "ServiceAccount", "Deployment", "RoleBinding", "ClusterRoleBinding"}
# OLM annotates its Deployment with the namespaces of the OperatorGroup, separated by commas.
_WATCHED = {
    "name": "WATCH_NAMESPACE",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['olm.targetNamespaces']"}},
}
_ANNOTATIONS = {
    "operators.operatorframework.io.bundle.mediatype.v1": "registry+v1",
    "operators.operatorframework.io.bundle.manifests.v1": "manifests/",
    "operators.operatorframework.io.bundle.metadata.v1": "metadata/",
    "operators.operatorframework.io.bundle.package.v1": PACKAGE,
    "operators.operatorframework.io.bundle.channels.v1": CHANNEL,
    "operators.operatorframework.io.bundle.channel.default.v1": CHANNEL,
    "operators.operatorframework.io.test.mediatype.v1": "scorecard+v1",
    "operators.operatorframework.io.test.config.v1": "tests/scorecard/",
    "com.redhat.openshift.versions": "v4.12",
}
_DISCONNECTED = "features.operators.openshift.io/disconnected"
_RELATED = "RELATED_IMAGE_"
_ADVANCED = "urn:alm:descriptor:com.tectonic.ui:advanced"


def installer_files(default: Sequence[Manifest], namespaced: Sequence[Manifest]) -> Files:
    """For playbooks/files/; without the CRD, which has its place in the collection already."""
    crd = "CustomResourceDefinition"
    return {
        "operator.yaml": _documents(item for item in default if item["kind"] != crd),
        "operator-namespaced.yaml": _documents(namespaced),
    }


def bundle_files(
    manifests: Sequence[Manifest],
    namespaced: Sequence[Manifest],
    version: str,
    icon: bytes,
    pins: Mapping[str, str | None],
) -> Files:
    """The files of bundle/ and bundle.Dockerfile, by their paths.

    manifests: those of config/manifests. namespaced: those of config/namespaced, whose Role says
    which of the operator's rights are wanted only where it watches. pins: digests of images.
    """
    base = _one(manifests, "ClusterServiceVersion")
    crd = _one(manifests, "CustomResourceDefinition")
    deployment = _one(manifests, "Deployment")
    samples = [item for item in manifests if item["kind"] == crd["spec"]["names"]["kind"]]
    scorecard = _one(manifests, "Configuration")
    started = {variable: by_digest(image, pins) for variable, image in inherited.images().items()}
    csv = _service_version(base, crd, version)
    csv["spec"]["relatedImages"] = _related(deployment, started)
    can_be_mirrored = is_by_digests(csv["spec"]["relatedImages"])
    csv["metadata"]["annotations"][_DISCONNECTED] = str(can_be_mirrored).lower()
    csv["metadata"]["annotations"]["alm-examples"] = json.dumps(samples, indent=2)
    csv["metadata"]["annotations"]["containerImage"] = _containers(deployment)[0]["image"]
    csv["spec"]["icon"] = [
        {"base64data": base64.b64encode(icon).decode(), "mediatype": "image/svg+xml"}
    ]
    csv["spec"]["install"]["spec"] = _install(manifests, namespaced, deployment, started)
    files = {
        f"bundle/manifests/{PACKAGE}.clusterserviceversion.yaml": _document(csv),
        f"bundle/manifests/vllm.ai_{crd['spec']['names']['plural']}.yaml": _document(crd),
        "bundle/metadata/annotations.yaml": _document({"annotations": _ANNOTATIONS}),
        "bundle/tests/scorecard/config.yaml": _document(scorecard),
        "bundle.Dockerfile": _dockerfile(),
    }
    return files | {_file_name(item): _document(_placed_by_olm(item)) for item in _rest(manifests)}


def _service_version(base: Manifest, crd: Manifest, version: str) -> Manifest:
    csv = copy.deepcopy(base)
    csv["metadata"]["name"] = f"{PACKAGE}.v{version}"
    csv["spec"]["version"] = version
    (owned,) = csv["spec"]["customresourcedefinitions"]["owned"]
    owned["resources"] = [
        {"version": resource.api_version.rpartition("/")[2], "kind": resource.kind}
        for resource in RESOURCES
    ]
    owned["specDescriptors"] += _other_fields(crd, owned["specDescriptors"])
    for part in ("spec", "status"):
        for descriptor in owned[f"{part}Descriptors"]:
            field = _field(crd, part, *_steps(descriptor["path"]))
            descriptor["description"] = " ".join(field["description"].split())
    return csv


def _related(deployment: Manifest, started: Mapping[str, str]) -> list[dict[str, str]]:
    """Every image that the bundle or the operator starts, for whoever mirrors them."""
    return [
        {"name": "manager", "image": _containers(deployment)[0]["image"]},
        *(
            {"name": variable.removeprefix(_RELATED).lower().replace("_", "-"), "image": image}
            for variable, image in started.items()
        ),
    ]


def is_by_digests(related: Sequence[Mapping[str, str]]) -> bool:
    """OpenShift's mirrors are asked for digests only, so one image by its tag is one that is not
    found there."""
    return all("@sha256:" in item["image"] for item in related)


def _other_fields(crd: Manifest, named: Sequence[Manifest]) -> list[Manifest]:
    """Scorecard wants a descriptor of every field at the top of an example's spec.

    The console folds away what is advanced, with all that is below it.
    """
    known = {descriptor["path"] for descriptor in named}
    sections = {_steps(path)[0] for path in known}
    return [
        {"displayName": _words(name), "path": name}
        | ({} if name in sections else {"x-descriptors": [_ADVANCED]})
        for name in _field(crd, "spec")["properties"]
        if name not in known
    ]


def _words(name: str) -> str:
    """podAnnotations: Pod annotations."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f" {found[0].lower()}", name).capitalize()


def _install(
    manifests: Sequence[Manifest],
    namespaced: Sequence[Manifest],
    deployment: Manifest,
    started: Mapping[str, str],
) -> Manifest:
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    everywhere = _role(manifests, "ClusterRole", MANAGER_ROLE)["rules"]
    there = _role(namespaced, "Role", MANAGER_ROLE)["rules"]
    election = _role(manifests, "Role", f"{PREFIX}-leader-election-role")["rules"]
    metrics = _role(manifests, "ClusterRole", f"{PREFIX}-metrics-auth-role")["rules"]
    outside = [rule for rule in everywhere if rule not in there]
    spec = copy.deepcopy(deployment["spec"])
    container = _containers({"spec": spec})[0]
    told = [{"name": variable, "value": image} for variable, image in started.items()]
    container["env"] = [*container.get("env", []), _WATCHED, *told]
    return {
        # For the namespaces of the OperatorGroup; OLM makes them ClusterRoles when that is all.
        "permissions": [{"serviceAccountName": account, "rules": [*there, *election]}],
        "clusterPermissions": [{"serviceAccountName": account, "rules": [*outside, *metrics]}],
        "deployments": [
            {
                "name": deployment["metadata"]["name"],
                "label": deployment["metadata"]["labels"],
                "spec": spec,
            }
        ],
    }


def _rest(manifests: Sequence[Manifest]) -> list[Manifest]:
    """Services, and the roles that are for people."""
    own = {MANAGER_ROLE, f"{PREFIX}-metrics-auth-role"}
    return [
        item
        for item in manifests
        if item["kind"] in ("Service", "ClusterRole") and item["metadata"]["name"] not in own
    ]


def left_out(manifests: Sequence[Manifest]) -> list[str]:
    """Kinds of config/manifests that neither a file nor the ClusterServiceVersion takes up."""
    taken = {
        "ClusterServiceVersion", "CustomResourceDefinition", "Configuration", "Service",
        "ClusterRole", "Role", "SemanticRouter", *_BY_OLM,
    }  # fmt: skip
    return sorted({item["kind"] for item in manifests} - taken)


def _role(manifests: Iterable[Manifest], kind: str, name: str) -> Manifest:
    (found,) = (
        item for item in manifests if (item["kind"], item["metadata"]["name"]) == (kind, name)
    )
    return found


def _one(manifests: Iterable[Manifest], kind: str) -> Manifest:
    (found,) = (item for item in manifests if item["kind"] == kind)
    return found


def _containers(deployment: Mapping[str, Any]) -> list[Manifest]:
    containers: list[Manifest] = deployment["spec"]["template"]["spec"]["containers"]
    return containers


def _placed_by_olm(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    return {**manifest, "metadata": metadata}


def _file_name(manifest: Manifest) -> str:
    group, _, version = manifest["apiVersion"].rpartition("/")
    scope = f"{group}_{version}" if group else version
    name = manifest["metadata"]["name"]
    return f"bundle/manifests/{name}_{scope}_{manifest['kind'].lower()}.yaml"


def _field(crd: Manifest, *path: str) -> Manifest:
    """The schema of a field; KeyError for one that the CRD does not have."""
    field: Manifest = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for step in path:
        field = field["items"] if step == "[0]" else field["properties"][step]
    return field


def _steps(path: str) -> list[str]:
    return re.findall(r"\[0\]|[^.\[\]]+", path)


def _dockerfile() -> str:
    labels = {key: value for key, value in _ANNOTATIONS.items() if key.startswith("operators.")}
    lines = ["# Generated by `make bundle`.", "FROM scratch", ""]
    lines += [f"LABEL {key}={value}" for key, value in labels.items()]
    lines += ["", "COPY bundle/manifests /manifests/", "COPY bundle/metadata /metadata/"]
    return "\n".join([*lines, "COPY bundle/tests/scorecard /tests/scorecard/", ""])


class _Readable(yaml.CSafeDumper):
    """Texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: _Readable, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _text)


def _document(manifest: Mapping[str, Any]) -> str:
    text = yaml.dump(manifest, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=1000)
    # No `---`: OLM's readers look no further than the first document, and a comment counts as one.
    return f"# Generated by `make bundle`.\n{text}"


def _documents(manifests: Iterable[Manifest]) -> str:
    parts = [
        yaml.dump(item, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=1000)
        for item in manifests
    ]
    return "# Generated by `make bundle`.\n" + "".join(f"---\n{part}" for part in parts)
