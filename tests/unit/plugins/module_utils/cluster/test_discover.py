"""What the API server says to each read of a discovery, and what is no answer.

The server is in memory; tests/integration/test_discover.py asks a real one.
"""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    Discovery,
    discover,
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis, metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from api_server import ApiServer
from endpoint_slices import endpoint_slice

NAMESPACE = "team"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
# Everything that discovery may ask for is asked for.
SPEC: dict[str, Any] = {
    "replicas": 2,
    "vllmEndpoints": [
        {
            "name": "kserve",
            "model": "one",
            "backend": {"type": "kserve", "inferenceServiceName": "llama"},
        },
        {
            "name": "llamastack",
            "model": "two",
            "backend": {"type": "llamastack", "discoveryLabels": {"app": "llama-stack"}},
        },
        {
            "name": "service",
            "model": "three",
            "backend": {"type": "service", "service": {"name": "vllm", "port": 8000}},
        },
    ],
    "gateway": {"existingRef": {"name": "public", "namespace": NAMESPACE}},
    "persistence": {"enabled": True, "storageClassName": "fast"},
    "envFrom": [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "tokens"}}],
}
READS = [
    "/apis",
    "/apis/storage.k8s.io/v1/storageclasses",
    f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets",
    f"/apis/serving.kserve.io/v1beta1/namespaces/{NAMESPACE}/inferenceservices/llama",
    f"/apis/{apis.GATEWAY}/namespaces/{NAMESPACE}/gateways/public",
    f"{CORE}/persistentvolumeclaims",
    f"{CORE}/services",
    f"{CORE}/services/vllm",
    f"{CORE}/configmaps/settings",
    f"{CORE}/secrets/tokens",
]


@pytest.fixture
def server() -> ApiServer:
    return ApiServer("serving.kserve.io/v1beta1", str(apis.GATEWAY))


def found(server: ApiServer) -> Discovery:
    router = Router({"metadata": {"name": "my-router", "namespace": NAMESPACE}, "spec": SPEC})
    return discover(Reads(server.client()), router, secret_versions=True)


def test_these_are_the_reads(server: ApiServer) -> None:
    assert not found(server).failed
    assert set(READS) <= {request.path for request in server.log}


@pytest.mark.parametrize("code", [0, 401, 429, 500, 503])
@pytest.mark.parametrize("path", READS)
def test_what_is_no_answer_ends_it_and_nothing_is_guessed(
    server: ApiServer, path: str, code: int
) -> None:
    if code:
        server.refuse(lambda request: request.path == path, code, "Refused")
    else:
        server.loses = lambda request: request.path == path
    discovery = found(server)
    assert discovery.failed
    assert discovery.facts == Facts()
    assert discovery.live is None
    (problem,) = discovery.problems
    assert (problem.reason, problem.retry, problem.blocking) == ("DiscoveryFailed", True, True)
    assert discovery.messages == [str(problem)]


@pytest.mark.parametrize("path", [path for path in READS if path != "/apis"])
def test_you_may_not_is_an_answer(server: ApiServer, path: str) -> None:
    server.refuse(lambda request: request.path == path, 403, "Forbidden")
    discovery = found(server)
    assert not discovery.failed
    assert len(discovery.facts.endpoints) == len(SPEC["vllmEndpoints"])


@pytest.mark.parametrize("kind", ["serviceaccounts", "ingresses"])
def test_own_objects_that_cannot_be_listed_are_not_taken_for_missing(
    server: ApiServer, kind: str
) -> None:
    server.refuse(lambda request: request.path.endswith(f"/{kind}"), 403, "Forbidden")
    discovery = found(server)
    assert not discovery.failed
    assert discovery.live is None


@pytest.mark.parametrize("is_readable", [True, False])
def test_a_ca_is_missed_only_where_it_may_be_read(server: ApiServer, is_readable: bool) -> None:
    if not is_readable:
        path = f"{CORE}/configmaps/ca"
        server.refuse(lambda request: request.path == path, 403, "Forbidden")
    backend = {"type": "service", "service": {"name": "vllm", "port": 8443}}
    entry = {"name": "e", "model": "m", "backend": {**backend, "tls": {"caRef": {"name": "ca"}}}}
    spec = {"vllmEndpoints": [entry], "persistence": {"enabled": False}}
    router = Router({"metadata": {"name": "my-router", "namespace": NAMESPACE}, "spec": spec})
    told = [problem.reason for problem in discover(Reads(server.client()), router).problems]
    assert told == (["AuthorityNotFound"] if is_readable else [])


@pytest.mark.parametrize(("cluster_ip", "port"), [("None", 8012), ("10.0.0.1", 80)])
def test_a_predictors_named_port_is_that_of_its_pods_where_nothing_maps_it(
    server: ApiServer, cluster_ip: str, port: int
) -> None:
    conditions = [{"type": "Ready", "status": "True"}]
    kserve = f"/apis/serving.kserve.io/v1beta1/namespaces/{NAMESPACE}/inferenceservices/llama"
    server.put(kserve, {"metadata": {"name": "llama"}, "status": {"conditions": conditions}})
    ports = [{"name": "http", "port": 80, "targetPort": "web"}]
    spec = {"clusterIP": cluster_ip, "ports": ports}
    predictor = {"metadata": {"name": "llama-predictor"}, "spec": spec}
    server.put(f"{CORE}/services/llama-predictor", predictor)
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    behind = endpoint_slice("llama-predictor", 8012)
    server.put(f"{slices}/{behind['metadata']['name']}", behind)
    kserve_endpoint = found(server).facts.endpoints[0]
    assert kserve_endpoint.address == f"llama-predictor.team.svc:{port}"
    assert kserve_endpoint.ready


def test_secrets_are_looked_at_only_when_asked_for(server: ApiServer) -> None:
    router = Router({"metadata": {"name": "my-router", "namespace": NAMESPACE}, "spec": SPEC})
    assert not discover(Reads(server.client()), router).failed
    assert not [item for item in server.log if "/secrets" in item.path]


def test_a_batch_reads_no_deployment_of_its_routers_twice(server: ApiServer) -> None:
    names = [f"router-{number}" for number in range(4)]
    for name in names[:3]:
        server.put(
            f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}",
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": metadata.metadata(name, NAMESPACE),
                "spec": {"replicas": 3},
            },
        )
    reads = Reads(server.client(), {NAMESPACE: names})
    found = {
        name: discover(reads, Router({"metadata": {"name": name, "namespace": NAMESPACE}}))
        for name in names
    }
    asked = [
        item.params.get("fieldSelector", "all")
        for item in server.log
        if item.path.endswith("/deployments")
    ]
    # Another one of that name, which has not our labels, may be there.
    assert asked == ["all", "metadata.name=router-3"]
    assert [bool(found[name].facts.scale) for name in names] == [True, True, True, False]


def test_a_router_that_is_not_there_is_named(server: ApiServer) -> None:
    with pytest.raises(RouterError, match='"nowhere" does not exist in namespace "team"') as raised:
        read_router(server.client(), "nowhere", NAMESPACE)
    assert raised.value.problem.reason == "InvalidSpec"


@pytest.mark.parametrize("name", ["x/proxy", "..", ".", "", "x?watch=1", "x#", "x%2fproxy", "ö/é"])
def test_no_name_of_a_router_leads_to_what_it_does_not_name(server: ApiServer, name: str) -> None:
    spec = copy.deepcopy(SPEC)
    kserve, _, service = (entry["backend"] for entry in spec["vllmEndpoints"])
    kserve["inferenceServiceName"] = name
    service["service"].update(name=name, namespace=name)
    spec["gateway"]["existingRef"].update(name=name, namespace=name)
    spec["envFrom"] = [{"configMapRef": {"name": name}}, {"secretRef": {"name": name}}]
    router = Router({"metadata": {"name": "my-router", "namespace": NAMESPACE}, "spec": spec})
    discover(Reads(server.client()), router, secret_versions=True)
    paths = {request.path for request in server.log}
    assert any("/gateways/" in path for path in paths)
    for path in paths:
        assert re.fullmatch(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._:-]+)+", path), path
        assert path.count("/") <= 7, path
