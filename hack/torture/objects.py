"""The objects of a router as campaigns compare them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

from torture.ground import Ground, Manifest

KINDS = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Ingress": "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}
FIELD_MANAGER = "semantic-router-operator"
# The API server's and the controllers' own; a hash is of text that has the router's name in it.
_NOT_COMPARED = frozenset(
    {
        *("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "status"),
        *("clusterIP", "clusterIPs", "nodePort", "healthCheckNodePort", "volumeName", "finalizers"),
        *("vllm.ai/applied-hash", "deployment.kubernetes.io/revision"),
        # Of a router that was autoscaled once: docs/adr/0010-autoscaler-handover.md.
        "vllm.ai/replicas-set-aside",
    }
)
# Its uid is a hash of the router's name.
_DASHBOARD = re.compile(r"sr-[0-9a-f]{32}")
# Of a ConfigMap whose content has changed since the router was new.
_REVISION = re.compile(r"(-config)-[0-9a-f]{16}\b")


def owned(ground: Ground, namespace: str) -> dict[str, dict[str, Manifest]]:
    """By router, and by kind and name; only what has a controller that is a SemanticRouter."""
    found: dict[str, dict[str, Manifest]] = {}
    for kind, path in KINDS.items():
        for item in ground.api("GET", path.format(namespace))["items"]:
            labels = item["metadata"].get("labels") or {}
            router = labels.get("app.kubernetes.io/instance", "")
            found.setdefault(router, {})[f"{kind}/{item['metadata']['name']}"] = {
                **item,
                "kind": kind,
            }
    return found


def path_of(namespace: str, key: str) -> str:
    kind, _, name = key.partition("/")
    return f"{KINDS[kind].format(namespace)}/{name}"


def compared(objects: Mapping[str, Manifest], router: str = "") -> dict[str, Any]:
    """Without what differs between any two; with `router`, without its name as well, and without
    what has only happened to it: of its ConfigMaps those that new pods mount, by their plain names.
    """
    chosen = in_effect(objects) if router else objects
    found = {key: _kept(item) for key, item in chosen.items()}
    if router:
        text = json.dumps(found, sort_keys=True).replace(router, "ROUTER")
        found = json.loads(plain(_DASHBOARD.sub("DASHBOARD", text)))
    return found


def plain(text: str) -> str:
    """With the first name of each ConfigMap whose content has changed since."""
    return _REVISION.sub(r"\1", text)


def in_effect(objects: Mapping[str, Manifest]) -> dict[str, Manifest]:
    """Without the ConfigMaps of older pods, and the copy for people of what the new ones mount."""
    names = {
        str(volume["configMap"]["name"])
        for item in objects.values()
        if item["kind"] == "Deployment"
        for volume in item["spec"]["template"]["spec"].get("volumes") or []
        if "configMap" in volume
    }
    first = {plain(name) for name in names}
    return {
        key: item
        for key, item in objects.items()
        if item["kind"] != "ConfigMap"
        or item["metadata"]["name"] in names
        or plain(item["metadata"]["name"]) not in first
    }


def differences(one: Any, other: Any, place: str = "") -> Iterator[str]:
    """Where two of them differ, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{place}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{place}[{index}]")
    elif one != other:
        yield f"{place}: {str(one)[:160]} / {str(other)[:160]}"


def pointer(place: Path) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)


def _kept(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {
            key: "(hash)" if "hash" in key.lower() or "checksum" in key.lower() else _kept(item)
            for key, item in value.items()
            if key not in _NOT_COMPARED
        }
        # The last annotation that is not compared may be gone, and the map with it.
        return {key: item for key, item in kept.items() if key != "annotations" or item}
    return [_kept(item) for item in value] if isinstance(value, list) else value
