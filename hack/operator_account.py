"""The operator's ServiceAccount on a control plane, with what config/default grants it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import kustomize
import yaml
from control_plane import ControlPlane, Kubectl, audit

NAMESPACE = "semantic-router-operator-system"
SERVICE_ACCOUNT = "semantic-router-operator-controller-manager"
USER = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"


def environment(plane: ControlPlane) -> Mapping[str, str]:
    """As `plane.env`, but as the ServiceAccount, which the first call creates."""
    kubeconfig = plane.state_dir / "operator.kubeconfig"
    if not kubeconfig.exists():
        kubectl = Kubectl(plane.kubectl, plane.env)
        kubectl("apply", "--server-side", "-f", "-", stdin=without_pods(plane.kubectl))
        write_kubeconfig(plane, kubeconfig, NAMESPACE)
    return {**plane.env, "KUBECONFIG": str(kubeconfig), "K8S_AUTH_KUBECONFIG": str(kubeconfig)}


def without_pods(kubectl: Path) -> str:
    """config/default without the Deployment: a process of the test takes its place."""
    objects = list(yaml.safe_load_all(kustomize.build(kubectl, "default")))
    wanted = [item for item in objects if item["kind"] not in ("Deployment", "Service")]
    return yaml.safe_dump_all(wanted)


def write_kubeconfig(plane: ControlPlane, path: Path, namespace: str) -> None:
    """With a token for the ServiceAccount of `namespace`, as a pod has one, for a day."""
    kubectl = Kubectl(plane.kubectl, plane.env)
    token = kubectl("create", "token", SERVICE_ACCOUNT, "-n", namespace, "--duration=24h").strip()
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config))


def refused(plane: ControlPlane) -> list[audit.Request]:
    """What the operator asked for without the right to."""
    requests = audit.requests(plane.audit_log)
    return [request for request in requests if request.user == USER and not request.authorized]
