"""The least of an object of each kind that a router can own, and CRDs where a cluster has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
    Resource,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from control_plane import envoy_gateway

Manifest = dict[str, Any]

NAME = "my-router"
KINDS = [resource.kind for resource in RESOURCES]

_CONTAINER = {"name": "semantic-router", "image": "example.invalid/router"}
_SELECTOR = {"matchLabels": metadata.selector(NAME)}
_BODIES: dict[str, Manifest] = {
    "ServiceAccount": {},
    "ConfigMap": {"data": {"config.yaml": "threshold: 0.6\n"}},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
    },
    "Service": {"spec": {"selector": metadata.selector(NAME), "ports": [{"port": 80}]}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 1, "selector": _SELECTOR}},
    "NetworkPolicy": {"spec": {"podSelector": _SELECTOR, "policyTypes": ["Ingress"]}},
    "Deployment": {
        "spec": {
            # No pods: what they do is no matter here.
            "replicas": 0,
            "selector": _SELECTOR,
            "template": {
                "metadata": {"labels": metadata.labels(NAME)},
                "spec": {"containers": [_CONTAINER]},
            },
        }
    },
    "HorizontalPodAutoscaler": {
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "maxReplicas": 2,
        }
    },
    "Ingress": {"spec": {"defaultBackend": {"service": {"name": NAME, "port": {"number": 80}}}}},
    "HTTPRoute": {"spec": {"parentRefs": [{"name": "public"}]}},
}


def objects(namespace: str) -> list[Manifest]:
    """One of each kind, those first that are to be written last."""
    return [_object(resource, namespace) for resource in reversed(RESOURCES)]


def crd_files(directory: Path) -> list[Path]:
    """CRDs of the optional kinds: the Gateway API's own, of the others what takes anything."""
    (http_routes,) = (
        file
        for file in envoy_gateway.gateway_api_crd_files()
        if file.name.endswith("_httproutes.yaml")
    )
    stand_ins = [_crd(resource) for resource in RESOURCES if _is_stand_in(resource)]
    file = directory / "stand-ins.yaml"
    file.write_text(yaml.safe_dump_all(stand_ins))
    return [http_routes, file]


def _object(resource: Resource, namespace: str) -> Manifest:
    body = {"spec": {"wanted": "yes"}} if _is_stand_in(resource) else _BODIES[resource.kind]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata.metadata(NAME, namespace, NAME),
        **body,
    }


def _is_stand_in(resource: Resource) -> bool:
    return resource.optional and resource.kind != "HTTPRoute"


def _crd(resource: Resource) -> Manifest:
    group, _, version = resource.api_version.partition("/")
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": resource.kind, "plural": resource.plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                }
            ],
        },
    }
