"""One Envoy on what the operator renders, and stubs for all that is around it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.upstream_tls import (
    ENVOY_DIRECTORY,
    secret_files,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_KUBERNETES,
    Endpoint,
    Facts,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    envoy_container,
    router_container,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import (
    PodPorts,
    pod_ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from integration.data_path import real_router
from integration.data_path.client import Client
from integration.data_path.envoy_process import (
    EnvoyProcess,
    elsewhere,
    free_ports,
    in_this_machine,
    running,
)
from integration.data_path.real_router import RealRouter
from integration.data_path.stub_backend import RouterApi, StubBackend
from integration.data_path.stub_dns import StubDns
from stand_ins.ext_proc import StubRouter


def hosted(name: str, model: str, host: str, port: int) -> Endpoint:
    """A model of somebody else's, with TLS."""
    return Endpoint(name, model, 1, "", "", port, "https", ready=True, server_name=host)


def endpoint(name: str, model: str, port: int, weight: int = 1, scheme: str = "http") -> Endpoint:
    """Without a port it has not been found."""
    service, namespace = (name, "models") if port else ("", "")
    return Endpoint(name, model, weight, service, namespace, port, scheme, ready=bool(port))


@dataclass
class DataPath(Client):
    """looper: the port of the router's own way in."""

    router: StubRouter | RealRouter
    api: RouterApi
    dns: StubDns
    envoy: EnvoyProcess
    ports: PodPorts
    resource: Router

    @property
    def looper(self) -> Client:
        """A client that only something in the pod can be."""
        return Client(self.ports.looper)


def start(
    stack: ExitStack,
    directory: Path,
    endpoints: Sequence[Endpoint],
    addresses: dict[str, list[str]],
    *,
    router_is_up: bool = True,
    config: dict[str, Any] | None = None,
    loras: dict[str, list[str]] | None = None,
    door: dict[str, Any] | None = None,
    tools: Sequence[dict[str, Any]] = (),
    directories: dict[str, Path] | None = None,
    tls: dict[str, dict[str, Any]] | None = None,
    platform: str = PLATFORM_KUBERNETES,
    policy: dict[str, Any] | None = None,
    egress_proxy: dict[str, Any] | None = None,
    **envoy: Any,
) -> DataPath:
    """Everything up, until the stack is closed.

    addresses: of the endpoints, by name or host; changed at any time in what is returned.
    router_is_up: False leaves ext_proc's port without a listener.
    loras: adapters, by the endpoint that has them.
    door: spec.auth and spec.cors.
    tools: spec.toolsDb.
    directories: where what is mounted into Envoy's container, or part of its image, is here.
    tls: backend.tls, by the endpoint that has it.
    policy: trafficPolicy of the first endpoint, and so of its model.
    egress_proxy: spec.egressProxy.
    envoy: spec.envoy.
    """
    listener, grpc, metrics, admin, looper, told, *behind = free_ports(8)
    contract = {"contract": real_router.CONTRACT} if real_router.PROGRAM else {}
    resource = Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "default"},
            "spec": {
                "service": {
                    "api": {"targetPort": listener},
                    "grpc": {"targetPort": grpc},
                    "metrics": {"targetPort": metrics},
                },
                "envoy": envoy,
                **(door or {}),
                **({"toolsDb": [*tools]} if tools else {}),
                "config": {**contract, **(config or {})},
                **({"egressProxy": egress_proxy} if egress_proxy else {}),
                "vllmEndpoints": [
                    _entry(each, (loras or {}).get(each.name, []), (tls or {}).get(each.name))
                    | ({"trafficPolicy": policy} if policy and each is endpoints[0] else {})
                    for each in endpoints
                ],
            },
        }
    )
    facts = Facts(platform=platform, endpoints=list(endpoints))
    problems = [item for item in router_config.problems(resource, facts) if item.blocking]
    assert not problems, problems
    rendered = pod_ports(resource.spec)
    config_yaml = router_config.render(resource, facts)
    moved = {rendered.admin: admin, rendered.looper: looper, rendered.told: told}
    settings = config_yaml["global"]["integrations"]["looper"]
    if "endpoint" in settings:
        settings["endpoint"] = settings["endpoint"].replace(str(rendered.looper), str(looper))
    router = _router(resource, facts, config_yaml, (grpc, *behind), directory)
    if router_is_up:
        stack.enter_context(router)
    api = stack.enter_context(RouterApi("api", "127.0.0.1"))
    dns = stack.enter_context(
        StubDns(
            {
                name if "." in name else f"{name}.models.svc": found
                for name, found in addresses.items()
            }
        )
    )
    here = in_this_machine(
        bootstrap(resource, facts),
        {**moved, rendered.api: api.port},
        dns.port,
        {**(directories or {}), f"{ENVOY_DIRECTORY}/": f"{directory}/"},
    )
    for name, content in secret_files(resource, facts).items():
        (directory / name).write_text(yaml.safe_dump(elsewhere(content, directories or {})))
    arguments = envoy_container(resource, facts)["args"]
    process = stack.enter_context(running(here, directory, arguments))
    ports = PodPorts(listener, api.port, grpc, metrics, admin, looper, told)
    return DataPath(listener, router, api, dns, process, ports, resource)


def _router(
    resource: Router,
    facts: Facts,
    config_yaml: dict[str, Any],
    ports: Sequence[int],
    directory: Path,
) -> StubRouter | RealRouter:
    contract = router_config.contract(resource.spec)
    if not real_router.PROGRAM:
        return StubRouter(config_yaml, contract, ports[0])
    if contract != real_router.CONTRACT:
        pytest.skip(f"ROUTER_BIN is a router of contract {real_router.CONTRACT}")
    tools_json = json.dumps(router_config.tools_database(resource.spec))
    arguments = router_container(resource, facts)["args"]
    return RealRouter(config_yaml, tools_json, ports, arguments, directory)


def _entry(each: Endpoint, loras: list[str], tls: dict[str, Any] | None) -> dict[str, Any]:
    backend: dict[str, Any] = {
        "type": "service",
        "service": {"name": each.name, "port": each.port or 1},
    }
    if each.is_outside:
        external = {
            "url": f"https://{each.host}:{each.port}/api/v1",
            "apiKeySecretRef": {"name": each.name, "key": "token"},
        }
        backend = {"type": "external", "external": external}
    if tls:
        backend["tls"] = tls
    return {
        "name": each.name,
        "model": each.model,
        "weight": each.weight,
        "backend": backend,
        **({"loras": [{"name": lora} for lora in loras]} if loras else {}),
    }


def serving(stack: ExitStack, *backends: StubBackend) -> None:
    """Start them."""
    for backend in backends:
        stack.enter_context(backend)
