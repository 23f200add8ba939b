from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    headless_service,
    ingress,
    service,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
)
from examples import router


def built_service(**wanted: Any) -> dict[str, Any]:
    (built,) = service(router(service=wanted), Facts())
    return built


def ports(manifest: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {port["name"]: (port["port"], port["targetPort"]) for port in manifest["spec"]["ports"]}


def test_service_by_default_has_the_documents_ports():
    built = built_service()

    assert built["metadata"]["name"] == "my-router"
    assert built["spec"]["type"] == "ClusterIP"
    assert ports(built) == {
        "api": (8080, 8080),
        "grpc": (50051, 50051),
        "metrics": (9190, 9190),
    }


def test_service_exposes_metrics_only_when_enabled():
    assert list(ports(built_service(metrics={"enabled": False}))) == ["api", "grpc"]


def test_service_takes_type_ports_and_protocol():
    built = built_service(
        type="LoadBalancer",
        api={"port": 80, "targetPort": 8000, "protocol": "TCP"},
        grpc={"port": 9000},
    )

    assert built["spec"]["type"] == "LoadBalancer"
    assert ports(built)["api"] == (80, 8000)
    assert ports(built)["grpc"] == (9000, 50051)
    assert {port["protocol"] for port in built["spec"]["ports"]} == {"TCP"}


def test_services_select_the_deployments_pods():
    (workload,) = deployment(router(), Facts())
    pod_labels = workload["spec"]["template"]["metadata"]["labels"]

    for build in (service, headless_service):
        (built,) = build(router(), Facts())
        assert built["spec"]["selector"].items() <= pod_labels.items()


def test_every_port_of_the_service_is_one_that_a_container_opens():
    wanted = router(
        service={
            "api": {"targetPort": 8000},
            "grpc": {"targetPort": 9000},
            "metrics": {"targetPort": 9100},
        }
    )
    (workload,) = deployment(wanted, Facts())
    (built,) = service(wanted, Facts())

    opened = {
        (port["name"], port["containerPort"])
        for container in workload["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    assert {(port["name"], port["targetPort"]) for port in built["spec"]["ports"]} == opened


def test_headless_service_is_dialled_at_the_pods_own_grpc_port():
    wanted = router(service={"grpc": {"port": 443, "targetPort": 50052}})

    (built,) = headless_service(wanted, Facts())

    assert built["metadata"]["name"] == "my-router-headless"
    assert built["spec"]["clusterIP"] == "None"
    assert ports(built) == {"grpc": (50052, 50052)}


def test_headless_service_offers_prometheus_nothing_to_scrape_twice():
    (built,) = headless_service(router(), Facts())

    assert "metrics" not in ports(built)


def built_ingress(**wanted: Any) -> dict[str, Any]:
    (built,) = ingress(router(ingress={"enabled": True, **wanted}), Facts())
    return built


def test_there_is_no_ingress_unless_asked_for():
    assert ingress(router(ingress={"hosts": [{"host": "a.example.com"}]}), Facts()) == []


def test_an_ingress_without_hosts_answers_for_every_host_and_path():
    (rule,) = built_ingress()["spec"]["rules"]

    assert set(rule) == {"http"}
    assert rule["http"]["paths"] == [
        {
            "path": "/",
            "pathType": "Prefix",
            "backend": {"service": {"name": "my-router", "port": {"number": 8080}}},
        }
    ]


def test_an_ingress_host_without_paths_gets_all_of_them():
    (rule,) = built_ingress(hosts=[{"host": "router.example.com"}])["spec"]["rules"]

    assert rule["host"] == "router.example.com"
    assert [path["path"] for path in rule["http"]["paths"]] == ["/"]


def test_an_ingress_path_takes_its_type_and_port():
    paths = [{"path": "/metrics", "pathType": "Exact", "servicePort": 9190}, {"path": "/v1"}]

    (rule,) = built_ingress(hosts=[{"host": "", "paths": paths}])["spec"]["rules"]

    assert "host" not in rule
    assert [
        (path["path"], path["pathType"], path["backend"]["service"]["port"]["number"])
        for path in rule["http"]["paths"]
    ] == [("/metrics", "Exact", 9190), ("/v1", "Prefix", 8080)]


def test_an_ingress_follows_the_port_of_the_service():
    (built,) = ingress(router(ingress={"enabled": True}, service={"api": {"port": 80}}), Facts())

    (path,) = built["spec"]["rules"][0]["http"]["paths"]
    assert path["backend"]["service"]["port"] == {"number": 80}


def test_an_ingress_takes_class_annotations_and_certificates():
    tls = [{"secretName": "router-tls", "hosts": ["router.example.com"]}]

    built = built_ingress(className="nginx", annotations={"a": "b"}, tls=tls)

    assert built["spec"]["ingressClassName"] == "nginx"
    assert built["metadata"]["annotations"] == {"a": "b"}
    assert built["spec"]["tls"] == tls
    assert "ingressClassName" not in built_ingress(className="")["spec"]


def test_a_load_balancer_is_as_internal_as_its_annotations_class_and_ranges_make_it():
    asked = {
        "type": "LoadBalancer",
        "annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"},
        "loadBalancerClass": "service.k8s.aws/nlb",
        "loadBalancerSourceRanges": ["10.0.0.0/8"],
        "externalTrafficPolicy": "Local",
    }

    (built,) = service(router(service=asked), Facts())

    assert built["metadata"]["annotations"] == asked.pop("annotations")
    assert {name: built["spec"][name] for name in asked} == asked


def test_a_service_has_nothing_of_a_load_balancer_that_is_not_asked_for():
    (built,) = service(router(), Facts())

    assert set(built["spec"]) == {"type", "ipFamilyPolicy", "selector", "ports"}
    assert "annotations" not in built["metadata"]


def test_services_say_one_ip_family_for_an_api_server_keeps_what_it_is_not_told():
    for builder in (service, headless_service):
        (unset,), (asked,) = (
            builder(router(service=wanted), Facts())
            for wanted in ({}, {"ipFamilyPolicy": "PreferDualStack"})
        )
        assert unset["spec"]["ipFamilyPolicy"] == "SingleStack"
        assert asked["spec"]["ipFamilyPolicy"] == "PreferDualStack"


def reached(built: dict[str, Any], pod: dict[str, Any], name: str) -> tuple[int, set[int]]:
    """The pod's port that a Service's port leads to, as an EndpointSlice has it, and its own."""
    (port,) = [port for port in built["spec"]["ports"] if port["name"] == name]
    listening = {
        item["name"]: item["containerPort"]
        for container in pod["spec"]["template"]["spec"]["containers"]
        for item in container["ports"]
    }
    target = port["targetPort"]
    return target if isinstance(target, int) else listening[target], set(listening.values())


def test_while_envoy_goes_the_service_reaches_each_pod_where_it_listens():
    """Pods of both kinds are there, each with the ports of its own template."""
    spec = {"service": {"api": {"targetPort": 8080}, "inference": {"port": 8899}}}
    alone = router(
        gateway={"mode": "router"},
        service={"api": {"targetPort": 9000}, "inference": {"port": 8899}},
    )
    (built,) = service(alone, Facts())
    for made, expected in ((router(**spec), 8080), (alone, 9000)):
        (pods,) = deployment(made, Facts())
        for name in ("api", "inference"):
            port, listening = reached(built, pods, name)
            assert port == expected
            assert port in listening


def test_when_envoy_comes_back_the_service_reaches_pods_of_both_kinds():
    (built,) = service(router(), Facts())
    for made in (router(), router(gateway={"mode": "router"})):
        (pods,) = deployment(made, Facts())
        port, listening = reached(built, pods, "api")
        assert port in listening


def test_a_router_that_serves_alone_is_asked_by_no_other_envoy():
    alone = router(gateway={"mode": "router"})
    (built,) = service(alone, Facts())

    assert list(ports(built)) == ["api", "metrics"]
    assert headless_service(alone, Facts()) == []


def test_the_service_says_that_the_pods_speak_https():
    alone = router(gateway={"mode": "router", "tls": {"secretName": "router-tls"}})
    (built,) = service(alone, Facts())

    protocols = {port["name"]: port.get("appProtocol") for port in built["spec"]["ports"]}
    assert protocols == {"api": "https", "metrics": None}
