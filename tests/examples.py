"""SemanticRouters to build from, and facts that never change: no cluster is asked."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import (
    BackendReading,
    endpoint,
    endpoint_entries,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_ENVOY_GATEWAY,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.backend_kinds import (
    kind_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

PLATFORMS = ("kubernetes", "openshift")
SAMPLES_DIRECTORY = Path(__file__).parents[1] / "config" / "samples"
SAMPLE_FILES = [
    path for path in sorted(SAMPLES_DIRECTORY.glob("*.yaml")) if path.name != "kustomization.yaml"
]

LLAMA_STACK_PORT = 8321
_CAPABILITIES = {
    "gateway.networking.k8s.io": ["v1"],
    "gateway.envoyproxy.io": ["v1alpha1"],
    "monitoring.coreos.com": ["v1"],
}


def resource(**spec: Any) -> dict[str, Any]:
    """A SemanticRouter named my-router, as a file would hold it."""
    return {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "namespace": "default"},
        "spec": spec,
    }


def router(**spec: Any) -> Router:
    """What builders get for such a file."""
    return Router(resource(**spec))


def sample_documents(stem: str) -> list[dict[str, Any]]:
    """The SemanticRouters in a file of config/samples."""
    text = (SAMPLES_DIRECTORY / f"{stem}.yaml").read_text(encoding="utf-8")
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


def _samples() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in SAMPLE_FILES:
        first, *more = sample_documents(path.stem)
        yield path.stem, first
        yield from ((f"{path.stem}.{other['metadata']['name']}", other) for other in more)


# By file name; further documents of a file by their own name too.
SAMPLES = dict(_samples())


def sample(name: str) -> Router:
    """A SemanticRouter of config/samples."""
    return Router(deepcopy(SAMPLES[name]))


def facts(found: Router, platform: str) -> Facts:
    """A cluster that has everything the router asks for."""
    return Facts(
        platform=platform,
        capabilities=_CAPABILITIES,
        gateway=_gateway(found),
        endpoints=[_endpoint(entry, found.namespace) for entry in endpoint_entries(found)],
    )


def _gateway(found: Router) -> dict[str, Any]:
    """A Gateway of Envoy Gateway that takes every route."""
    if not is_gateway_mode(found.spec):
        return {}
    listener = {"name": "http", "allows": True, "why": ""}
    return {
        "found": True,
        "controller": CONTROLLER_ENVOY_GATEWAY,
        "listeners": [listener],
    }


def _endpoint(entry: dict[str, Any], namespace: str) -> Endpoint:
    backend = entry["backend"]
    if backend["type"] == "external" or kind_of(entry).field not in backend:
        return endpoint(namespace, entry, BackendReading(), {}, [])
    if backend["type"] == "kserve":
        service, port, scheme = f"{backend['inferenceServiceName']}-predictor", 8443, "https"
    elif backend["type"] in ("llamastack", "selector"):
        service, port, scheme = f"{entry['name']}-found", LLAMA_STACK_PORT, "http"
    elif backend["type"] == "llminferenceservice":
        service, port, scheme = f"{backend['name']}-kserve-workload-svc", 8000, "https"
    elif backend["type"] == "inferencepool":
        service, port, scheme = f"{backend['name']}-epp", 9002, backend["pickerScheme"]
    elif backend["type"] in ("vllmrouter", "vllmruntime"):
        service, port, scheme = backend["name"], 80, "http"
    else:
        wanted = backend["service"]
        service, port = wanted["name"], wanted["port"]
        scheme = wanted.get("scheme", "https" if backend.get("tls") else "http")
        namespace = wanted.get("namespace") or namespace
    return Endpoint(
        name=entry["name"],
        model=entry["model"],
        weight=entry["weight"],
        service=service,
        namespace=namespace,
        port=port,
        scheme=scheme,
        ready=True,
        pool=backend["name"] if backend["type"] == "inferencepool" else "",
    )
