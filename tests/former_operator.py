"""What upstream's operator in Go leaves of a router: its objects, as that one writes them.

It creates and updates objects under the name "manager", puts a finalizer on its SemanticRouters and
no label on anything.
"""

from __future__ import annotations

import json
from typing import Any

from control_plane import Kubectl

FINALIZER = "semanticrouter.vllm.ai/finalizer"
AS_MANAGER = "--field-manager=manager"
ENVOY_PORT = 8801

Manifest = dict[str, Any]


class FormerOperator:
    """Of one router."""

    def __init__(self, kubectl: Kubectl, namespace: str, name: str, replicas: int) -> None:
        self._kubectl = kubectl
        self._namespace = f"--namespace={namespace}"
        self._name = name
        self._replicas = replicas

    def create(self, uid: str) -> None:
        """Everything, owned by the SemanticRouter of this uid."""
        manifests = {"apiVersion": "v1", "kind": "List", "items": self._objects(uid)}
        self("create", AS_MANAGER, "--filename=-", stdin=json.dumps(manifests))

    def update(self, uid: str) -> None:
        """Everything that may change, over what another operator has made of it."""
        for manifest in self._objects(uid):
            if manifest["kind"] in ("Service", "Deployment", "ConfigMap"):
                self._update(manifest)
        self._mark()

    def _mark(self) -> None:
        live = self._read("semanticrouter", self._name)
        live["metadata"].setdefault("finalizers", []).append(FINALIZER)
        self("replace", AS_MANAGER, "--filename=-", stdin=json.dumps(live))

    def _update(self, wanted: Manifest) -> None:
        live = self._read(wanted["kind"], wanted["metadata"]["name"])
        if wanted["kind"] == "Service":
            live["spec"]["ports"] = wanted["spec"]["ports"]
        else:
            live |= {key: wanted[key] for key in ("spec", "data") if key in wanted}
        self("replace", AS_MANAGER, "--filename=-", stdin=json.dumps(live))

    def _read(self, kind: str, name: str) -> Manifest:
        found: Manifest = json.loads(self("get", kind, name, "--output=json"))
        return found

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        return self._kubectl(self._namespace, *arguments, stdin=stdin)

    def _objects(self, uid: str) -> list[Manifest]:
        name = self._name
        selector = {
            "app.kubernetes.io/name": "semantic-router",
            "app.kubernetes.io/instance": name,
        }
        owner = {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "name": name,
            "uid": uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

        def made(version: str, kind: str, suffix: str = "", **body: Any) -> Manifest:
            metadata = {"name": name + suffix, "ownerReferences": [owner]}
            return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}

        return [
            made("v1", "ServiceAccount"),
            made("v1", "ConfigMap", "-config", data={"config.yaml": "version: v0.3\n"}),
            made("v1", "ConfigMap", "-envoy-config", data={"envoy.yaml": "static_resources: {}\n"}),
            made(
                "v1",
                "PersistentVolumeClaim",
                "-models",
                spec={
                    "accessModes": ["ReadWriteOnce"],
                    "storageClassName": "standard",
                    "resources": {"requests": {"storage": "10Gi"}},
                },
            ),
            made("v1", "Service", spec={"selector": selector, "ports": _service_ports()}),
            made(
                "apps/v1",
                "Deployment",
                spec={
                    "replicas": self._replicas,
                    "selector": {"matchLabels": selector},
                    "template": {"metadata": {"labels": selector}, "spec": _pod(name)},
                },
            ),
        ]


def _service_ports() -> list[Manifest]:
    ports = {"grpc": 50051, "api": 8080, "envoy-http": ENVOY_PORT, "metrics": 9190}
    return [{"name": name, "port": port, "targetPort": port} for name, port in ports.items()]


def _pod(name: str) -> Manifest:
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 1000,
    }
    router = {
        "name": "semantic-router",
        "image": "ghcr.io/vllm-project/semantic-router/extproc:latest",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": restricted,
        "env": [{"name": "ONLY_THEIRS", "value": "yes"}],
        "ports": [
            {"name": "grpc", "containerPort": 50051},
            {"name": "metrics", "containerPort": 9190},
            {"name": "api", "containerPort": 8080},
        ],
        "startupProbe": {"tcpSocket": {"port": 50051}, "failureThreshold": 360},
        "livenessProbe": {"tcpSocket": {"port": 50051}, "initialDelaySeconds": 30},
        "volumeMounts": [
            # Hides what the image has there.
            {"name": "config-volume", "mountPath": "/app/config", "readOnly": True},
            {"name": "var-log", "mountPath": "/var/log"},
            {"name": "models-volume", "mountPath": "/app/models"},
        ],
    }
    envoy = {
        "name": "envoy-proxy",
        "image": "envoyproxy/envoy:v1.35.3",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": restricted,
        "command": ["/usr/local/bin/envoy"],
        "args": ["-c", "/etc/envoy/envoy.yaml"],
        "ports": [{"name": "envoy-http", "containerPort": ENVOY_PORT}],
        # Of another kind than ours, and a container may have one only.
        "livenessProbe": {"tcpSocket": {"port": ENVOY_PORT}, "periodSeconds": 30},
        "readinessProbe": {"tcpSocket": {"port": ENVOY_PORT}},
        "volumeMounts": [{"name": "envoy-config-volume", "mountPath": "/etc/envoy"}],
    }
    directories = {
        "name": "setup-dirs",
        "image": "registry.access.redhat.com/ubi9/ubi-minimal:latest",
        "command": ["sh", "-c", "mkdir -p /var/log/supervisor"],
        "volumeMounts": [{"name": "var-log", "mountPath": "/var/log"}],
    }
    return {
        "serviceAccountName": name,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
        "initContainers": [directories],
        "containers": [router, envoy],
        "volumes": [
            {"name": "config-volume", "configMap": {"name": f"{name}-config"}},
            {"name": "var-log", "emptyDir": {}},
            {"name": "envoy-config-volume", "configMap": {"name": f"{name}-envoy-config"}},
            {"name": "models-volume", "persistentVolumeClaim": {"claimName": f"{name}-models"}},
        ],
    }
