"""What a client of a Gateway can and cannot do.

Real Envoy on what the real Envoy Gateway makes of the operator's objects; stubs behind it. The
Services' EndpointSlices are the test's and name stubs on 127/8, by FQDN: a slice must not hold such
addresses.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from control_plane import Kubectl, envoy_gateway
from control_plane.process import Process
from e2e.gateway import proxy
from e2e.gateway.gateways import attach, create_gateway, publish
from e2e.operator_process import Operator
from e2e.semantic_router import SemanticRouter, minimal
from eventually import eventually
from guide import PAGES, blocks
from integration.data_path import decisions
from integration.data_path.certificates import Authority
from integration.data_path.client import CHAT, Answer, Client, prompt
from integration.data_path.decisions import BLOCKED, NO_OPINION
from integration.data_path.envoy_process import free_ports
from integration.data_path.stub_backend import Call, Echo, RouterApi, StubBackend
from integration.data_path.stub_dns import StubDns
from integration.data_path.test_data_path import MANAGEMENT_PATHS
from stand_ins.ext_proc import AUTO, StubRouter

QWEN, LORA, LLAMA, LOST = "qwen2.5-7b", "qwen2.5-7b-maths", "meta/llama-3.1-8b", "lost-model"
# The host of a router that does not answer, behind the same Gateway.
DOWN = "down.example.com"
# The host of one that asks for a key, and welcomes a page.
LOCKED = "locked.example.com"
KEY, PAGE = "alices-key-0123456789", "https://chat.example.com"


@dataclass
class DataPath(Client):
    """One Gateway and what is around it."""

    router: StubRouter
    api: RouterApi
    backends: dict[str, StubBackend]

    def calls(self) -> int:
        """How many requests the backends have got."""
        return sum(len(backend.calls) for backend in self.backends.values())

    def ask_where_the_router_is_down(self) -> Answer:
        return self.ask(body=prompt(QWEN), headers={"Host": DOWN})


def endpoint(name: str, model: str) -> dict[str, Any]:
    backend = {"type": "service", "service": {"name": f"vllm-{name}", "port": 8000}}
    return {"name": name, "model": model, "backend": backend}


class Stumbling(StubBackend):
    """Says 503 as often as it is told to."""

    stumbles = 0

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        if self.stumbles:
            self.stumbles -= 1
            return 503, {}
        return super().answer(call)


def trust(router: SemanticRouter, authority: Authority) -> None:
    """The ConfigMap with the CA of a backend."""
    data = {"data": {"ca.crt": authority.certificate}}
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "llama-ca"}, **data}
    router.kubectl("apply", "-n", router.namespace, "-f", "-", stdin=json.dumps(manifest))


def config_yaml(router: SemanticRouter) -> dict[str, Any]:
    """What the router in the pod reads."""
    data = router.read("configmap", f"{router.name}-config")["data"]
    return dict(yaml.safe_load(data["config.yaml"]))


@pytest.fixture(scope="module")
def data_path(
    operator: Operator,
    real_controller: Process,
    kubectl: Kubectl,
    shared_namespace: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DataPath]:
    with ExitStack() as stack:
        qwen = stack.enter_context(Echo("qwen", "127.0.0.2", models=[QWEN, LORA]))
        authority = Authority("models")
        context = authority.server(
            tmp_path_factory.mktemp("llama"), f"vllm-llama.{shared_namespace}.svc"
        )
        llama = stack.enter_context(Stumbling("llama", "127.0.0.3", tls=context, models=[LLAMA]))
        api = stack.enter_context(RouterApi("api", "127.0.0.1"))
        port, ext_proc, nobody = free_ports(3)
        names = {
            "qwen.stub.test": [qwen.address],
            "llama.stub.test": [llama.address],
            "router.stub.test": ["127.0.0.1"],
        }
        dns = stack.enter_context(StubDns({proxy.XDS_SERVER: ["127.0.0.1"], **names}))

        models = [endpoint("qwen", QWEN), endpoint("llama", LLAMA), endpoint("lost", LOST)]
        models[0]["loras"] = [{"name": LORA}]
        router = SemanticRouter(kubectl, shared_namespace)
        down = SemanticRouter(kubectl, shared_namespace, minimal("down"))
        locked = SemanticRouter(kubectl, shared_namespace, minimal("locked"))
        kubectl(
            *("create", "secret", "generic", "team", "-n", shared_namespace),
            f"--from-literal=alice={KEY}",
        )
        for name in ("qwen", "llama", "lost"):
            router.create_service(f"vllm-{name}")
        create_gateway(router, "eg", port=port)
        attach(router, extProc=True)
        attach(down, extProc=True, hostnames=[DOWN])
        attach(locked, extProc=True, hostnames=[LOCKED])
        locked.spec["auth"] = {"apiKeys": [{"secretRef": {"name": "team"}}]}
        locked.spec["cors"] = {"allowOrigins": [PAGE]}
        # Of a release that shows what everybody has asked.
        locked.spec["image"] = {"tag": "v0.3.0"}
        for each in (router, down, locked):
            each.spec["vllmEndpoints"] = deepcopy(models)
            each.spec["config"] = decisions.config((QWEN, LORA), (QWEN,))
        its = router.spec["vllmEndpoints"][1]
        its["backend"]["tls"] = {"caRef": {"name": "llama-ca"}}
        its["trafficPolicy"] = {"retry": {"numRetries": 2}, "timeout": {"request": "20s"}}
        trust(router, authority)
        for each in (router, down, locked):
            each.apply()
        publish(router, "vllm-qwen", "http", "qwen.stub.test", qwen.port)
        publish(router, "vllm-llama", "http", "llama.stub.test", llama.port)
        publish(router, router.name, "api", "router.stub.test", api.port)
        publish(router, f"{router.name}-headless", "grpc", "router.stub.test", ext_proc)
        publish(router, "down-headless", "grpc", "router.stub.test", nobody)
        publish(router, "locked", "api", "router.stub.test", api.port)
        publish(router, "locked-headless", "grpc", "router.stub.test", ext_proc)
        for each in (router, down, locked):
            each.wait_for("RouteReady")
        stub_router = stack.enter_context(StubRouter(config_yaml(router), "0.4", ext_proc))

        directory = tmp_path_factory.mktemp("proxy")
        certificates = envoy_gateway.proxy_certificates(real_controller.root)
        gateway = (shared_namespace, "public")
        stack.enter_context(proxy.running(kubectl, gateway, certificates, dns.port, directory))
        mine = DataPath(port, stub_router, api, {"qwen": qwen, "llama": llama})
        eventually(lambda: mine.chat(QWEN).status == 200, 30, "the Gateway to serve a model")
        yield mine


@pytest.mark.parametrize(
    ("asked", "backend"), [(QWEN, "qwen"), (LORA, "qwen"), (LLAMA, "llama"), (AUTO, "qwen")]
)
def test_a_models_request_lands_on_its_backend(
    asked: str, backend: str, data_path: DataPath
) -> None:
    answer = data_path.chat(asked)
    assert (answer.status, answer.json["served_by"]) == (200, backend)
    assert answer.headers["x-vsr-schema-version"] == "stub"
    assert json.loads(data_path.backends[backend].calls[-1].body)["model"] == (
        QWEN if asked == AUTO else asked
    )


def ask_the_locked_one(data_path: DataPath, path: str = CHAT, **headers: str) -> Answer:
    body = prompt(QWEN) if path == CHAT else None
    return data_path.ask(path, body, headers={"Host": LOCKED, **headers})


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/info/models", "/api/v1/classify/intent"])
def test_nobody_comes_in_without_a_key_where_one_is_asked_for(
    data_path: DataPath, path: str
) -> None:
    seen, calls = len(data_path.router.seen), data_path.calls()
    for headers in ({}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        assert ask_the_locked_one(data_path, path, **headers).status == 401
    assert (len(data_path.router.seen), data_path.calls()) == (seen, calls)


@pytest.mark.parametrize(
    "path", ["/v1/router_replay", "/v1/router_replay/aggregate?a=b", "/v1//router_replay/id"]
)
def test_what_others_have_asked_is_shown_to_nobody(data_path: DataPath, path: str) -> None:
    seen = len(data_path.router.seen)
    answer = ask_the_locked_one(data_path, path, authorization=f"Bearer {KEY}")
    assert answer.status in (500, 503)
    assert len(data_path.router.seen) == seen


@pytest.mark.parametrize("path", ["/health", "/ready", "/startup-status"])
def test_health_is_everybodys(data_path: DataPath, path: str) -> None:
    assert ask_the_locked_one(data_path, path).status == 200


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}])
def test_a_client_with_a_key_is_known_and_its_key_goes_no_further(
    data_path: DataPath, headers: dict[str, str]
) -> None:
    answer = ask_the_locked_one(data_path, **headers, **{"x-authz-user-id": "root"})
    assert answer.status == 200
    seen, got = data_path.router.seen[-1], data_path.backends["qwen"].calls[-1].headers
    assert seen["x-authz-user-id"] == "alice"
    assert KEY not in json.dumps([seen, got])


def test_a_page_may_ask_whether_it_may_without_a_key(data_path: DataPath) -> None:
    asked = {"Host": LOCKED, "origin": PAGE, "access-control-request-method": "POST"}
    answer = data_path.ask(CHAT, method="OPTIONS", headers=asked)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, PAGE)


def test_what_the_router_selects_wins_over_what_a_client_says_it_has(data_path: DataPath) -> None:
    assert data_path.served_by(QWEN, x_selected_model=LLAMA) == "qwen"
    assert data_path.served_by(LLAMA, x_selected_model=QWEN) == "llama"
    assert data_path.backends["llama"].calls[-1].headers["x-selected-model"] == LLAMA


def test_a_request_that_the_router_refuses_reaches_no_backend(data_path: DataPath) -> None:
    before = data_path.calls()
    for headers in ({}, {"x-selected-model": LLAMA}):
        answer = data_path.ask(body=prompt(AUTO, BLOCKED), headers=headers)
        said = answer.json["choices"][0]["message"]["content"]
        assert (answer.status, said) == (200, "This is not discussed here")
    assert data_path.calls() == before


def test_a_backend_is_asked_as_its_tls_and_its_policy_say(data_path: DataPath) -> None:
    llama = data_path.backends["llama"]
    assert isinstance(llama, Stumbling)
    before, llama.stumbles = len(llama.calls), 2
    assert data_path.served_by(LLAMA) == "llama"
    assert len(llama.calls) - before == 3
    assert str(llama.calls[-1].sni).startswith("vllm-llama.")


def test_a_backend_that_cannot_prove_its_name_to_the_gateway_gets_nothing(
    data_path: DataPath, kubectl: Kubectl, shared_namespace: str
) -> None:
    router, llama = SemanticRouter(kubectl, shared_namespace), data_path.backends["llama"]
    manifest = json.loads(
        kubectl("get", "configmap", "llama-ca", "-n", shared_namespace, "-o", "json")
    )

    def gets_nothing() -> bool:
        # A connection that was verified before is kept.
        llama.hang_up()
        before = len(llama.calls)
        return data_path.chat(LLAMA).status == 503 and len(llama.calls) == before

    trust(router, Authority("another"))
    try:
        eventually(gets_nothing, 60, "the Gateway to trust another")
    finally:
        router.patch("configmap", "llama-ca", {"data": manifest["data"]})
    eventually(lambda: data_path.chat(LLAMA).status == 200, 60, "the Gateway to trust it again")


def test_a_model_without_an_endpoint_fails_alone(data_path: DataPath) -> None:
    before = data_path.calls()
    assert data_path.chat(LOST).status == 503
    assert data_path.calls() == before


def test_prompts_and_answers_of_some_mebibytes_pass(data_path: DataPath) -> None:
    image = "x" * (8 * 1024 * 1024)
    answer = data_path.chat(QWEN, image)
    assert answer.status == 200
    assert len(answer.json["echo"]) > len(image)


def test_server_sent_events_arrive_one_by_one(data_path: DataPath) -> None:
    backend = data_path.backends["qwen"]
    connection = http.client.HTTPConnection("127.0.0.1", data_path.port, timeout=20)
    connection.request("POST", CHAT, json.dumps(prompt(QWEN, stream=True)))
    response = connection.getresponse()
    assert response.readline() == b"data: one\n"
    # The backend sends the second event only after this, or when it has lost patience.
    backend.let_stream_go_on.set()
    assert response.read() == b"\ndata: [DONE]\n\n"
    connection.close()
    assert backend.client_was_first


@pytest.mark.parametrize("path", ["/health", "/ready", "/info/models", "/v1/models"])
def test_the_routers_api_is_served_without_asking_ext_proc(data_path: DataPath, path: str) -> None:
    asked_before = len(data_path.router.seen)
    answer = data_path.ask(path)
    assert (answer.status, answer.json["path"]) == (200, path)
    assert len(data_path.router.seen) == asked_before


def test_the_rest_of_the_routers_api_is_not_reachable(data_path: DataPath) -> None:
    before = len(data_path.api.calls)
    statuses = {path: data_path.ask(path).status for path in MANAGEMENT_PATHS}
    # A path with an escaped slash is redirected to the same one without.
    assert set(statuses.values()) <= {307, 400, 404}, statuses
    assert len(data_path.api.calls) == before


def test_requests_fail_while_the_router_is_down_unless_the_cr_opted_out(
    data_path: DataPath, kubectl: Kubectl, shared_namespace: str
) -> None:
    before = data_path.calls()
    assert data_path.ask_where_the_router_is_down().status >= 500
    assert data_path.calls() == before

    down = SemanticRouter(kubectl, shared_namespace, minimal("down"))
    down.patch("semanticrouter", "down", {"spec": {"envoy": {"failureModeAllow": True}}})
    eventually(
        lambda: data_path.ask_where_the_router_is_down().status == 200,
        60,
        "the Gateway to let requests pass",
    )
    assert data_path.ask_where_the_router_is_down().json["served_by"] == "qwen"


def test_the_policy_of_the_guide_takes_internal_headers_away_from_clients(
    data_path: DataPath, kubectl: Kubectl, shared_namespace: str
) -> None:
    page = next(page for page in PAGES if page.name == "deployment-modes.md")
    documents = [yaml.safe_load(block) for block in blocks(page, "yaml")]
    (policy,) = (found for found in documents if found.get("kind") == "ClientTrafficPolicy")
    policy["metadata"]["namespace"] = shared_namespace
    policy["spec"]["targetRefs"][0]["name"] = "public"
    kubectl("apply", "--validate=strict", "-f", "-", stdin=json.dumps(policy))
    eventually(
        lambda: (
            data_path.ask(
                body=prompt(QWEN), headers={"x-selected-model": LLAMA, **NO_OPINION}
            ).json.get("served_by")
            == "qwen"
        ),
        30,
        "the Gateway to drop the header that chooses a model",
    )
    internal = {
        "x-selected-model": LLAMA,
        "x-vsr-looper-request": "true",
        "x-vsr-internal-auth": "guess",
        "x-vsr-fusion-depth": "0",
        "x-authz-user-id": "root",
    }
    headers = {**internal, **NO_OPINION, "x-harmless": "stays"}
    assert data_path.ask(body=prompt(QWEN), headers=headers).status == 200
    for seen in (data_path.router.seen[-1], data_path.backends["qwen"].calls[-1].headers):
        assert seen["x-harmless"] == "stays"
        assert not internal.keys() & seen.keys()
