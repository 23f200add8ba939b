"""What the EnvoyFilter makes of a Gateway of Istio: its patches, on an Envoy with our HTTPRoutes.

Istio itself is not run. The routes are named as it names them and the patches are applied as its
documentation says; whether they mean something is for the real Envoy to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.listener import (
    HTTP_CONNECTION_MANAGER,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    CONTROLLER_ISTIO,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import ext_proc, gateway
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource
from integration.data_path import decisions
from integration.data_path.client import Client, prompt
from integration.data_path.decisions import NO_OPINION
from integration.data_path.envoy_process import free_ports, in_this_machine, running
from integration.data_path.stub_backend import Echo, RouterApi, StubBackend
from integration.data_path.stub_dns import StubDns
from stand_ins.ext_proc import StubRouter

QWEN, LLAMA = "qwen2.5-7b", "meta/llama-3.1-8b"
ROUTER_FILTER = "envoy.filters.http.router"
SERVED = {"gateway.networking.k8s.io": ["v1"], "networking.istio.io": ["v1alpha3"]}


def merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    """As of protocol buffers: lists grow, messages merge, anything else is replaced."""
    for key, value in more.items():
        if isinstance(into.get(key), dict) and isinstance(value, dict):
            merge(into[key], value)
        elif isinstance(into.get(key), list) and isinstance(value, list):
            into[key] += value
        else:
            into[key] = value


def patch(bootstrap: dict[str, Any], envoy_filter: Manifest) -> None:
    (chain,) = bootstrap["static_resources"]["listeners"][0]["filter_chains"]
    (manager,) = chain["filters"]
    (host,) = manager["typed_config"]["route_config"]["virtual_hosts"]
    http_filters = manager["typed_config"]["http_filters"]
    for each in envoy_filter["spec"]["configPatches"]:
        what, value = (each["applyTo"], each["patch"]["operation"]), each["patch"]["value"]
        match = each["match"]
        if what == ("CLUSTER", "ADD"):
            bootstrap["static_resources"]["clusters"].append(value)
            continue
        if what == ("LISTENER", "MERGE"):
            merge(bootstrap["static_resources"]["listeners"][0], value)
            continue
        if what == ("HTTP_ROUTE", "MERGE"):
            wanted = match["routeConfiguration"]["vhost"]["route"]["name"]
            found = [route for route in host["routes"] if route["name"] == wanted]
            assert found, f"no route {wanted}"
            for route in found:
                merge(route, value)
            continue
        wanted = match["listener"]["filterChain"]["filter"]
        assert wanted["name"] == manager["name"]
        if what == ("NETWORK_FILTER", "MERGE"):
            merge(manager, value)
        else:
            assert what == ("HTTP_FILTER", "INSERT_BEFORE")
            names = [http_filter["name"] for http_filter in http_filters]
            http_filters.insert(names.index(wanted["subFilter"]["name"]), value)


def bootstrap(http_routes: list[Manifest], listener: int, admin: int) -> dict[str, Any]:
    """A gateway's Envoy with these HTTPRoutes: longer paths win, then more headers."""
    routes: list[tuple[tuple[bool, int, int], dict[str, Any]]] = []
    clusters = {}
    for http_route in http_routes:
        named = http_route["metadata"]
        for index, rule in enumerate(http_route["spec"]["rules"]):
            (backend,) = rule["backendRefs"]
            address = f"{backend['name']}.{backend['namespace']}.svc"
            clusters[address] = cluster(address, backend["port"])
            for match in rule["matches"]:
                path, headers = match["path"], match.get("headers", [])
                is_exact = path["type"] == "Exact"
                route = {
                    "name": f"{named['namespace']}.{named['name']}.{index}",
                    "match": {
                        "path" if is_exact else "path_separated_prefix": path["value"],
                        "headers": [
                            {"name": found["name"], "string_match": {"exact": found["value"]}}
                            for found in headers
                        ],
                    },
                    "route": {"cluster": address, "timeout": rule["timeouts"]["request"]},
                }
                routes.append(((not is_exact, -len(path["value"]), -len(headers)), route))
    manager = {
        "@type": HTTP_CONNECTION_MANAGER,
        "stat_prefix": "gateway",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [route for _, route in sorted(routes, key=lambda item: item[0])],
                }
            ]
        },
        "http_filters": [
            {
                "name": ROUTER_FILTER,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    connection_manager = "envoy.filters.network.http_connection_manager"
    chain = {"filters": [{"name": connection_manager, "typed_config": manager}]}
    return {
        "admin": {"address": socket(admin)},
        "static_resources": {
            "listeners": [
                {"name": "gateway", "address": socket(listener), "filter_chains": [chain]}
            ],
            "clusters": list(clusters.values()),
        },
    }


def socket(port: int, address: str = "127.0.0.1") -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def cluster(address: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": socket(port, address)}}
    load = {"cluster_name": address, "endpoints": [{"lb_endpoints": [endpoint]}]}
    return {"name": address, "type": "STRICT_DNS", "load_assignment": load}


@dataclass
class DataPath(Client):
    router: StubRouter
    api: RouterApi
    backends: list[StubBackend]


@pytest.fixture(params=[True], ids=["router up"])
def data_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataPath]:
    """`False` leaves ext_proc's port without a listener."""
    with ExitStack() as stack:
        qwen = stack.enter_context(Echo("qwen", "127.0.0.2", models=[QWEN]))
        llama = stack.enter_context(StubBackend("llama", "127.0.0.3", models=[LLAMA]))
        api = stack.enter_context(RouterApi("api", "127.0.0.4"))
        listener, admin, port = free_ports(3)
        names = {
            "qwen.models.svc": [qwen.address],
            "llama.models.svc": [llama.address],
            "my-router.default.svc": [api.address],
            "my-router-headless.default.svc": ["127.0.0.1"],
        }
        dns = stack.enter_context(StubDns(names))
        router = Router(
            resource(
                config=decisions.config((QWEN, QWEN), (QWEN,)),
                gateway={
                    "existingRef": {"name": "public", "namespace": "default"},
                    "extProc": True,
                },
                service={"api": {"port": api.port}, "grpc": {"targetPort": port}},
                vllmEndpoints=[entry("qwen", QWEN, qwen.port), entry("llama", LLAMA, llama.port)],
            )
        )
        rendered = router_config.render(router, found(router))
        stub_router = StubRouter(rendered, "0.4", port)
        if request.param:
            stack.enter_context(stub_router)
        built = bootstrap(gateway.http_routes(router, found(router)), listener, admin)
        (envoy_filter,) = ext_proc.ext_proc_attachment(router, found(router))
        patch(built, envoy_filter)
        stack.enter_context(running(in_this_machine(built, {}, dns.port), tmp_path))
        yield DataPath(listener, stub_router, api, [qwen, llama])


def entry(name: str, model: str, port: int) -> dict[str, Any]:
    service = {"name": name, "namespace": "models", "port": port}
    return {"name": name, "model": model, "backend": {"type": "service", "service": service}}


def found(router: Router) -> Facts:
    return replace(
        facts(router, "kubernetes"),
        capabilities=SERVED,
        gateway={"found": True, "controller": CONTROLLER_ISTIO},
    )


def test_a_gateway_of_istio_takes_each_request_where_the_router_says(data_path: DataPath) -> None:
    assert data_path.served_by(QWEN) == "qwen"
    assert data_path.served_by(LLAMA, x_selected_model=QWEN) == "llama"

    # What no client may send is gone before the router or a route sees it.
    internal = {"x-selected-model": LLAMA, "x-vsr-looper-request": "1", "x-authz-user-id": "root"}
    answer = data_path.ask(body=prompt(LLAMA), headers={**internal, **NO_OPINION})
    # The default model's backend, which does not have the model that the body names.
    assert answer.status == 404
    for seen in (data_path.router.seen[-1], data_path.backends[0].calls[-1].headers):
        assert not internal.keys() & seen.keys()

    image = "x" * (8 * 1024 * 1024)
    big = data_path.chat(QWEN, image)
    assert big.status == 200
    assert len(big.json["echo"]) > len(image)

    asked = len(data_path.router.seen)
    assert data_path.ask("/v1/models").json["path"] == "/v1/models"
    assert data_path.ask("/api/v1/classify/intent", {}).status == 200
    assert len(data_path.router.seen) == asked, "the router's own API is not asked about"
    assert data_path.ask("/config/router").status == 404


@pytest.mark.parametrize("data_path", [False], indirect=True, ids=["router down"])
def test_requests_to_models_fail_while_the_router_is_down(data_path: DataPath) -> None:
    assert data_path.chat(QWEN).status == 503
    assert not any(backend.calls for backend in data_path.backends)
    assert data_path.ask("/v1/models").status == 200
