"""What makes a Gateway ask the router about each model request, in the words of its controller."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, gateways
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    gateway,
    networking,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.ext_proc import (
    ext_proc_attachment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource

REFERENCE = {"name": "public", "namespace": "default"}
EVERY_API = {
    "gateway.networking.k8s.io": ["v1"],
    **{api.group: [api.version] for api in gateways.ATTACHMENTS.values()},
}
MANY = ["my-router-models", *(f"my-router-models-{number}" for number in range(2, 14))]


def asking(models: int = 1, gateway: dict[str, Any] | None = None, **spec: Any) -> Router:
    endpoints = [
        {
            "name": f"n{number}",
            "model": f"model-{number}",
            "backend": {"type": "service", "service": {"name": "vllm", "port": 8000}},
        }
        for number in range(models)
    ]
    wanted = {"existingRef": REFERENCE, "extProc": True, **(gateway or {})}
    return Router(resource(gateway=wanted, vllmEndpoints=endpoints, **spec))


def of(controller: str, router: Router) -> Facts:
    known = {"found": True, "controller": controller}
    return replace(facts(router, "kubernetes"), capabilities=EVERY_API, gateway=known)


def attached(controller: str, router: Router) -> dict[str, Manifest]:
    return {made["kind"]: made for made in ext_proc_attachment(router, of(controller, router))}


def targets(policy: Manifest) -> list[str]:
    return [target["name"] for target in policy["spec"]["targetRefs"]]


def test_standalone_mode_attaches_nothing() -> None:
    router = Router(resource())
    assert ext_proc_attachment(router, facts(router, "kubernetes")) == []


@pytest.mark.parametrize("controller", gateways.ATTACHMENTS)
def test_every_controller_is_told_by_kinds_that_its_api_has(controller: str) -> None:
    made = attached(controller, asking())
    assert made
    assert {item["apiVersion"] for item in made.values()} == {str(gateways.ATTACHMENTS[controller])}


@pytest.mark.parametrize("controller", gateways.ATTACHMENTS)
@pytest.mark.parametrize("fails_open", [False, True])
def test_whether_a_request_goes_on_without_the_router_is_the_users_choice(
    controller: str, fails_open: bool
) -> None:
    text = str(attached(controller, asking(envoy={"failureModeAllow": fails_open})))
    said = {
        True: ("'failOpen': True", "'failureMode': 'FailOpen'", "'failure_mode_allow': True"),
        False: ("'failOpen': False", "'failureMode': 'FailClosed'", "'failure_mode_allow': False"),
    }
    assert [word for word in said[fails_open] if word in text]
    assert not [word for word in said[not fails_open] if word in text]


@pytest.mark.parametrize("controller", gateways.ATTACHMENTS)
def test_each_pod_is_asked_by_its_own_address(controller: str) -> None:
    router = asking(service={"grpc": {"port": 1, "targetPort": 50052}})
    text = str(attached(controller, router))
    assert "my-router-headless" in text
    assert "50052" in text


@pytest.mark.parametrize(
    "controller", [gateways.CONTROLLER_ENVOY_GATEWAY, gateways.CONTROLLER_KGATEWAY]
)
def test_policies_for_routes_name_those_of_all_models_and_no_other(controller: str) -> None:
    made = attached(controller, asking(models=200))
    policies = [each for each in made.values() if "targetRefs" in each["spec"]]
    assert policies
    assert all(targets(policy) == MANY for policy in policies)


@pytest.mark.parametrize("controller", gateways.ATTACHMENTS)
def test_what_is_attached_is_what_a_verdict_is_expected_of(controller: str) -> None:
    router = asking()
    made = {
        (item["kind"], item["metadata"]["name"]) for item in attached(controller, router).values()
    }
    expected = {
        (policy.kind, policy.name) for policy in gateways.policies(router, of(controller, router))
    }
    silent = {("GatewayExtension", "my-router"), ("EnvoyFilter", "my-router")}
    assert made - silent == expected


def test_envoy_gateway_asks_the_router_about_the_models_route_only() -> None:
    policy = attached(gateways.CONTROLLER_ENVOY_GATEWAY, asking())["EnvoyExtensionPolicy"]
    assert targets(policy) == ["my-router-models"]
    (ext_proc,) = policy["spec"]["extProc"]
    assert ext_proc["backendRefs"][0]["name"] == "my-router-headless"


def test_istio_asks_the_router_and_drops_what_no_client_may_send() -> None:
    envoy_filter = attached(gateways.CONTROLLER_ISTIO, asking())["EnvoyFilter"]
    patches = envoy_filter["spec"]["configPatches"]
    by_target = {patch["applyTo"]: patch["patch"]["value"] for patch in patches}
    ext_proc = by_target["HTTP_FILTER"]["typed_config"]
    assert ext_proc["failure_mode_allow"] is False
    used = ext_proc["grpc_service"]["envoy_grpc"]["cluster_name"]
    assert (
        used
        == by_target["CLUSTER"]["name"]
        == by_target["CLUSTER"]["load_assignment"]["cluster_name"]
    )
    assert "x-selected-model" in str(by_target["NETWORK_FILTER"])
    assert by_target["LISTENER"] == {"per_connection_buffer_limit_bytes": 32 * 1024 * 1024}
    labels = envoy_filter["spec"]["workloadSelector"]["labels"]
    assert labels == {"gateway.networking.k8s.io/gateway-name": "public"}


def test_istio_leaves_the_routers_own_api_alone() -> None:
    router = asking()
    found = of(gateways.CONTROLLER_ISTIO, router)
    (envoy_filter,) = ext_proc_attachment(router, found)
    spared = [
        patch["match"]["routeConfiguration"]["vhost"]["route"]["name"]
        for patch in envoy_filter["spec"]["configPatches"]
        if patch["applyTo"] == "HTTP_ROUTE"
    ]
    rules = {
        route["metadata"]["name"]: route["spec"]["rules"]
        for route in gateway.http_routes(router, found)
    }
    assert spared == [f"default.my-router.{index}" for index in range(len(rules["my-router"]))]


def test_kgateways_policy_names_the_extension_that_is_made_with_it() -> None:
    made = attached(gateways.CONTROLLER_KGATEWAY, asking())
    policy, extension = made["TrafficPolicy"], made["GatewayExtension"]
    assert policy["spec"]["extProc"]["extensionRef"] == {"name": extension["metadata"]["name"]}
    assert policy["spec"]["buffer"] == {"maxRequestSize": "32Mi"}
    mode = extension["spec"]["extProc"]["processingMode"]
    assert (mode["requestBodyMode"], mode["responseBodyMode"]) == ("BUFFERED", "BUFFERED")


@pytest.mark.parametrize("controller", gateways.ATTACHMENTS)
def test_only_kgateway_has_to_be_told_that_the_router_speaks_grpc(controller: str) -> None:
    router = asking()
    (headless,) = networking.headless_service(router, of(controller, router))
    (port,) = headless["spec"]["ports"]
    wanted = "kubernetes.io/h2c" if controller == gateways.CONTROLLER_KGATEWAY else None
    assert port.get("appProtocol") == wanted


@pytest.mark.parametrize("section", ["", "https"])
def test_agentgateway_asks_before_it_chooses_a_route(section: str) -> None:
    listener = {"sectionName": section} if section else {}
    router = asking(gateway=listener)
    spec = attached(gateways.CONTROLLER_AGENTGATEWAY, router)["AgentgatewayPolicy"]["spec"]
    (target,) = spec["targetRefs"]
    assert (target["kind"], target["name"]) == ("Gateway", "public")
    assert target.get("sectionName", "") == section
    assert spec["traffic"]["phase"] == "PreRouting"


@pytest.mark.parametrize("tag", ["v0.3.0", "v0.4.0"])
def test_agentgateway_asks_about_all_that_leads_to_a_model_and_nothing_else(tag: str) -> None:
    router = asking(image={"tag": tag})
    found = of(gateways.CONTROLLER_AGENTGATEWAY, router)
    (policy,) = ext_proc_attachment(router, found)
    (only,) = policy["spec"]["traffic"]["extProc"]["conditional"]
    routes = {made["metadata"]["name"]: made for made in gateway.http_routes(router, found)}

    def asked(path: str) -> bool:
        """What CEL says, of which Python reads this much."""
        text = only["condition"].replace("||", "or").replace("&&", "and")
        text = text.replace(".startsWith(", ".startswith(").replace("request.path", "path")
        text = text.replace("!(", "not (")
        return bool(eval(text, {"__builtins__": {}}, {"path": path}))  # noqa: S307

    def paths(name: str) -> set[str]:
        rules = routes[name]["spec"]["rules"]
        return {match["path"]["value"] for rule in rules for match in rule["matches"]}

    assert all(asked(path) and asked(f"{path}/below") for path in paths("my-router-models"))
    assert not [path for path in paths("my-router") if asked(path)]
