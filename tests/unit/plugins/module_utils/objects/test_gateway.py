"""What leads from a Gateway to the router, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks import rules
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import (
    config,
    gateway,
    networking,
    openshift,
    workload,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, resource

REFERENCE = {"name": "public", "namespace": "default"}
TOKENS = {"global": {"services": {"management_api": {"auth": {"mode": "bearer"}}}}}


def endpoint(name: str, model: str = "qwen", weight: int = 1, **more: Any) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": f"vllm-{name}", "port": 8000}}
    return {"name": name, "model": model, "weight": weight, "backend": backend, **more}


def attached(*endpoints: dict[str, Any], **spec: Any) -> Router:
    wanted = {"existingRef": REFERENCE, **spec.pop("gateway", {})}
    return Router(resource(gateway=wanted, vllmEndpoints=list(endpoints), **spec))


def asking(*endpoints: dict[str, Any], **spec: Any) -> Router:
    return attached(*endpoints, gateway={"extProc": True}, **spec)


def routes(router: Router, found: Facts | None = None) -> dict[str, Manifest]:
    built = gateway.http_routes(router, found or facts(router, "kubernetes"))
    return {manifest["metadata"]["name"]: manifest for manifest in built}


def matches(route: Manifest) -> list[dict[str, Any]]:
    return [match for rule in route["spec"]["rules"] for match in rule["matches"]]


def router_container(router: Router) -> dict[str, Any]:
    (deployment,) = workload.deployment(router, facts(router, "kubernetes"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return dict(container)


def test_standalone_mode_has_no_http_route() -> None:
    router = Router(resource())
    assert gateway.http_routes(router, facts(router, "kubernetes")) == []


def test_a_cluster_without_the_gateway_api_gets_no_http_route() -> None:
    assert gateway.http_routes(asking(endpoint("a")), Facts()) == []


def test_a_missing_gateway_does_not_keep_the_http_route_away() -> None:
    found = replace(facts(attached(), "kubernetes"), gateway={"found": False})
    assert list(routes(attached(), found)) == ["my-router"]


@pytest.mark.parametrize(
    "path",
    ["/config/router", "/info/classifier", "/api/v1/response-cache/flush", "/v1/files", "/metrics"],
)
def test_the_gateway_never_lets_management_paths_through(path: str) -> None:
    for match in matches(routes(asking(endpoint("a")))["my-router"]):
        value = match["path"]["value"]
        if match["path"]["type"] == "Exact":
            assert path != value
        else:
            assert not f"{path}/".startswith(f"{value}/")


def test_a_gateway_shows_nobody_what_others_have_asked_of_a_router_0_3() -> None:
    """An HTTPRoute that asks nobody takes the path, and no backend is behind it."""
    older = routes(asking(endpoint("a"), image={"tag": "v0.3.0"}))
    rule = older["my-router"]["spec"]["rules"][-1]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v1/router_replay"}}]
    assert rule["backendRefs"] == []
    later = routes(asking(endpoint("a"), image={"tag": "v0.4.0"}))
    assert later["my-router"]["spec"]["rules"] == older["my-router"]["spec"]["rules"][:-1]


def test_the_list_of_models_and_health_come_through() -> None:
    exact = {match["path"]["value"] for match in matches(routes(attached())["my-router"])}
    assert {"/health", "/ready", "/v1/models", "/api/v1/classify"} <= exact


@pytest.mark.parametrize(("models", "count"), [(1, 1), (15, 1), (16, 2), (20, 2), (200, 13)])
def test_many_models_take_several_routes_within_the_limits_of_the_first_gateway_api(
    models: int, count: int
) -> None:
    router = asking(*(endpoint(f"n{n}", f"model-{n}") for n in range(models)))
    found = facts(router, "kubernetes")
    built = routes(router, found)
    names = [name for name in built if name != "my-router"]
    assert names == ["my-router-models", *(f"my-router-models-{n}" for n in range(2, count + 1))]
    for route in built.values():
        assert len(route["spec"]["rules"]) <= 16
        assert all(len(rule["matches"]) <= 8 for rule in route["spec"]["rules"])
    selected = [
        match["headers"][0]["value"]
        for name in names
        for match in matches(built[name])
        if "headers" in match
    ]
    assert selected == [f"model-{n}" for n in range(models)]


def test_section_and_host_names_are_passed_on() -> None:
    names = {"sectionName": "https", "hostnames": ["a.example.com", "*.b.example.com"]}
    spec = routes(attached(gateway=names))["my-router"]["spec"]
    assert spec["parentRefs"][0]["sectionName"] == "https"
    assert spec["hostnames"] == ["a.example.com", "*.b.example.com"]


def test_a_model_goes_to_its_backends_with_their_weights() -> None:
    router = asking(endpoint("a", weight=3), endpoint("b"), endpoint("c", model="llama"))
    rules_of = routes(router)["my-router-models"]["spec"]["rules"]
    found = {
        rule["matches"][0]["headers"][0]["value"]: {
            ref["name"]: ref["weight"] for ref in rule["backendRefs"]
        }
        for rule in rules_of[:-1]
    }
    assert found == {"qwen": {"vllm-a": 3, "vllm-b": 1}, "llama": {"vllm-c": 1}}
    assert {ref["name"] for ref in rules_of[-1]["backendRefs"]} == {"vllm-a", "vllm-b"}
    assert "headers" not in rules_of[-1]["matches"][0]


def test_what_stands_in_front_of_a_backends_api_is_put_in_front_of_the_path() -> None:
    router = asking(endpoint("a"), endpoint("b", model="llama"))
    plain, behind = facts(router, "kubernetes").endpoints
    found = replace(
        facts(router, "kubernetes"), endpoints=[plain, replace(behind, path="/apps/llama")]
    )
    first, second, default = routes(router, found)["my-router-models"]["spec"]["rules"]
    assert "filters" not in first
    assert "filters" not in default
    (rewrite,) = second["filters"]
    assert (rewrite["type"], rewrite["urlRewrite"]["path"]) == (
        "URLRewrite",
        {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/apps/llama/v1"},
    )


def test_a_models_rule_wins_over_the_default_models() -> None:
    # The longest path decides before headers count, so the paths must not differ.
    paths = [match["path"] for match in matches(routes(asking(endpoint("a")))["my-router-models"])]
    assert len({str(path) for path in paths}) == 1


def test_lora_adapters_are_served_where_their_model_is() -> None:
    adapters = [{"name": f"adapter-{number}"} for number in range(9)]
    first, second, _ = routes(asking(endpoint("a", loras=adapters)))["my-router-models"]["spec"][
        "rules"
    ]
    names = [match["headers"][0]["value"] for match in [*first["matches"], *second["matches"]]]
    assert names == ["qwen", *(adapter["name"] for adapter in adapters)]
    assert first["backendRefs"] == second["backendRefs"]


def test_a_model_without_an_address_keeps_its_rule_without_a_backend() -> None:
    router = asking(endpoint("a"))
    lost = Endpoint("a", "qwen", 1, "", "", 0, "http", ready=False)
    found = replace(facts(router, "kubernetes"), endpoints=[lost])
    assert routes(router, found)["my-router-models"]["spec"]["rules"][0]["backendRefs"] == []


def test_more_models_than_policies_can_name_routes_of_are_a_mistake() -> None:
    most = [endpoint(f"m{number}", model=f"m{number}") for number in range(255)]
    assert rules.check(asking(*most), facts(asking(*most), "kubernetes")) == []
    one_more = asking(*most, endpoint("m255", model="m255"))
    (problem,) = rules.check(one_more, facts(one_more, "kubernetes"))
    assert (problem.field, problem.blocking) == ("spec.gateway.extProc", True)
    assert "needs 17 HTTPRoutes" in problem.found


def test_there_is_no_envoy_in_the_pod() -> None:
    router = attached()
    found = facts(router, "kubernetes")
    (deployment,) = workload.deployment(router, found)
    assert "envoy" not in str(deployment)
    assert [item["metadata"]["name"] for item in config.config_maps(router, found)] == [
        "my-router-config"
    ]


def test_the_routers_api_is_where_the_service_leads() -> None:
    router = attached(service={"api": {"port": 80, "targetPort": 9000}})
    assert pod_ports(router.spec).api == 9000
    container = router_container(router)
    assert {"-api-port=9000", "-api-bind=0.0.0.0"} <= set(container["args"])
    assert {"name": "api", "containerPort": 9000, "protocol": "TCP"} in container["ports"]
    names = [variable["name"] for variable in container["env"]]
    assert "VLLM_SR_MANAGEMENT_INTERNAL_LISTENER" in names


def test_a_router_that_does_not_know_the_flag_is_not_given_it() -> None:
    container = router_container(attached(image={"tag": "v0.3.0"}))
    assert not any(argument.startswith("-api-bind") for argument in container["args"])


def test_in_standalone_mode_the_routers_api_stays_in_the_pod() -> None:
    router = Router(resource())
    (deployment,) = workload.deployment(router, facts(router, "kubernetes"))
    assert "-api-bind" not in str(deployment)
    assert "INTERNAL_LISTENER" not in str(deployment)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"ingress": {"enabled": True}}, "spec.ingress.enabled"),
        ({"openshift": {"routes": {"enabled": True}}}, "spec.openshift.routes.enabled"),
        ({"service": {"type": "LoadBalancer"}}, "spec.service.type"),
        ({"service": {"type": "NodePort"}}, "spec.service.type"),
    ],
)
def test_another_way_in_would_hand_out_the_management_api(spec: dict[str, Any], field: str) -> None:
    router = attached(**spec)
    found = facts(router, "openshift")
    exposed = [item for item in rules.check(router, found) if item.reason == "ManagementApiExposed"]
    assert [(item.field, item.blocking) for item in exposed] == [(field, False)]
    assert networking.ingress(router, found) == openshift.route(router, found) == []


def test_a_management_api_that_demands_tokens_may_be_reached_another_way() -> None:
    router = attached(ingress={"enabled": True}, config=TOKENS)
    found = facts(router, "kubernetes")
    assert "ManagementApiExposed" not in {item.reason for item in rules.check(router, found)}
    assert len(networking.ingress(router, found)) == 1
