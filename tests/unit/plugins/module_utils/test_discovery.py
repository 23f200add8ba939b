"""What the cluster said becomes facts, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import discovery
from ansible_collections.vllm.semantic_router.plugins.module_utils.discovery import (
    Reading,
    Sighting,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router import Router

KSERVE_SERVED = {"serving.kserve.io": ["v1alpha1", "v1beta1"]}


def group(name: str, *versions: str) -> dict[str, Any]:
    return {"name": name, "versions": [{"version": version} for version in versions]}


def router(*entries: dict[str, Any], status: dict[str, Any] | None = None, **spec: Any) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "apps"},
            "spec": {"vllmEndpoints": list(entries), **spec},
            "status": status or {},
        }
    )


def entry(backend: dict[str, Any], name: str = "first", model: str = "llama3-8b") -> dict[str, Any]:
    return {"name": name, "model": model, "weight": 1, "backend": backend}


KSERVE = entry({"type": "kserve", "inferenceServiceName": "llama-3-8b"})
LLAMASTACK = entry({"type": "llamastack", "discoveryLabels": {"model": "llama", "app": "stack"}})
SERVICE = entry({"type": "service", "service": {"name": "vllm", "port": 8000}})


def service(name: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": list(ports), **spec}}


def inference_service(**ready: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", **ready}] if ready else []
    return {"metadata": {"name": "llama-3-8b"}, "status": {"conditions": conditions}}


def resolve(
    item: dict[str, Any],
    *objects: dict[str, Any],
    denied: str = "",
    served: dict[str, list[str]] | None = None,
    endpoints: list[dict[str, Any]] | None = None,
) -> Endpoint:
    sighting = Sighting(list(objects), denied)
    apis = KSERVE_SERVED if served is None else served
    return discovery.endpoint("apps", item, sighting, apis, endpoints or [])


def earlier(address: str, model: str = "llama3-8b") -> list[dict[str, Any]]:
    return [{"name": "first", "model": model, "address": address, "ready": True}]


@pytest.mark.parametrize(
    ("groups", "platform"),
    [
        ([], "kubernetes"),
        ([group("apps", "v1")], "kubernetes"),
        # OpenShift's console and config groups can be installed anywhere.
        ([group("config.openshift.io", "v1")], "kubernetes"),
        ([group("apps", "v1"), group("route.openshift.io", "v1")], "openshift"),
    ],
)
def test_platform_is_openshift_only_when_routes_are_served(
    groups: list[dict[str, Any]], platform: str
) -> None:
    assert discovery.platform_of(groups) == platform


def test_platform_can_be_stated_for_rendering_without_a_cluster() -> None:
    facts = discovery.facts(router(), Reading(groups=[]), "openshift")
    assert facts.platform == "openshift"


def test_capabilities_are_the_versions_of_the_groups_of_interest() -> None:
    groups = [group("apps", "v1"), group("gateway.networking.k8s.io", "v1", "v1beta1")]
    assert discovery.capabilities(groups) == {"gateway.networking.k8s.io": ["v1", "v1beta1"]}


def test_log_lines_are_those_of_the_documentation() -> None:
    assert discovery.messages(Facts()) == [
        "Detected standard Kubernetes platform - will use standard security contexts",
        "No backends found",
    ]
    assert discovery.messages(Facts(platform="openshift"))[0] == (
        "Detected OpenShift platform - will use OpenShift-compatible security contexts"
    )


def test_log_names_each_backend_that_was_not_found() -> None:
    lost = resolve(SERVICE)
    found = replace(lost, name="second", ready=True, message="")
    assert discovery.messages(Facts(endpoints=[lost, found]))[1:] == [
        "Failed to discover backend first: Service apps/vllm does not exist"
    ]
    assert discovery.messages(Facts(endpoints=[lost]))[-1] == "No backends found"


class TestKServe:
    def test_predictor_speaks_https_on_8443_in_the_routers_namespace(self) -> None:
        found = resolve(KSERVE, inference_service(status="True"))
        assert (found.host, found.port, found.scheme) == (
            "llama-3-8b-predictor.apps.svc",
            8443,
            "https",
        )
        assert found.ready
        assert not found.message

    @pytest.mark.parametrize(
        ("objects", "served", "denied", "reason", "message"),
        [
            ([], {}, "", "KServeNotInstalled", "KServe is not installed"),
            ([], {"serving.kserve.io": ["v1alpha1"]}, "", "KServeNotInstalled", "v1beta1"),
            ([], None, "", "InferenceServiceNotFound", "InferenceService apps/llama-3-8b does not"),
            ([inference_service()], None, "", "InferenceServiceNotReady", "is not Ready yet"),
            (
                [inference_service(status="False", message="0 of 1 pods", reason="Pods")],
                None,
                "",
                "InferenceServiceNotReady",
                "is not Ready: 0 of 1 pods",
            ),
            (
                [inference_service(status="Unknown", reason="Deploying")],
                None,
                "",
                "InferenceServiceNotReady",
                "is not Ready: Deploying",
            ),
            ([], None, "is forbidden", "BackendUnreadable", "is forbidden"),
        ],
    )
    def test_address_stays_while_the_model_is_not_there(
        self,
        objects: list[dict[str, Any]],
        served: dict[str, list[str]] | None,
        denied: str,
        reason: str,
        message: str,
    ) -> None:
        found = resolve(KSERVE, *objects, served=served, denied=denied)
        assert not found.ready
        assert found.address == "llama-3-8b-predictor.apps.svc:8443"
        assert found.reason == reason
        assert message in found.message


class TestLlamaStack:
    def test_first_by_name_wins_and_the_rest_is_mentioned(self) -> None:
        found = resolve(
            LLAMASTACK,
            service("zeta", {"port": 1}),
            service("alpha", {"port": 2}),
            service("beta", {"port": 3}),
        )
        assert found.ready
        assert found.address == "alpha.apps.svc:2"
        assert found.message == "3 Services match: uses alpha, not beta, zeta"

    def test_it_stays_with_the_service_that_it_has_while_that_one_matches(self) -> None:
        services = (service("alpha", {"port": 2}), service("zeta", {"port": 1}))
        found = resolve(LLAMASTACK, *services, endpoints=earlier("zeta.apps.svc:9"))
        # The Service is kept, its port is read anew.
        assert found.address == "zeta.apps.svc:1"

    def test_it_moves_on_when_its_service_no_longer_matches(self) -> None:
        known = earlier("zeta.apps.svc:1")
        found = resolve(LLAMASTACK, service("alpha", {"port": 2}), endpoints=known)
        assert found.address == "alpha.apps.svc:2"

    def test_address_stays_when_nothing_matches_for_now(self) -> None:
        found = resolve(LLAMASTACK, endpoints=earlier("zeta.apps.svc:8321"))
        assert found.address == "zeta.apps.svc:8321"
        assert not found.ready
        assert found.reason == "NoServiceMatches"
        assert found.message == "no Service in namespace apps matches app=stack,model=llama"

    @pytest.mark.parametrize(
        "known",
        [
            [],
            # The endpoint serves another model now: the old address is another model's.
            earlier("zeta.apps.svc:8321", model="other"),
            # The endpoint was of another type before.
            earlier("zeta.elsewhere.svc:8321"),
            earlier("nonsense"),
            earlier(""),
        ],
    )
    def test_there_is_no_address_when_nothing_ever_matched(
        self, known: list[dict[str, Any]]
    ) -> None:
        found = resolve(LLAMASTACK, endpoints=known)
        assert (found.host, found.port, found.address) == ("", 0, "")
        assert not found.ready

    @pytest.mark.parametrize(
        ("ports", "spec", "expected"),
        [
            ([{"port": 8321}], {}, 8321),
            ([{"name": "metrics", "port": 9000}, {"name": "http", "port": 8321}], {}, 8321),
            ([{"name": "a", "port": 9000}, {"name": "b", "port": 8321}], {}, 9000),
            ([{"port": 80, "targetPort": 8321}], {}, 80),
            ([{"port": 80, "targetPort": 8321}], {"clusterIP": "None"}, 8321),
            ([{"port": 80, "targetPort": "http"}], {"clusterIP": "None"}, 80),
        ],
    )
    def test_port_comes_from_the_service(
        self, ports: list[dict[str, Any]], spec: dict[str, Any], expected: int
    ) -> None:
        assert resolve(LLAMASTACK, service("a", *ports, **spec)).port == expected

    def test_port_443_means_https(self) -> None:
        assert resolve(LLAMASTACK, service("a", {"port": 443})).scheme == "https"
        assert resolve(LLAMASTACK, service("a", {"port": 80})).scheme == "http"

    def test_services_without_ports_are_named_as_unusable(self) -> None:
        found = resolve(LLAMASTACK, service("a"))
        assert not found.ready
        assert "match app=stack,model=llama have no port: a" in found.message

    def test_empty_labels_match_nothing_rather_than_everything(self) -> None:
        item = entry({"type": "llamastack", "discoveryLabels": {}})
        found = resolve(item, service("any", {"port": 1}))
        assert found.reason == "BackendIncomplete"
        assert not found.ready


class TestService:
    def test_address_is_what_the_spec_says(self) -> None:
        found = resolve(SERVICE, service("vllm", {"port": 8000}))
        assert found.ready
        assert (found.address, found.scheme) == ("vllm.apps.svc:8000", "http")

    def test_another_namespace_can_be_named(self) -> None:
        item = entry(
            {"type": "service", "service": {"name": "vllm", "namespace": "models", "port": 8000}}
        )
        found = resolve(item)
        assert found.host == "vllm.models.svc"
        assert found.message == "Service models/vllm does not exist"

    @pytest.mark.parametrize(
        ("port", "scheme", "expected"),
        [
            (8000, None, "http"),
            (443, None, "https"),
            (8443, None, "https"),
            (443, "http", "http"),
            (8000, "https", "https"),
        ],
    )
    def test_scheme_is_stated_or_told_by_the_port(
        self, port: int, scheme: str | None, expected: str
    ) -> None:
        wanted = {"name": "vllm", "port": port, **({"scheme": scheme} if scheme else {})}
        assert resolve(entry({"type": "service", "service": wanted})).scheme == expected

    @pytest.mark.parametrize(
        ("found", "message"),
        [
            (
                service("vllm", {"port": 80}, {"port": 81}),
                "has no port 8000; its ports are: 80, 81",
            ),
            (service("vllm"), "has no port 8000; its ports are: none"),
            (
                service("vllm", {"port": 8000, "targetPort": 9000}, clusterIP="None"),
                "is headless, so the pods' own port is needed: 9000, not 8000",
            ),
        ],
    )
    def test_a_port_that_cannot_be_dialled_is_said(
        self, found: dict[str, Any], message: str
    ) -> None:
        result = resolve(SERVICE, found)
        assert not result.ready
        assert result.reason == "ServicePortNotFound"
        assert result.message == f"Service apps/vllm {message}"
        assert result.address == "vllm.apps.svc:8000"

    @pytest.mark.parametrize(
        "found",
        [
            service("vllm", type="ExternalName", externalName="models.example.com"),
            service("vllm", clusterIP="None"),
            service("vllm", {"port": 80, "targetPort": 8000}, clusterIP="None"),
            service("vllm", {"port": 8000, "targetPort": "http"}),
        ],
    )
    def test_services_that_map_no_port_are_dialled_as_the_spec_says(
        self, found: dict[str, Any]
    ) -> None:
        assert resolve(SERVICE, found).ready

    def test_a_service_that_may_not_be_read_keeps_its_address(self) -> None:
        found = resolve(SERVICE, denied="services is forbidden")
        assert found.reason == "BackendUnreadable"
        assert found.address == "vllm.apps.svc:8000"


def storage_class(name: str, created: str = "", **annotations: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "creationTimestamp": created, "annotations": annotations},
    }


DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ([], ""),
        ([storage_class("a")], ""),
        ([storage_class("a"), storage_class("b", **DEFAULT)], "b"),
        (
            [
                storage_class("a", "2026-01-01", **DEFAULT),
                storage_class("b", "2026-02-01", **DEFAULT),
            ],
            "b",
        ),
        ([storage_class("b", **DEFAULT), storage_class("a", **DEFAULT)], "a"),
        ([storage_class("a", **{"storageclass.kubernetes.io/is-default-class": "false"})], ""),
    ],
)
def test_default_storage_class_is_the_one_the_api_server_would_take(
    classes: list[dict[str, Any]], expected: str
) -> None:
    assert discovery.default_storage_class(classes) == expected


def volume(name: str | None) -> Router:
    return router(persistence={"storageClassName": name} if name else {})


def test_a_missing_storage_class_blocks_and_is_looked_for_again() -> None:
    reading = Reading(groups=[], storage=Sighting([storage_class("fast"), storage_class("big")]))
    (problem,) = discovery.problems(volume("standard"), reading)
    assert (problem.reason, problem.field) == (
        "StorageClassNotFound",
        "spec.persistence.storageClassName",
    )
    assert 'StorageClass "standard" does not exist; there are: big, fast' in str(problem)
    assert problem.blocking
    assert problem.retry


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("fast", Reading(groups=[], storage=Sighting([storage_class("fast")]))),
        (None, Reading(groups=[], storage=Sighting([]))),
        ("standard", Reading(groups=[], storage=None)),
        # Its class was settled when the claim was made; a class that is gone since harms nothing.
        ("standard", Reading(groups=[], storage=Sighting([]), claim_exists=True)),
    ],
)
def test_storage_class_is_no_problem(name: str | None, reading: Reading) -> None:
    assert discovery.problems(volume(name), reading) == []


def test_storage_classes_that_may_not_be_listed_are_reported_but_do_not_block() -> None:
    reading = Reading(groups=[], storage=Sighting(denied="storageclasses is forbidden"))
    (problem,) = discovery.problems(volume("standard"), reading)
    assert problem.reason == "StorageClassesUnreadable"
    assert not problem.blocking
    assert "storageclasses is forbidden" in problem.found


def asking_for_a_route(enabled: bool) -> Router:
    asked = router()
    routes = {"openshift": {"routes": {"enabled": enabled}}}
    return Router({**asked.resource, "spec": {**asked.resource["spec"], **routes}})


@pytest.mark.parametrize(
    ("enabled", "groups", "reasons"),
    [
        (True, [], ["RouteApiMissing"]),
        (True, [group("route.openshift.io", "v1")], []),
        (False, [], []),
    ],
    ids=["missing", "served", "not asked for"],
)
def test_a_route_needs_an_api_server_that_serves_routes(
    enabled: bool, groups: list[dict[str, Any]], reasons: list[str]
) -> None:
    reading = Reading(groups=groups, claim_exists=True)
    problems = discovery.problems(asking_for_a_route(enabled), reading)
    assert [problem.reason for problem in problems] == reasons
    assert not any(problem.blocking or problem.retry for problem in problems)


@pytest.mark.parametrize(
    ("part", "groups", "reasons"),
    [
        ("serviceMonitor", [], ["MonitoringApiMissing"]),
        ("prometheusRule", [group("monitoring.coreos.com", "v1alpha1")], ["MonitoringApiMissing"]),
        ("prometheusRule", [group("monitoring.coreos.com", "v1alpha1", "v1")], []),
        ("grafanaDashboard", [], []),
    ],
)
def test_monitoring_needs_an_api_server_that_serves_the_prometheus_operators_kinds(
    part: str, groups: list[dict[str, Any]], reasons: list[str]
) -> None:
    reading = Reading(groups=groups, claim_exists=True)
    problems = discovery.problems(router(monitoring={part: {"enabled": True}}), reading)
    assert [problem.reason for problem in problems] == reasons
    for problem in problems:
        assert problem.field == f"spec.monitoring.{part}.enabled"
        assert problem.retry
        assert not problem.blocking


def test_endpoints_keep_the_order_of_the_spec() -> None:
    names = ["c", "a", "b"]
    items = [entry(SERVICE["backend"], name=name) for name in names]
    reading = Reading(groups=[], backends=[Sighting() for _ in items])
    facts = discovery.facts(router(*items), reading)
    assert [item.name for item in facts.endpoints] == names


def test_the_previous_runs_status_tells_where_a_backend_was() -> None:
    owner = router(LLAMASTACK, status={"endpoints": earlier("zeta.apps.svc:8321")})
    facts = discovery.facts(owner, Reading(groups=[], backends=[Sighting()]))
    assert facts.endpoints[0].address == "zeta.apps.svc:8321"


def test_long_lists_in_messages_are_cut() -> None:
    ports = [{"port": number} for number in range(1, 9)]
    assert resolve(SERVICE, service("vllm", *ports)).message.endswith("1, 2, 3, 4, 5 and 3 more")
