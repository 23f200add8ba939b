"""The samples and the document's example of gateway mode, with and without the Gateway they name.

Envoy Gateway says what becomes of their HTTPRoutes. All go through their steps in one fixture.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_plane import ControlPlane, Kubectl
from control_plane.process import Process
from documents import DOCUMENT, document
from e2e.gateway.gateways import create_gateway, publish
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter
from e2e.shell import Shell
from examples import SAMPLES
from guide import PAGES, commands
from integration.test_samples import moved, surroundings

Status = dict[str, Any]

EXAMPLE = next(path for path in DOCUMENT if path.stem == "gateway-integration-mode")
GATEWAY_SAMPLES = [
    resource
    for resource in SAMPLES.values()
    if resource["spec"].get("gateway", {}).get("existingRef")
]


@pytest.fixture(scope="module")
def routers(
    operator: Operator, real_controller: Process, kubectl: Kubectl, shared_namespace: str
) -> list[SemanticRouter]:
    """Not applied yet; what they refer to is there, except for the Gateways."""
    example = document(EXAMPLE)
    example["metadata"]["name"] = "my-router"
    backend = {"type": "service", "service": {"name": "vllm-qwen", "port": 8000}}
    example["spec"]["vllmEndpoints"] = [{"name": "qwen", "model": "qwen2.5-7b", "backend": backend}]
    example["spec"]["persistence"] = {"enabled": False}
    resources = [moved(found, shared_namespace) for found in (*GATEWAY_SAMPLES, example)]
    needed = surroundings(resources)
    here = f"--namespace={shared_namespace}"
    kubectl("apply", here, "-f", "-", stdin="\n---\n".join(map(json.dumps, needed.values())))
    ready = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    for kind, name in needed:
        if kind == "InferenceService":
            kubectl("patch", kind, name, here, "--subresource=status", "--type=merge", "-p", ready)
    return [SemanticRouter(kubectl, shared_namespace, resource) for resource in resources]


@pytest.fixture(scope="module")
def histories(
    routers: list[SemanticRouter], kubectl: Kubectl
) -> Iterator[dict[str, tuple[Status, Status]]]:
    """The status of each router without, and then with, its Gateway."""
    for router in routers:
        router.apply()
    for router in routers:
        router.wait_for("Ready")
        publish(router, f"{router.name}-headless", "grpc", "router.example.com", 50051)
        router.wait_for_phase("Degraded")
    without = [router.get()["status"] for router in routers]
    references = [router.spec["gateway"]["existingRef"] for router in routers]
    gateways = {(found["namespace"], found["name"]) for found in references}
    for namespace, name in gateways:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
        everyone = {"from": "All"}
        create_gateway(routers[0], "eg", namespace, name=name, namespaces=everyone)
    for router in routers:
        router.wait_for("RouteReady")
        router.wait_for_phase("Running")
    yield {
        router.name: (before, router.get()["status"])
        for router, before in zip(routers, without, strict=True)
    }
    # The namespaces stay: another engine's turn would have to wait for their end.
    for namespace, name in gateways:
        kubectl("delete", "gateway", name, "-n", namespace)


def route_ready(status: Status) -> str:
    (found,) = (item for item in status["conditions"] if item["type"] == "RouteReady")
    return str(found["reason"])


def test_without_its_gateway_a_router_says_so_and_comes_up_all_the_same(
    histories: dict[str, tuple[Status, Status]],
) -> None:
    assert len(histories) > len(GATEWAY_SAMPLES) > 1
    assert {route_ready(before) for before, _ in histories.values()} == {"GatewayNotFound"}


def test_with_its_gateway_a_router_runs_and_its_route_is_accepted(
    histories: dict[str, tuple[Status, Status]],
) -> None:
    assert {route_ready(after) for _, after in histories.values()} == {"HTTPRouteAccepted"}
    assert {after["gatewayMode"] for _, after in histories.values()} == {"gateway-integration"}


def test_the_guides_commands_about_a_gateway_show_what_they_should(
    histories: dict[str, tuple[Status, Status]],
    control_plane: ControlPlane,
    shared_namespace: str,
    tmp_path: Path,
) -> None:
    page = next(page for page in PAGES if page.name == "deployment-modes.md")
    shell = Shell(tmp_path, control_plane, shared_namespace)
    gateway, routes, listeners, mode = (shell(command) for command in commands(page))
    assert gateway.splitlines()[1].split()[:2] == ["istio-ingressgateway", "eg"]
    assert [line.split()[0] for line in routes.splitlines()[1:]] == ["my-router"]
    assert "listeners:" in listeners
    assert "from: All" in listeners
    assert mode == "gateway-integration"
