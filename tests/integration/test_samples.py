"""Every sample, as a user applies it: without what it refers to, and with it.

One ansible-playbook takes all samples through a step. On a cluster with Routes or a Gateway
tests/e2e has them; here these samples say what the cluster lacks. The files that routers and
Envoys get are shown to the real vllm-sr and Envoy.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import config
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import contract
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from control_plane import ControlPlane, Kubectl
from e2e.semantic_router import SemanticRouter
from endpoint_slices import endpoint_slice
from examples import SAMPLES, facts, sample
from integration.data_path.certificates import server_side
from integration.data_path.envoy_process import validate
from integration.test_router_contract import VALIDATE, vllm_sr
from playbook import Reconcile

# All samples go through their steps in one fixture.
pytestmark = pytest.mark.timeout(1800)

Outcome = tuple[str, str]

RUNNING = ("Ready", "RouterReady")
ALONE = ("BackendsResolved", "NoBackendsResolved")
NO_GATEWAYS = ("RouteReady", "GatewayApiNotInstalled")
NO_ROUTES = ("RouteReady", "RouteApiMissing")
NO_PROMETHEUS = ("Degraded", "MonitoringApiMissing")

# The condition and its reason without and with backends, Secrets, claims and classes. A sample that
# is not listed waits for its backends alone.
UNUSUAL: dict[str, tuple[Outcome, Outcome]] = {
    "air_gapped": (("Ready", "VolumeClaimNotFound"), RUNNING),
    # A hosted model is there whatever the cluster has.
    "every_field": (("BackendsResolved", "SomeBackendsUnresolved"), NO_PROMETHEUS),
    "every_field.every-field-0-3": (ALONE, NO_ROUTES),
    "every_field.every-field-alone": (ALONE, NO_ROUTES),
    "every_field.every-field-gateway": (NO_GATEWAYS, NO_GATEWAYS),
    "gateway": (NO_GATEWAYS, NO_GATEWAYS),
    "openshift": (ALONE, NO_ROUTES),
    "route": (ALONE, NO_ROUTES),
}


def short(name: str) -> str:
    return name.removeprefix("vllm.ai_v1alpha1_semanticrouter_")


def outcome(name: str, step: int) -> Outcome:
    return UNUSUAL.get(short(name), (ALONE, RUNNING))[step]


def moved(resource: dict[str, Any], namespace: str) -> dict[str, Any]:
    """The sample with everything that it names in this namespace."""
    here = copy.deepcopy(resource)
    here["metadata"]["namespace"] = namespace
    for endpoint in here["spec"].get("vllmEndpoints", []):
        for field in ("service", "selector"):
            found = endpoint["backend"].get(field, {})
            if "namespace" in found:
                found["namespace"] = namespace
    return here


def surroundings(resources: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """What the samples refer to, by kind and name."""
    found = {}
    for resource in resources:
        spec = resource["spec"]
        for endpoint in spec["vllmEndpoints"]:
            backend = endpoint["backend"]
            if backend["type"] == "kserve":
                found["InferenceService", backend["inferenceServiceName"]] = {
                    "apiVersion": "serving.kserve.io/v1beta1",
                    "spec": {"predictor": {}},
                }
                found["Service", f"{backend['inferenceServiceName']}-predictor"] = {
                    "apiVersion": "v1",
                    "spec": {"ports": [{"name": "http", "port": 80}]},
                }
            elif backend["type"] != "external":
                service = backend.get("service", {"name": endpoint["name"], "port": 8321})
                selector = backend.get("selector", {})
                if backend["type"] == "inferencepool":
                    service = {"name": f"{backend['name']}-epp", "port": 9002}
                    picker = {"name": service["name"], "port": {"number": 9002}}
                    found["InferencePool", backend["name"]] = {
                        "apiVersion": "inference.networking.k8s.io/v1",
                        "spec": {"endpointPickerRef": picker},
                    }
                if backend["type"] == "vllmrouter":
                    service = {"name": backend["name"], "port": 80}
                    found["VLLMRouter", backend["name"]] = {
                        "apiVersion": "production-stack.vllm.ai/v1alpha1",
                        "spec": {},
                    }
                labels = backend.get("discoveryLabels", selector.get("labels", {}))
                port = {"name": selector.get("port", "http"), "port": service["port"]}
                found["Service", service["name"]] = {
                    "apiVersion": "v1",
                    "metadata": {"labels": labels},
                    "spec": {"ports": [port]},
                }
                addresses = endpoint_slice(service["name"], service["port"])
                found["EndpointSlice", addresses["metadata"]["name"]] = addresses
        claim = spec.get("persistence", {}).get("existingClaim")
        if claim:
            found["PersistentVolumeClaim", claim] = {
                "apiVersion": "v1",
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
        if "priorityClassName" in spec:
            found["PriorityClass", spec["priorityClassName"]] = {
                "apiVersion": "scheduling.k8s.io/v1",
                "value": 1000,
            }
        if "runtimeClassName" in spec:
            found["RuntimeClass", spec["runtimeClassName"]] = {
                "apiVersion": "node.k8s.io/v1",
                "handler": "nvidia",
            }
    for (kind, name), manifest in found.items():
        manifest["kind"] = kind
        manifest.setdefault("metadata", {})["name"] = name
    return found


@pytest.fixture(scope="module")
def histories(
    kubectl: Kubectl,
    shared_namespace: str,
    control_plane: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """The status of every sample without, and then with, what it refers to."""
    reconcile = Reconcile(tmp_path_factory.mktemp("playbook"), control_plane)
    resources = [moved(found, shared_namespace) for found in SAMPLES.values()]
    routers = [SemanticRouter(kubectl, shared_namespace, resource) for resource in resources]
    needed = surroundings(resources)
    here = f"--namespace={shared_namespace}"
    apply = ("apply", "--validate=strict", here, "--filename=-")

    kubectl(*apply, stdin="\n---\n".join(map(json.dumps, resources)))
    reconcile(routers)
    without = [router.get()["status"] for router in routers]
    kubectl(*apply, stdin="\n---\n".join(map(json.dumps, needed.values())))
    ready = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    for kind, name in needed:
        if kind == "InferenceService":
            kubectl("patch", kind, name, here, "--subresource=status", "--type=merge", "-p", ready)
    # What a device plugin tells of its node, for the sample that wants a GPU.
    device = {"amd.com/gpu": "8"}
    has_it = json.dumps({"status": {"capacity": device, "allocatable": device}})
    for node in kubectl("get", "nodes", "--output=name").split():
        kubectl("patch", node, "--subresource=status", "--type=merge", "-p", has_it)
    reconcile(routers)
    for router in routers:
        kubectl("rollout", "status", f"deployment/{router.name}", here, "--timeout=120s")
    reconcile(routers)
    yield {
        name: [before, router.get()["status"]]
        for name, before, router in zip(SAMPLES, without, routers, strict=True)
    }
    for kind, name in needed:
        if kind in ("PriorityClass", "RuntimeClass"):
            kubectl("delete", kind, name)


def reason(status: dict[str, Any], condition: str) -> str:
    return {found["type"]: found["reason"] for found in status["conditions"]}.get(condition, "")


@pytest.mark.parametrize("name", SAMPLES, ids=short)
def test_a_sample_without_what_it_refers_to_says_what_is_missing(
    histories: dict[str, list[dict[str, Any]]], name: str
) -> None:
    status = histories[name][0]
    condition, expected = outcome(name, 0)
    assert reason(status, condition) == expected, status
    assert status["phase"] != "Running"


@pytest.mark.parametrize("name", SAMPLES, ids=short)
def test_a_sample_with_what_it_refers_to_comes_to_its_end_state(
    histories: dict[str, list[dict[str, Any]]], name: str
) -> None:
    status = histories[name][1]
    condition, expected = outcome(name, 1)
    assert reason(status, condition) == expected, status
    assert (status["phase"] == "Running") is ((condition, expected) == RUNNING), status


def test_every_unusual_sample_exists() -> None:
    assert UNUSUAL.keys() <= {short(name) for name in SAMPLES}


def files(name: str) -> dict[str, str]:
    """The files in the sample's ConfigMaps."""
    router = sample(name)
    maps = config.config_maps(router, facts(router, "kubernetes"))
    return {key: text for found in maps for key, text in found["data"].items()}


@pytest.mark.parametrize("release", sorted(VALIDATE))
def test_the_router_release_accepts_the_configuration_of_every_sample(
    release: str, tmp_path: Path
) -> None:
    names = [name for name in SAMPLES if contract(Router(SAMPLES[name]).spec) == release]
    commands = []
    for name in names:
        file = tmp_path / f"{name}.yaml"
        file.write_text(files(name)["config.yaml"], encoding="utf-8")
        commands.append([*VALIDATE[release], str(file)])
    results = vllm_sr(release, commands)
    assert [
        (name, output) for name, (code, output) in zip(names, results, strict=True) if code
    ] == []


@pytest.mark.parametrize("name", [n for n in SAMPLES if has_envoy(sample(n).spec)], ids=short)
def test_envoy_accepts_the_bootstrap_of_every_sample(name: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    server_side(ca, "issuer.example.com")
    for file, text in files(name).items():
        # What the pod has in its containers.
        here = re.sub(r"/etc/envoy-(ca|backends|jwks)/\S+|/etc/ssl/certs/\S+", str(ca), text)
        (tmp_path / file).write_text(here.replace("/etc/envoy/", f"{tmp_path}/"), encoding="utf-8")
    result = validate(tmp_path / "envoy.yaml")
    assert result.returncode == 0, result.stderr
