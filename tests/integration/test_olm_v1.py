"""What OLM v1 does as the ServiceAccount that it is given, on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from control_plane import Kubectl, KubectlError
from olm_bundle import PACKAGE, v1

CHECKOUT = Path(__file__).parents[2]
MANIFESTS = CHECKOUT / "bundle" / "manifests"
GROUP = "rbac.authorization.k8s.io"
MADE = "made-by-olm-v1"

Manifest = dict[str, Any]


def load(path: Path) -> list[Manifest]:
    text = path.read_text(encoding="utf-8")
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@pytest.fixture
def installer(kubectl: Kubectl) -> Any:
    """The account of config/olm-v1/extension.yaml, with its rights; the option to act as it."""
    extension = load(CHECKOUT / "config" / "olm-v1" / "extension.yaml")
    (account,) = (item for item in extension if item["kind"] == "ServiceAccount")
    rights = [item for item in extension if item["apiVersion"].startswith(GROUP)]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(rights))
    where = account["metadata"]
    yield f"--as=system:serviceaccount:{where['namespace']}:{where['name']}"
    kubectl("delete", "clusterrole,clusterrolebinding", v1.INSTALLER, MADE, "--ignore-not-found")


def role(kind: str, rules: list[Manifest], namespace: str) -> list[Manifest]:
    """A role and who has it, as OLM makes them of a ClusterServiceVersion."""
    metadata = {"name": MADE, **({"namespace": namespace} if kind == "Role" else {})}
    subject = {"kind": "ServiceAccount", "name": "any", "namespace": namespace}
    return [
        {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{GROUP}/v1",
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": {"apiGroup": GROUP, "kind": kind, "name": MADE},
            "subjects": [subject],
        },
    ]


def of_the_csv(csv: Manifest, namespace: str) -> list[Manifest]:
    spec = csv["spec"]["install"]["spec"]
    (deployment,) = spec["deployments"]
    cluster = [rule for entry in spec["clusterPermissions"] for rule in entry["rules"]]
    here = [rule for entry in spec["permissions"] for rule in entry["rules"]]
    place = {"name": MADE, "namespace": namespace}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": place},
        *role("ClusterRole", [*cluster, *here], namespace),
        *role("Role", here, namespace),
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**place, "labels": deployment["label"]},
            "spec": {**deployment["spec"], "replicas": 0},
        },
    ]


def test_the_installer_can_install_the_bundle_and_grant_nothing_else(
    kubectl: Kubectl, namespace: str, installer: str
) -> None:
    (csv,) = load(MANIFESTS / f"{PACKAGE}.clusterserviceversion.yaml")
    made = yaml.safe_dump_all(of_the_csv(csv, namespace))
    kubectl("create", "-f", "-", installer, stdin=made)
    for file in MANIFESTS.iterdir():
        if not file.name.endswith("clusterserviceversion.yaml"):
            options = ("--server-side", "--force-conflicts", "--dry-run=server")
            kubectl("apply", "-f", str(file), "-n", namespace, *options, installer)

    secrets = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    more, _ = role("Role", secrets, namespace)
    more["metadata"] = {"name": "more", "namespace": namespace}
    with pytest.raises(KubectlError, match="attempting to grant RBAC permissions not currently"):
        kubectl("create", "-f", "-", installer, stdin=yaml.safe_dump(more))
