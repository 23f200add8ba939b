"""What the cluster said becomes facts, without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import (
    RESOURCES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    Endpoint,
    Facts,
    discovery,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import (
    BackendReading,
    Sighting,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.discovery import Reading
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.ext_proc import (
    ext_proc_attachment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    http_routes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway_backends import (
    backend_policies,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.monitoring import (
    prometheus_rule,
    service_monitor,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


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


def problems_of(asked: Router, reading: Reading) -> list[Problem]:
    return discovery.problems(asked, reading, discovery.facts(asked, reading))


def entry(backend: dict[str, Any], name: str = "first") -> dict[str, Any]:
    return {"name": name, "model": "llama3-8b", "weight": 1, "backend": backend}


LLAMASTACK = entry({"type": "llamastack", "discoveryLabels": {"model": "llama", "app": "stack"}})
SERVICE = entry({"type": "service", "service": {"name": "vllm", "port": 8000}})


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
    found = Endpoint("second", "llama3-8b", 1, "vllm", "apps", 8000, "http", ready=True)
    lost = replace(found, name="first", ready=False, message="Service apps/vllm does not exist")
    assert discovery.messages(Facts(endpoints=[lost, found]))[1:] == [
        "Failed to discover backend first: Service apps/vllm does not exist"
    ]
    assert discovery.messages(Facts(endpoints=[lost]))[-1] == "No backends found"


def storage_class(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def volume(name: str | None) -> Router:
    return router(persistence={"storageClassName": name} if name else {})


def test_a_missing_storage_class_blocks_and_is_looked_for_again() -> None:
    reading = Reading(groups=[], storage=Sighting([storage_class("fast"), storage_class("big")]))
    (problem,) = problems_of(volume("standard"), reading)
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
    assert problems_of(volume(name), reading) == []


def test_storage_classes_that_may_not_be_listed_are_reported_but_do_not_block() -> None:
    reading = Reading(groups=[], storage=Sighting(denied="storageclasses is forbidden"))
    (problem,) = problems_of(volume("standard"), reading)
    assert problem.reason == "StorageClassesUnreadable"
    assert not problem.blocking
    assert "storageclasses is forbidden" in problem.found


OUTSIDE = Endpoint("a", "a", 1, "", "", 443, "https", ready=True, server_name="llm.example")


@pytest.mark.parametrize(
    ("told", "endpoints", "spec", "words"),
    [
        ("http://***@proxy:3128", [], {}, "has a password"),
        ("http://***@proxy:3128", [], {"egressProxy": {"url": "http://proxy"}}, ""),
        ("http://***@proxy:3128", [], {"env": [{"name": "HTTPS_PROXY", "value": ""}]}, ""),
        ("https://proxy", [OUTSIDE], {}, "no http:// URL"),
        ("https://proxy", [], {}, ""),
        ("http://proxy:3128", [OUTSIDE], {}, ""),
    ],
)
def test_a_proxy_that_the_pods_do_not_get_is_told_of_and_blocks_nothing(
    told: str, endpoints: list[Endpoint], spec: dict[str, Any], words: str
) -> None:
    facts = Facts(endpoints=endpoints, inherited={"HTTPS_PROXY": told})
    found = discovery.problems(router(**spec), Reading(groups=[], claim_exists=True), facts)
    assert [problem.reason for problem in found] == (["ProxyNotPassedOn"] if words else [])
    assert all(words in problem.found and not problem.blocking for problem in found)


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
    problems = problems_of(asking_for_a_route(enabled), reading)
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
    problems = problems_of(router(monitoring={part: {"enabled": True}}), reading)
    assert [problem.reason for problem in problems] == reasons
    for problem in problems:
        assert problem.field == f"spec.monitoring.{part}.enabled"
        assert problem.retry
        assert not problem.blocking


def test_endpoints_keep_the_order_of_the_spec() -> None:
    names = ["c", "a", "b"]
    items = [entry(SERVICE["backend"], name=name) for name in names]
    reading = Reading(groups=[], backends=[BackendReading() for _ in items])
    facts = discovery.facts(router(*items), reading)
    assert [item.name for item in facts.endpoints] == names


def test_the_previous_runs_status_tells_where_a_backend_was() -> None:
    earlier = {"name": "first", "model": "llama3-8b", "address": "zeta.apps.svc:8321"}
    owner = router(LLAMASTACK, status={"endpoints": [earlier]})
    facts = discovery.facts(owner, Reading(groups=[], backends=[BackendReading()]))
    assert facts.endpoints[0].address == "zeta.apps.svc:8321"


def test_a_secret_of_keys_that_is_not_there_is_named_by_its_field() -> None:
    keys = [{"secretRef": {"name": name}} for name in ("one", "two")]
    reading = Reading(groups=[], missing_secrets=["spec.auth.apiKeys[1].secretRef.name"])
    (problem,) = problems_of(router(auth={"apiKeys": keys}), reading)
    assert (problem.reason, problem.blocking) == ("SecretNotFound", False)
    assert problem.field == "spec.auth.apiKeys[1].secretRef.name"
    assert '"two"' in problem.found


ASKS_FOR_ALL = {
    "monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "gateway": {"existingRef": {"name": "shared", "namespace": "apps"}, "extProc": True},
    "openshift": {"routes": {"enabled": True}},
}
(
    GATEWAY, ENVOY_GATEWAY, ISTIO, KGATEWAY, AGENTGATEWAY, ISTIO_SECURITY, MONITORING
) = discovery.OPTIONAL_APIS  # fmt: skip


@pytest.mark.parametrize(
    ("platform", "served", "kinds", "reasons"),
    [
        (
            "openshift",
            [GATEWAY, ENVOY_GATEWAY, MONITORING],
            {
                *("HTTPRoute", "EnvoyExtensionPolicy", "BackendTrafficPolicy"),
                *("ServiceMonitor", "PrometheusRule"),
            },
            set(),
        ),
        ("openshift", [GATEWAY, ISTIO], {"HTTPRoute", "EnvoyFilter"}, {"MonitoringApiMissing"}),
        (
            "openshift",
            [GATEWAY, KGATEWAY],
            {"HTTPRoute", "GatewayExtension", "TrafficPolicy"},
            {"MonitoringApiMissing"},
        ),
        (
            "openshift",
            [GATEWAY, AGENTGATEWAY],
            {"HTTPRoute", "AgentgatewayPolicy"},
            {"MonitoringApiMissing"},
        ),
        (
            "kubernetes",
            [GATEWAY, ENVOY_GATEWAY, ISTIO, MONITORING],
            {"HTTPRoute", "ServiceMonitor", "PrometheusRule"},
            {"GatewayControllerUnknown", "RouteApiMissing"},
        ),
        (
            "kubernetes",
            [],
            set(),
            {"MonitoringApiMissing", "GatewayApiNotInstalled", "RouteApiMissing"},
        ),
    ],
)
def test_without_a_cluster_each_object_is_built_whose_api_counts_as_served(
    platform: str, served: list[str], kinds: set[str], reasons: set[str]
) -> None:
    asked = router(**ASKS_FOR_ALL)
    facts = discovery.offline_facts(asked, platform, served)
    builders = (
        http_routes,
        ext_proc_attachment,
        backend_policies,
        service_monitor,
        prometheus_rule,
    )
    assert {item["kind"] for build in builders for item in build(asked, facts)} == kinds
    found = discovery.offline_problems(asked, platform, served)
    assert {problem.reason for problem in found} == reasons
    assert not any(problem.blocking for problem in found)


def test_without_a_cluster_what_stands_unseen_is_said() -> None:
    backends = [
        {"type": "kserve", "inferenceServiceName": "llama"},
        {"type": "selector", "selector": {"labels": {"app": "vllm"}}},
        {"type": "service", "service": {"name": "vllm", "port": 8000}},
    ]
    entries = [
        {"name": backend["type"], "model": f"m-{backend['type']}", "backend": backend}
        for backend in backends
    ]
    asked = router(vllmEndpoints=entries, persistence={"existingClaim": "models"})
    found = discovery.offline_problems(asked, "kubernetes")
    said = {problem.field: problem.found for problem in found}
    assert list(said) == [
        "spec.vllmEndpoints[0].backend",
        "spec.vllmEndpoints[1].backend",
        "spec.persistence.existingClaim",
    ]
    assert "llama-predictor.apps.svc:8443 stands here" in said["spec.vllmEndpoints[0].backend"]
    assert "no address stands here" in said["spec.vllmEndpoints[1].backend"]
    assert "ReadWriteOnce" in said["spec.persistence.existingClaim"]
    assert not any(problem.blocking for problem in found)


def test_without_a_cluster_every_optional_api_counts_as_served() -> None:
    asked = router(**ASKS_FOR_ALL)
    everything = list(discovery.OPTIONAL_APIS)
    for platform in ("kubernetes", "openshift"):
        facts = discovery.offline_facts(asked, platform)
        assert facts == discovery.offline_facts(asked, platform, everything)


def test_every_optional_kind_has_its_api_among_the_optional_ones() -> None:
    optional = {resource.api_version for resource in RESOURCES if resource.optional}
    of_groups = set(map(str, discovery.OPTIONAL_APIS.values()))
    assert optional == of_groups | {"route.openshift.io/v1"}


@pytest.mark.parametrize(
    ("claim", "modes"),
    [(None, []), ({"spec": {"accessModes": ["ReadWriteMany"]}}, ["ReadWriteMany"])],
)
def test_the_access_modes_of_an_existing_claim_are_facts(
    claim: dict[str, Any] | None, modes: list[str]
) -> None:
    facts = discovery.facts(router(), Reading(groups=[], existing_claim=claim))
    assert facts.claim_modes == modes


class TestConfigMapsInUse:
    @staticmethod
    def owner(name: str, content: str, replicas: int = 1, existing: int = 0) -> dict[str, Any]:
        volumes = [
            {"name": "config", "configMap": {"name": name}},
            {"name": "theirs", "configMap": {"name": "theirs"}},
            {"name": "models", "emptyDir": {}},
        ]
        annotations = {"vllm.ai/config-hash": content} if content else {}
        template = {"metadata": {"annotations": annotations}, "spec": {"volumes": volumes}}
        return {
            "metadata": {},
            "spec": {"replicas": replicas, "template": template},
            "status": {"replicas": existing},
        }

    def in_use(self, **reading: Any) -> dict[str, list[str]]:
        asked = router()
        return dict(discovery.facts(asked, Reading([], **reading)).rollout.in_use)

    def test_are_those_of_the_template_and_of_replica_sets_that_have_or_make_pods(self) -> None:
        sets = [
            self.owner("makes", "b", replicas=1, existing=0),
            self.owner("has", "c", replicas=0, existing=1),
            self.owner("done", "d", replicas=0, existing=0),
        ]
        deployment = self.owner("live", "a", replicas=0)
        found = self.in_use(deployment=deployment, replica_sets=Sighting(sets))
        assert found == {"live": ["a"], "makes": ["b"], "has": ["c"]}
        assert next(iter(found)) == "live"

    def test_are_none_of_an_operator_s_before(self) -> None:
        assert self.in_use(deployment=self.owner("live", "")) == {}

    def test_may_be_all_where_replica_sets_may_not_be_listed(self) -> None:
        found = self.in_use(
            deployment=self.owner("live", "a"),
            replica_sets=Sighting(denied="forbidden"),
            own_config_maps={"live": "a", "other": "b"},
        )
        assert found == {"live": ["a", "a"], "other": ["b"]}

    def test_have_what_is_in_them_whatever_an_annotation_says(self) -> None:
        sets = [self.owner("live", "a")]
        found = self.in_use(
            deployment=self.owner("live", "edited"),
            replica_sets=Sighting(sets),
            own_config_maps={"live": "content", "other": "b"},
        )
        assert found == {"live": ["edited", "a", "content"]}
