"""What OLM v1 takes: a catalog's template, and a ClusterExtension with the rights to install it.

OLM v1 has no rights of its own. It installs as a ServiceAccount, which must have every right that
the bundle grants to somebody (else the API server refuses the role), and may make what is in the
bundle. Both follow from the bundle's manifests, and those from the table of kinds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

Manifest = dict[str, Any]

INSTALLER = "semantic-router-operator-installer"
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
# What OLM makes of a ClusterServiceVersion: the rest of the bundle is there as manifests.
_OF_THE_CSV = {
    "Deployment", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding",
}  # fmt: skip
_RESOURCES = {
    "ClusterRole": ("rbac.authorization.k8s.io", "clusterroles"),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io", "clusterrolebindings"),
    "CustomResourceDefinition": ("apiextensions.k8s.io", "customresourcedefinitions"),
    "Deployment": ("apps", "deployments"),
    "Role": ("rbac.authorization.k8s.io", "roles"),
    "RoleBinding": ("rbac.authorization.k8s.io", "rolebindings"),
    "Service": ("", "services"),
    "ServiceAccount": ("", "serviceaccounts"),
}


def catalog_template(package: str, channel: str, bundle: str, version: str) -> str:
    """For `opm alpha render-template basic`, which asks the registry for the bundle."""
    return _documents(
        [
            {
                "schema": "olm.template.basic",
                "entries": [
                    {"schema": "olm.package", "name": package, "defaultChannel": channel},
                    {
                        "schema": "olm.channel",
                        "package": package,
                        "name": channel,
                        "entries": [{"name": f"{package}.v{version}"}],
                    },
                    {"schema": "olm.bundle", "image": f"{bundle}:v{version}"},
                ],
            }
        ]
    )


def extension(
    package: str, channel: str, catalog: str, namespace: str, bundle: Sequence[Manifest]
) -> str:
    """Everything that `kubectl apply -f` needs beside OLM v1 itself."""
    account = {"kind": "ServiceAccount", "name": INSTALLER, "namespace": namespace}
    return _documents(
        [
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": namespace,
                    "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
                },
            },
            {
                "apiVersion": "olm.operatorframework.io/v1",
                "kind": "ClusterCatalog",
                "metadata": {"name": "semantic-router-catalog"},
                "spec": {"source": {"type": "Image", "image": {"ref": catalog}}},
            },
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": INSTALLER, "namespace": namespace},
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": INSTALLER},
                "rules": installer_rules(package, bundle),
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": INSTALLER},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "ClusterRole",
                    "name": INSTALLER,
                },
                "subjects": [account],
            },
            {
                "apiVersion": "olm.operatorframework.io/v1",
                "kind": "ClusterExtension",
                "metadata": {"name": package},
                "spec": {
                    "namespace": namespace,
                    "serviceAccount": {"name": INSTALLER},
                    "source": {
                        "sourceType": "Catalog",
                        "catalog": {"packageName": package, "channels": [channel]},
                    },
                },
            },
        ]
    )


def installer_rules(package: str, bundle: Sequence[Manifest]) -> list[Manifest]:
    """For the ServiceAccount: to make what is in the bundle, and grant what that grants."""
    kinds = {item["kind"] for item in bundle} - {"ClusterServiceVersion"} | _OF_THE_CSV
    of_groups: dict[str, list[str]] = {}
    for group, resource in sorted(_RESOURCES[kind] for kind in kinds):
        of_groups.setdefault(group, []).append(resource)
    made = [
        {"apiGroups": [group], "resources": resources, "verbs": _VERBS}
        for group, resources in of_groups.items()
    ]
    blocked = {
        "apiGroups": ["olm.operatorframework.io"],
        "resources": ["clusterextensions/finalizers"],
        "resourceNames": [package],
        "verbs": ["update"],
    }
    return [blocked, *made, *_once(_granted(bundle))]


def _granted(bundle: Sequence[Manifest]) -> list[Manifest]:
    """Every rule that a role of the bundle, or of its ClusterServiceVersion, has."""
    (csv,) = (item for item in bundle if item["kind"] == "ClusterServiceVersion")
    install: Mapping[str, Any] = csv["spec"]["install"]["spec"]
    entries = [*install["permissions"], *install["clusterPermissions"]]
    roles = [item for item in bundle if item["kind"] == "ClusterRole"]
    return [rule for holder in (*entries, *roles) for rule in holder["rules"]]


def _once(rules: Sequence[Manifest]) -> list[Manifest]:
    kept: list[Manifest] = []
    for rule in rules:
        if rule not in kept:
            kept.append(rule)
    return kept


def _documents(objects: Sequence[Manifest]) -> str:
    # `---` first, and lists in from their key: yamllint reads what is committed.
    parts = [
        "---\n" + yaml.dump(item, Dumper=_Indented, sort_keys=False, width=1000) for item in objects
    ]
    return "# Generated by `make bundle`.\n" + "".join(parts)


class _Indented(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True
