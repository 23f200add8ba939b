"""One backend, resolved: every type, by what was read for it, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, backends
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import (
    BackendReading,
    Sighting,
)

KSERVE_SERVED = {"serving.kserve.io": ["v1alpha1", "v1beta1"]}


def entry(backend: dict[str, Any], name: str = "first", model: str = "llama3-8b") -> dict[str, Any]:
    return {"name": name, "model": model, "weight": 1, "backend": backend}


KSERVE = entry({"type": "kserve", "inferenceServiceName": "llama-3-8b"})
LLAMASTACK = entry({"type": "llamastack", "discoveryLabels": {"model": "llama", "app": "stack"}})
POOL = entry({"type": "inferencepool", "name": "llama"})
POOL_SERVED = {"inference.networking.k8s.io": ["v1"]}
LLM = entry({"type": "llminferenceservice", "name": "llama"})
LLM_SERVED = {"serving.kserve.io": ["v1alpha1", "v1alpha2", "v1beta1"]}
STACK = entry({"type": "vllmrouter", "name": "production"})
STACK_SERVED = {"production-stack.vllm.ai": ["v1alpha1"]}
SERVICE = entry({"type": "service", "service": {"name": "vllm", "port": 8000}})


def service(name: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"ports": list(ports), **spec}}


def endpoint_slice(
    service: str, *ports: dict[str, Any], ready: bool | None = True
) -> dict[str, Any]:
    conditions = {} if ready is None else {"ready": ready}
    return {
        "metadata": {
            "name": f"{service}-x",
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": list(ports),
        "endpoints": [{"addresses": ["10.0.0.1"], "conditions": conditions}],
    }


def inference_service(url: str = "", **ready: str) -> dict[str, Any]:
    conditions = [{"type": "Ready", **ready}] if ready else []
    address = {"address": {"url": url}} if url else {}
    return {"metadata": {"name": "llama-3-8b"}, "status": {"conditions": conditions, **address}}


READY = inference_service(status="True")


def resolve(
    item: dict[str, Any],
    *objects: dict[str, Any],
    denied: str = "",
    served: dict[str, list[str]] | None = None,
    endpoints: list[dict[str, Any]] | None = None,
    predictor: Sighting | dict[str, Any] | None = None,
    slices: Sighting | None = None,
) -> Endpoint:
    """slices: those of the Services, one with a ready address each when not given."""
    if predictor is None or isinstance(predictor, dict):
        predictor = Sighting([predictor] if predictor else [])
    if slices is None:
        slices = Sighting([endpoint_slice(found["metadata"]["name"]) for found in objects])
    reading = BackendReading(Sighting(list(objects), denied), predictor, slices)
    apis = KSERVE_SERVED if served is None else served
    return backends.endpoint("apps", item, reading, apis, endpoints or [])


def earlier(address: str, model: str = "llama3-8b") -> list[dict[str, Any]]:
    return [{"name": "first", "model": model, "address": address, "ready": True}]


def llm_inference_service(*urls: str, url: str = "", **ready: str) -> dict[str, Any]:
    """As KServe's controller leaves it: each address with its origin, and one of them again."""
    conditions = [{"type": "Ready", **(ready or {"status": "True"})}]
    addresses = [{"url": text, "origin": {"kind": "Gateway"}} for text in urls]
    status = {"conditions": conditions, "addresses": addresses, **({"url": url} if url else {})}
    return {"metadata": {"name": "llama"}, "status": status}


class TestLLMInferenceService:
    @pytest.mark.parametrize(
        ("found", "address", "url", "at_service"),
        [
            pytest.param(
                llm_inference_service(
                    "https://llama-kserve-workload-svc.apps.svc.cluster.local",
                    url="https://llama.example.org/apps/llama",
                ),
                "llama-kserve-workload-svc.apps.svc:8000",
                "https://llama-kserve-workload-svc.apps.svc:8000",
                [{"name": "https", "port": 8000, "appProtocol": "https"}],
                id="its-own-service-whose-url-lacks-the-port",
            ),
            pytest.param(
                llm_inference_service(
                    "http://203.0.113.50/apps/llama",
                    "http://public.gateways.svc.cluster.local/v1",
                    "http://public.gateways.svc.cluster.local/apps/llama",
                    url="http://203.0.113.50/apps/llama",
                ),
                "public.gateways.svc:80",
                "http://public.gateways.svc:80/apps/llama",
                None,
                id="a-gateway-in-the-cluster-before-its-address-outside",
            ),
            pytest.param(
                llm_inference_service(
                    "https://models.example.org/apps/llama/",
                    url="https://models.example.org/apps/llama/",
                ),
                "models.example.org:443",
                "https://models.example.org:443/apps/llama",
                None,
                id="only-outside",
            ),
        ],
    )
    def test_its_status_says_where(
        self,
        found: dict[str, Any],
        address: str,
        url: str,
        at_service: list[dict[str, Any]] | None,
    ) -> None:
        its = service("llama-kserve-workload-svc", *at_service) if at_service else None
        endpoint = resolve(LLM, found, served=LLM_SERVED, predictor=its)
        assert (endpoint.address, endpoint.url, endpoint.ready) == (address, url, True)
        assert endpoint.message == "LLMInferenceService apps/llama is Ready"

    def test_its_service_is_read_only_beside_the_router(self) -> None:
        inside = llm_inference_service("https://llama-kserve-workload-svc.apps.svc")
        elsewhere = llm_inference_service("http://public.gateways.svc/apps/llama")
        where = [backends.service_of("apps", LLM, Sighting([it])) for it in (inside, elsewhere)]
        assert where == ["llama-kserve-workload-svc", ""]

    @pytest.mark.parametrize("served", [LLM_SERVED, {"serving.kserve.io": ["v1alpha1"]}])
    def test_one_that_is_not_ready_says_why(self, served: dict[str, list[str]]) -> None:
        found = llm_inference_service(
            "https://llama-kserve-workload-svc.apps.svc", status="False", message="no GPU"
        )
        endpoint = resolve(LLM, found, served=served)
        assert (endpoint.ready, endpoint.reason) == (False, "BackendObjectNotReady")
        assert endpoint.message == "LLMInferenceService apps/llama is not Ready: no GPU"
        assert endpoint.address == "llama-kserve-workload-svc.apps.svc:443"

    @pytest.mark.parametrize(
        "text", ["", "grpc://a.b.svc", 'http://a.b.svc/x"y', "http://a.b.svc/a b", "http://["]
    )
    def test_one_that_says_nowhere_is_not_ready(self, text: str) -> None:
        endpoint = resolve(LLM, llm_inference_service(text), served=LLM_SERVED)
        assert (endpoint.ready, endpoint.reason) == (False, "BackendAddressUnknown")
        assert "has no status.addresses.url or status.url" in endpoint.message
        assert endpoint.address == ""

    @pytest.mark.parametrize(
        "url",
        [
            "https://llama-kserve-workload-svc.apps.svc:8000",
            "http://public.gateways.svc:80/apps/llama",
            "https://models.example.org:443/apps/llama",
        ],
    )
    def test_what_was_found_stays_while_it_is_not_there(self, url: str) -> None:
        address = url.partition("//")[2].partition("/")[0]
        known = [{"name": "first", "model": "llama3-8b", "address": address, "url": url}]
        endpoint = resolve(LLM, endpoints=known, served=LLM_SERVED)
        assert (endpoint.url, endpoint.reason) == (url, "BackendObjectNotFound")

    def test_without_its_api_the_endpoint_says_so(self) -> None:
        endpoint = resolve(LLM, served={})
        assert (endpoint.ready, endpoint.reason) == (False, "BackendApiNotInstalled")
        assert "KServe is not installed" in endpoint.message
        assert "serving.kserve.io/v1alpha2" in endpoint.message


class TestProductionStack:
    @pytest.mark.parametrize("kind", ["VLLMRouter", "VLLMRuntime"])
    def test_it_is_at_the_service_of_its_name(self, kind: str) -> None:
        item = entry({"type": kind.lower(), "name": "production"})
        its = service("production", {"name": "zmq", "port": 5555}, {"name": "http", "port": 80})
        endpoint = resolve(
            item,
            {"metadata": {"name": "production"}},
            served=STACK_SERVED,
            predictor=its,
        )
        assert (endpoint.address, endpoint.ready) == ("production.apps.svc:80", True)
        expected = f"{kind} apps/production: Service apps/production has ready addresses"
        assert endpoint.message == expected

    def test_without_ready_addresses_it_is_not_ready(self) -> None:
        its = service("production", {"name": "http", "port": 80})
        gone = Sighting([endpoint_slice("production", ready=False)])
        found = {"metadata": {"name": "production"}}
        endpoint = resolve(STACK, found, served=STACK_SERVED, predictor=its, slices=gone)
        assert (endpoint.ready, endpoint.reason) == (False, "NoReadyAddress")
        assert endpoint.address == "production.apps.svc:80"

    @pytest.mark.parametrize(
        ("objects", "served", "reason"),
        [
            ([], {}, "BackendApiNotInstalled"),
            ([], STACK_SERVED, "BackendObjectNotFound"),
            ([{"metadata": {"name": "production"}}], STACK_SERVED, "BackendAddressUnknown"),
        ],
    )
    def test_what_is_missing_is_said(
        self, objects: list[dict[str, Any]], served: dict[str, list[str]], reason: str
    ) -> None:
        endpoint = resolve(STACK, *objects, served=served)
        assert (endpoint.ready, endpoint.reason) == (False, reason)
        assert endpoint.address == ""

    def test_the_address_of_another_object_does_not_stay(self) -> None:
        endpoint = resolve(STACK, served=STACK_SERVED, endpoints=earlier("other.apps.svc:80"))
        assert endpoint.address == ""
        known = earlier("production.apps.svc:80")
        assert resolve(STACK, served=STACK_SERVED, endpoints=known).address == known[0]["address"]


EPP = service("llama-epp", {"name": "grpc", "port": 9002})


class TestInferencePool:
    @staticmethod
    def pool(reference: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
        picker = {"name": "llama-epp", "kind": "Service", "port": {"number": 9002}}
        picker.update(reference or {})
        return {"metadata": {"name": "llama"}, "spec": {"endpointPickerRef": picker, **spec}}

    def resolve(self, pool: dict[str, Any] | None, **more: Any) -> Endpoint:
        found = [pool] if pool else []
        picked = {"slices": Sighting([endpoint_slice("llama-epp")]), "predictor": EPP, **more}
        return resolve(POOL, *found, served=POOL_SERVED, **picked)

    def test_it_is_where_its_endpoint_picker_is(self) -> None:
        endpoint = self.resolve(self.pool())
        assert (endpoint.address, endpoint.scheme) == ("llama-epp.apps.svc:9002", "https")
        assert (endpoint.pool, endpoint.ready) == ("llama", True)
        assert endpoint.message == (
            "endpoint picker of InferencePool apps/llama: Service apps/llama-epp has ready "
            "addresses"
        )
        assert backends.service_of("apps", POOL, Sighting([self.pool()])) == "llama-epp"

    def test_a_picker_without_tls_is_what_the_spec_says(self) -> None:
        item = entry({"type": "inferencepool", "name": "llama", "pickerScheme": "http"})
        endpoint = resolve(item, self.pool(), served=POOL_SERVED, predictor=EPP)
        assert endpoint.scheme == "http"

    @pytest.mark.parametrize(
        ("pool", "more", "reason"),
        [
            (None, {}, "BackendObjectNotFound"),
            ({"kind": "Other"}, {}, "BackendAddressUnknown"),
            ({"group": "example.com"}, {}, "BackendAddressUnknown"),
            ({"port": None}, {}, "BackendAddressUnknown"),
            ({"port": {"number": 9003}}, {}, "BackendAddressUnknown"),
            ({}, {"predictor": Sighting()}, "BackendAddressUnknown"),
            ({}, {"predictor": Sighting(denied="no")}, "BackendUnreadable"),
            ({}, {"slices": Sighting()}, "NoReadyAddress"),
        ],
    )
    def test_one_without_a_picker_is_not_ready(
        self, pool: dict[str, Any] | None, more: dict[str, Any], reason: str
    ) -> None:
        endpoint = self.resolve(None if pool is None else self.pool(pool), **more)
        assert (endpoint.ready, endpoint.reason) == (False, reason)

    def test_pods_that_speak_another_protocol_are_out_of_reach(self) -> None:
        endpoint = self.resolve(self.pool(appProtocol="kubernetes.io/h2c"))
        assert (endpoint.address, endpoint.reason) == ("", "BackendOutOfReach")

    def test_its_picker_stays_while_it_is_not_there(self) -> None:
        url = "https://llama-epp.apps.svc:9002"
        known = [{**earlier("llama-epp.apps.svc:9002")[0], "url": url}]
        endpoint = self.resolve(None, endpoints=known)
        assert (endpoint.url, endpoint.pool) == (url, "llama")


class TestSelector:
    @staticmethod
    def entry(**more: Any) -> dict[str, Any]:
        return entry({"type": "selector", "selector": {"labels": {"app": "vllm"}, **more}})

    @pytest.mark.parametrize(
        ("port", "address"),
        [
            (None, "vllm.apps.svc:8000"),
            (9000, "vllm.apps.svc:9000"),
            ("metrics", "vllm.apps.svc:9000"),
        ],
    )
    def test_the_port_is_the_one_that_is_named(self, port: int | str | None, address: str) -> None:
        found = service("vllm", {"name": "metrics", "port": 9000}, {"name": "http", "port": 8000})
        item = self.entry(**({"port": port} if port else {}))
        endpoint = resolve(item, found)
        assert (endpoint.address, endpoint.ready) == (address, True)

    def test_a_service_without_that_port_is_passed_over(self) -> None:
        other, right = service("a", {"port": 80}), service("b", {"name": "api", "port": 81})
        assert resolve(self.entry(port="api"), other, right).address == "b.apps.svc:81"
        endpoint = resolve(self.entry(port="grpc"), other, right)
        assert (endpoint.ready, endpoint.reason) == (False, "NothingSelected")
        assert endpoint.message == "the Services that match app=vllm have no port grpc: a, b"

    def test_it_may_be_elsewhere_and_speak_another_scheme(self) -> None:
        item = self.entry(namespace="models", scheme="https")
        endpoint = resolve(item, service("vllm", {"port": 8000}))
        assert (endpoint.address, endpoint.scheme) == ("vllm.models.svc:8000", "https")
        nothing = resolve(item)
        assert nothing.message == "no Service in namespace models matches app=vllm"


class TestKServe:
    @pytest.mark.parametrize(
        ("ports", "spec", "address", "scheme"),
        [
            ([{"port": 8443}], {}, "llama-3-8b-predictor.apps.svc:8443", "https"),
            ([{"port": 80}, {"port": 8443}], {}, "llama-3-8b-predictor.apps.svc:8443", "https"),
            # RawDeployment, which upstream calls Standard.
            (
                [{"port": 80, "targetPort": 8080}],
                {},
                "llama-3-8b-predictor.apps.svc:80",
                "http",
            ),
            (
                [{"port": 80, "targetPort": 8080}],
                {"clusterIP": "None"},
                "llama-3-8b-predictor.apps.svc:8080",
                "http",
            ),
            (
                [{"port": 9443, "appProtocol": "https"}],
                {},
                "llama-3-8b-predictor.apps.svc:9443",
                "https",
            ),
        ],
    )
    def test_the_port_is_that_of_the_predictors_service(
        self, ports: list[dict[str, Any]], spec: dict[str, Any], address: str, scheme: str
    ) -> None:
        found = resolve(KSERVE, READY, predictor=service("llama-3-8b-predictor", *ports, **spec))
        assert (found.address, found.scheme, found.ready) == (address, scheme, True)
        assert found.message == "InferenceService apps/llama-3-8b is Ready"

    @pytest.mark.parametrize(
        ("url", "address"),
        [
            ("http://llama-3-8b.apps.svc.cluster.local", "llama-3-8b.apps.svc:80"),
            ("https://llama-3-8b-predictor.apps.svc", "llama-3-8b-predictor.apps.svc:443"),
            (
                "http://llama-3-8b-predictor.apps.svc.example.org:8080/v1",
                "llama-3-8b-predictor.apps.svc:8080",
            ),
        ],
    )
    @pytest.mark.parametrize(
        "predictor",
        [None, service("llama-3-8b-predictor", {"port": 80}, type="ExternalName")],
        ids=["without-service", "ingress"],
    )
    def test_without_a_service_of_its_own_its_url_says_where(
        self, url: str, address: str, predictor: dict[str, Any] | None
    ) -> None:
        found = resolve(KSERVE, inference_service(url, status="True"), predictor=predictor)
        assert (found.address, found.ready) == (address, True)

    @pytest.mark.parametrize("url", ["", "http://llama.example.com", "grpc://a.b.svc", "http://["])
    def test_one_that_says_nowhere_is_not_ready(self, url: str) -> None:
        found = resolve(KSERVE, inference_service(url, status="True"))
        assert (found.ready, found.reason) == (False, "PredictorNotFound")
        assert "neither a Service llama-3-8b-predictor" in found.message

    def test_what_was_found_stays_while_the_model_is_not_there(self) -> None:
        known = earlier("llama-3-8b-predictor.apps.svc:80")
        found = resolve(KSERVE, endpoints=known)
        assert (found.address, found.scheme, found.ready) == (
            "llama-3-8b-predictor.apps.svc:80",
            "http",
            False,
        )

    @pytest.mark.parametrize("known", ["llama-3-8b-predictor.apps.svc:8443", ""])
    def test_one_that_was_not_seen_is_assumed(self, known: str) -> None:
        assert resolve(KSERVE, endpoints=earlier(known) if known else []).is_assumed
        assert not resolve(
            KSERVE, READY, predictor=service("llama-3-8b-predictor", {"port": 80})
        ).is_assumed

    def test_with_tls_in_the_spec_it_is_asked_with_tls_whatever_its_port(self) -> None:
        wanted = {**KSERVE, "backend": {**KSERVE["backend"], "tls": {"caRef": {"name": "ca"}}}}
        found = resolve(wanted, READY, predictor=service("llama-3-8b-predictor", {"port": 80}))
        assert (found.address, found.scheme) == ("llama-3-8b-predictor.apps.svc:80", "https")

    def test_what_was_found_for_another_inference_service_does_not_stay(self) -> None:
        found = resolve(KSERVE, endpoints=earlier("other-predictor.apps.svc:80"))
        assert found.address == "llama-3-8b-predictor.apps.svc:8443"

    def test_a_predictor_that_may_not_be_read_is_said(self) -> None:
        found = resolve(KSERVE, READY, predictor=Sighting(denied="services is forbidden"))
        assert found.reason == "BackendUnreadable"
        assert "Service apps/llama-3-8b-predictor: services is forbidden" in found.message

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
        assert found.message == "Service apps/alpha has ready addresses"
        assert found.remark == "3 Services match: uses alpha, not beta, zeta"

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
            ([{"port": 80, "targetPort": "web"}], {"clusterIP": "None"}, 8000),
        ],
    )
    def test_port_comes_from_the_service(
        self, ports: list[dict[str, Any]], spec: dict[str, Any], expected: int
    ) -> None:
        slices = Sighting([endpoint_slice("a", {"name": "", "port": 8000})])
        assert resolve(LLAMASTACK, service("a", *ports, **spec), slices=slices).port == expected

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
            # Which number the name has, nobody knows before there are pods.
            service("vllm", {"port": 80, "targetPort": "http"}, clusterIP="None"),
        ],
    )
    def test_services_that_map_no_port_are_dialled_as_the_spec_says(
        self, found: dict[str, Any]
    ) -> None:
        assert resolve(SERVICE, found).ready

    @pytest.mark.parametrize(("number", "ready"), [(8000, True), (9000, False)])
    def test_a_headless_services_named_port_is_looked_up_in_its_endpoint_slices(
        self, number: int, ready: bool
    ) -> None:
        headless = service(
            "vllm", {"name": "web", "port": 80, "targetPort": "http"}, clusterIP="None"
        )
        slices = Sighting([endpoint_slice("vllm", {"name": "web", "port": number})])
        found = resolve(SERVICE, headless, slices=slices)
        assert found.ready == ready
        if not ready:
            assert found.message.endswith("the pods' own port is needed: 9000, not 8000")

    @pytest.mark.parametrize(
        "slices",
        [
            [],
            [endpoint_slice("vllm", ready=False)],
            [endpoint_slice("another")],
            [{**endpoint_slice("vllm"), "endpoints": None}],
        ],
    )
    def test_without_a_ready_address_it_is_not_ready_and_keeps_its_address(
        self, slices: list[dict[str, Any]]
    ) -> None:
        found = resolve(SERVICE, service("vllm", {"port": 8000}), slices=Sighting(slices))
        assert (found.ready, found.reason) == (False, "NoReadyAddress")
        assert found.message == "Service apps/vllm has no ready address behind it"
        assert found.address == "vllm.apps.svc:8000"

    def test_an_address_whose_readiness_is_not_said_counts_as_ready(self) -> None:
        slices = Sighting([endpoint_slice("vllm", ready=None)])
        found = resolve(SERVICE, service("vllm", {"port": 8000}), slices=slices)
        assert (found.ready, found.message) == (True, "Service apps/vllm has ready addresses")

    def test_slices_that_may_not_be_listed_are_said(self) -> None:
        denied = Sighting(denied="endpointslices is forbidden")
        found = resolve(SERVICE, service("vllm", {"port": 8000}), slices=denied)
        assert found.reason == "BackendUnreadable"
        assert found.message.startswith("EndpointSlices of Service apps/vllm: ")

    def test_an_external_name_gets_the_name_that_it_stands_for(self) -> None:
        external = service("vllm", type="ExternalName", externalName="models.example.com")
        found = resolve(SERVICE, external, slices=Sighting())
        assert (found.ready, found.server_name) == (True, "models.example.com")
        assert found.address == "vllm.apps.svc:8000"

    def test_a_service_that_may_not_be_read_keeps_its_address(self) -> None:
        found = resolve(SERVICE, denied="services is forbidden")
        assert found.reason == "BackendUnreadable"
        assert found.address == "vllm.apps.svc:8000"


def test_long_lists_in_messages_are_cut() -> None:
    ports = [{"port": number} for number in range(1, 9)]
    assert resolve(SERVICE, service("vllm", *ports)).message.endswith("1, 2, 3, 4, 5 and 3 more")
