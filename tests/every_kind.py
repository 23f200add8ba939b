"""The least of an object of each kind that a router can own."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
    Resource,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata

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
    "BackendTLSPolicy": {
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": NAME}],
            "validation": {"hostname": "models.example.com", "wellKnownCACertificates": "System"},
        }
    },
}


def objects(namespace: str) -> list[Manifest]:
    """One of each kind, those first that are to be written last."""
    return [_object(resource, namespace) for resource in reversed(RESOURCES)]


def _object(resource: Resource, namespace: str) -> Manifest:
    body = {"spec": {"wanted": "yes"}} if is_stand_in(resource) else _BODIES[resource.kind]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata.metadata(NAME, namespace, NAME),
        **body,
    }


def is_stand_in(resource: Resource) -> bool:
    """Its object asks for nothing that its real API knows."""
    return resource.optional and resource.kind not in _BODIES
