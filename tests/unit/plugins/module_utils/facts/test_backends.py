"""One backend, resolved: every type, by what was read for it, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, backends
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import Sighting

KSERVE_SERVED = {"serving.kserve.io": ["v1alpha1", "v1beta1"]}


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
    return backends.endpoint("apps", item, sighting, apis, endpoints or [])


def earlier(address: str, model: str = "llama3-8b") -> list[dict[str, Any]]:
    return [{"name": "first", "model": model, "address": address, "ready": True}]


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


def test_long_lists_in_messages_are_cut() -> None:
    ports = [{"port": number} for number in range(1, 9)]
    assert resolve(SERVICE, service("vllm", *ports)).message.endswith("1, 2, 3, 4, 5 and 3 more")
