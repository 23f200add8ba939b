"""What a client can and cannot do: real Envoy on the rendered bootstrap, stubs behind it.

The names of the Services are resolved by the test's own name server to addresses in 127/8; the
bootstrap is otherwise what the operator writes (`in_this_machine` says what is moved).
"""

from __future__ import annotations

import datetime
import http.client
import json
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import bootstrap
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy.limits import (
    BODY_LIMIT_BYTES,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import drain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from integration.data_path import wait
from integration.data_path.client import CHAT, Client, send
from integration.data_path.envoy_process import free_ports, in_this_machine, running
from integration.data_path.stub_backend import RouterApi, StubBackend, server_name_recorder
from integration.data_path.stub_dns import StubDns
from integration.data_path.stub_router import (
    AUTO,
    REFUSED,
    REFUSED_WITH_503,
    UNDECIDED,
    StubRouter,
)

ODD_MODEL = 'Ünï "quoted" 100%/x'
MANAGEMENT_PATHS = [
    "/config/router",
    "/config/kbs",
    "/config%2Frouter",
    "/config%2frouter",
    "//config/router",
    "/config//router",
    "/./config/router",
    "/%63onfig/router",
    "/health/../config/router",
    "/health/%2e%2e/config/router",
    "/health/..%2fconfig/router",
    "/health\\..\\config\\router",
    "/api/v1/classify/../../../config/router",
    "/api/v1/classify/%2e%2e/%2e%2e/%2e%2e/config/router",
    "/v1/../config/router",
    "/config/router?x=/health",
    "/config/router#/health",
    "/health;/../config/router",
    "/info/classifier",
    "/api/v1/response-cache/flush",
    "/api/v1/classification-not-below-classify",
    "/v1/files",
    "/metrics",
    "/",
]


@dataclass
class DataPath(Client):
    """One Envoy and what is around it."""

    router: StubRouter
    api: RouterApi
    dns: StubDns
    backends: dict[str, StubBackend]
    log: Path
    admin: int


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS, with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stub")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.sni_callback = server_name_recorder  # type: ignore[assignment]
    return context


def _router(
    listener: int, grpc: int, metrics: int, endpoints: Iterable[Endpoint] = (), **envoy: bool
) -> Router:
    return Router(
        {
            "apiVersion": "vllm.ai/v1alpha1",
            "kind": "SemanticRouter",
            "metadata": {"name": "my-router", "namespace": "default"},
            "spec": {
                "service": {
                    "api": {"targetPort": listener},
                    "grpc": {"targetPort": grpc},
                    "metrics": {"targetPort": metrics},
                },
                "envoy": envoy,
                "vllmEndpoints": [_entry(endpoint) for endpoint in endpoints],
            },
        }
    )


def _entry(endpoint: Endpoint) -> dict[str, Any]:
    adapters = [{"name": "plain-model-maths"}] if endpoint.model == "plain-model" else []
    return {
        "name": endpoint.name,
        "model": endpoint.model,
        "weight": endpoint.weight,
        "loras": adapters,
        "backend": {"type": "service", "service": {"name": endpoint.name, "port": 1}},
    }


def _endpoint(name: str, model: str, port: int, weight: int = 1, scheme: str = "http") -> Endpoint:
    service, namespace = (name, "models") if port else ("", "")
    return Endpoint(name, model, weight, service, namespace, port, scheme, ready=bool(port))


@pytest.fixture(scope="module")
def start(
    tls: ssl.SSLContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., DataPath]]:
    """Start a data path; `router_is_up=False` leaves ext_proc's port without a listener."""
    with ExitStack() as stack:

        def start_one(router_is_up: bool = True, **envoy: bool) -> DataPath:
            plain = stack.enter_context(StubBackend("plain", "127.0.0.2"))
            secure = stack.enter_context(StubBackend("secure", "127.0.0.3", tls=tls))
            other = stack.enter_context(StubBackend("other", "127.0.0.4"))
            pods = [
                stack.enter_context(StubBackend("other", address, other.port))
                for address in ("127.0.0.5", "127.0.0.6")
            ]
            odd = stack.enter_context(StubBackend("odd", "127.0.0.7"))
            api = stack.enter_context(RouterApi("api", "127.0.0.1"))
            stub_router = StubRouter("plain-model")
            if router_is_up:
                stack.enter_context(stub_router)
            listener, admin, metrics, nobody, late = free_ports(5)
            grpc = stub_router.port if router_is_up else nobody
            dns = stack.enter_context(
                StubDns(
                    {
                        "plain.models.svc": [plain.address],
                        "secure.models.svc": [secure.address],
                        # A headless Service with three pods.
                        "other.models.svc": [other.address, *(pod.address for pod in pods)],
                        "odd.models.svc": [odd.address],
                        "refusing.models.svc": ["127.0.0.8"],
                    }
                )
            )
            facts = Facts(
                endpoints=[
                    _endpoint("plain", "plain-model", plain.port, weight=1000),
                    _endpoint("secure", "mixed-model", secure.port, weight=80, scheme="https"),
                    _endpoint("other", "mixed-model", other.port, weight=20),
                    _endpoint("odd", ODD_MODEL, odd.port),
                    _endpoint("unresolved", "unresolved-model", 0),
                    _endpoint("drained", "drained-model", plain.port, weight=0),
                    _endpoint("late", "late-model", late),
                    _endpoint("refusing", "refusing-model", nobody),
                    _endpoint("refusing", "half-dead-model", nobody),
                    _endpoint("nowhere", "half-dead-model", nobody),
                    _endpoint("odd", "half-dead-model", odd.port),
                ]
            )
            cr = _router(listener, grpc, metrics, facts.endpoints, **envoy)
            ports = pod_ports(cr.spec)
            rendered = in_this_machine(
                bootstrap(cr, facts), {ports.api: api.port, ports.admin: admin}, dns.port
            )
            log = stack.enter_context(running(rendered, tmp_path_factory.mktemp("envoy")))
            backends = {"plain": plain, "secure": secure, "other": other, "odd": odd}
            late_backend = StubBackend("late", "127.0.0.9", late)
            backends["late"] = stack.enter_context(late_backend)
            return DataPath(listener, stub_router, api, dns, backends, log, admin)

        yield start_one


@pytest.fixture(scope="module")
def data_path(start: Callable[..., DataPath]) -> DataPath:
    """Everything up, with the defaults of the CRD."""
    return start()


def test_a_models_request_lands_on_its_backend_with_that_backends_host(
    data_path: DataPath,
) -> None:
    assert data_path.served_by("plain-model") == "plain"
    call = data_path.backends["plain"].calls[-1]
    assert call.headers["host"] == "plain.models.svc"
    assert call.path == CHAT
    assert json.loads(call.body) == {"model": "plain-model"}


def test_auto_lands_on_the_model_that_the_router_selects(data_path: DataPath) -> None:
    answer = data_path.chat(AUTO)
    assert answer.json == {"served_by": "plain", "model": "plain-model"}
    assert answer.headers["x-vsr-schema-version"] == "stub"


def test_http_and_https_endpoints_of_one_model_each_get_their_own_host_and_sni(
    data_path: DataPath,
) -> None:
    reached = {data_path.served_by("mixed-model") for _ in range(60)}
    assert reached == {"secure", "other"}
    secure, plain = data_path.backends["secure"].calls, data_path.backends["other"].calls
    assert {(call.headers["host"], call.sni) for call in secure} == {
        ("secure.models.svc", "secure.models.svc")
    }
    assert {call.headers["host"] for call in plain} <= {"other.models.svc"}


def test_a_lora_adapter_is_served_by_the_endpoints_of_its_model(data_path: DataPath) -> None:
    assert data_path.served_by("plain-model-maths") == "plain"


def test_a_models_name_may_have_any_character(data_path: DataPath) -> None:
    assert data_path.served_by(ODD_MODEL) == "odd"


def test_weights_hold_over_a_thousand_requests(data_path: DataPath) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", data_path.port, timeout=20)
    counted = Counter(
        send(connection, CHAT, {"model": "mixed-model"}).json["served_by"] for _ in range(1000)
    )
    connection.close()
    # 200 of 1,000, give or take five standard deviations (12.6) of independent choices. If weights
    # counted per address, the headless Service's three would get 429.
    assert counted["secure"] + counted["other"] == 1000
    assert 137 <= counted["other"] <= 263


@pytest.mark.parametrize(
    "model", ["unresolved-model", "drained-model", "refusing-model", 'no "such" %REQ(host)% model']
)
def test_a_model_without_an_endpoint_answers_503_and_names_the_model(
    data_path: DataPath, model: str
) -> None:
    answer = data_path.chat(model)
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {
        "error": {
            "message": f"Model {model} has no endpoint that answers",
            "type": "router_error",
            "param": None,
            "code": "model_unavailable",
        }
    }


def test_one_dead_endpoint_does_not_fail_the_requests_of_its_model(data_path: DataPath) -> None:
    assert {data_path.served_by("half-dead-model") for _ in range(30)} == {"odd"}


def test_a_backend_that_appears_late_is_found(data_path: DataPath) -> None:
    assert data_path.chat("late-model").status == 503
    data_path.dns.records["late.models.svc"] = ["127.0.0.9"]
    wait.until(lambda: data_path.chat("late-model").status == 200, "the late backend is found")
    assert data_path.served_by("late-model") == "late"


@pytest.mark.parametrize("model", ["plain-model", UNDECIDED])
def test_a_client_cannot_choose_the_backend_with_the_internal_header(
    data_path: DataPath, model: str
) -> None:
    assert data_path.served_by(model, x_selected_model=ODD_MODEL.encode().decode("latin-1")) == (
        "plain"
    )
    assert data_path.served_by(model, X_SELECTED_MODEL="mixed-model") == "plain"


def test_a_client_cannot_choose_the_backend_with_the_host(data_path: DataPath) -> None:
    other = data_path.backends["odd"]
    for host in ("odd.models.svc", f"{other.address}:{other.port}"):
        assert data_path.served_by("plain-model", Host=host) == "plain"
        absolute = data_path.ask(f"http://{host}{CHAT}", {"model": "plain-model"})
        assert absolute.json["served_by"] == "plain"
    assert data_path.backends["plain"].calls[-1].headers["host"] == "plain.models.svc"


def test_connect_is_not_served(data_path: DataPath) -> None:
    other = data_path.backends["odd"]
    before = len(other.calls), len(data_path.router.seen)
    with socket.create_connection(("127.0.0.1", data_path.port), timeout=20) as connection:
        target = f"{other.address}:{other.port}"
        connection.sendall(f"CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 403")
    assert (len(other.calls), len(data_path.router.seen)) == before


def test_internal_headers_of_a_client_reach_neither_router_nor_backend(
    data_path: DataPath,
) -> None:
    internal = {
        "x-selected-model": "mixed-model",
        "x-vsr-looper-request": "true",
        "X-VSR-Looper-Secret": "guess",
        "x-vsr-internal-auth": "guess",
        "x-vsr-fusion-depth": "0",
        "x-authz-user-id": "root",
        "x-authz-user-groups": "admins",
        "x-authz-tenant-id": "other",
        "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "100",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    answer = data_path.ask(body={"model": UNDECIDED}, headers={**internal, "x-harmless": "stays"})
    assert answer.status == 200
    seen_by_router = data_path.router.seen[-1]
    seen_by_backend = data_path.backends["plain"].calls[-1].headers
    forbidden = {name.lower() for name in internal}
    assert seen_by_router["x-harmless"] == seen_by_backend["x-harmless"] == "stays"
    assert not forbidden & seen_by_router.keys()
    # What the backend gets is the default model's name, set by Envoy.
    assert forbidden & seen_by_backend.keys() == {"x-selected-model"}
    assert seen_by_backend["x-selected-model"] == "plain-model"


def test_the_routers_own_answers_pass_untouched(data_path: DataPath) -> None:
    assert data_path.ask("/v1/models").json == {"object": "list", "data": []}
    assert data_path.chat(REFUSED).status == 403
    refused = data_path.chat(REFUSED_WITH_503)
    assert (refused.status, refused.json) == (503, {"error": "refused by the router"})


@pytest.mark.parametrize("path", ["/health", "/ready", "/startup-status", "/info/models"])
def test_the_routers_api_is_served_without_asking_ext_proc(data_path: DataPath, path: str) -> None:
    asked_before = len(data_path.router.seen)
    answer = data_path.ask(path)
    assert (answer.status, answer.json["path"]) == (200, path)
    assert len(data_path.router.seen) == asked_before


def test_the_routers_classification_is_served(data_path: DataPath) -> None:
    path = "/api/v1/classify/intent"
    assert data_path.ask(path, {"text": "What is 2 + 2?"}).json["path"] == path


@pytest.mark.parametrize("path", MANAGEMENT_PATHS)
def test_the_rest_of_the_routers_api_is_not_reachable(data_path: DataPath, path: str) -> None:
    for method in ("GET", "PUT"):
        calls_before = len(data_path.api.calls)
        answer = data_path.ask(path, method=method, headers={"content-length": "0"})
        assert answer.status in (400, 404), answer
        assert len(data_path.api.calls) == calls_before


def test_server_sent_events_arrive_one_by_one(data_path: DataPath) -> None:
    backend = data_path.backends["plain"]
    connection = http.client.HTTPConnection("127.0.0.1", data_path.port, timeout=20)
    connection.request("POST", CHAT, json.dumps({"model": "plain-model", "stream": True}))
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    assert response.readline() == b"data: one\n"
    # The backend sends the second event only after this, or when it has lost patience.
    backend.let_stream_go_on.set()
    assert response.read() == b"\ndata: [DONE]\n\n"
    connection.close()
    assert backend.client_was_first


def test_a_prompt_of_some_mebibytes_passes_and_one_beyond_the_limit_is_refused(
    data_path: DataPath,
) -> None:
    image = "x" * (8 * 1024 * 1024)
    big = data_path.ask(body={"model": "plain-model", "image": image})
    assert big.status == 200
    assert len(data_path.backends["plain"].calls[-1].body) > len(image)
    connection = http.client.HTTPConnection("127.0.0.1", data_path.port, timeout=20)
    connection.putrequest("POST", CHAT)
    connection.putheader("content-length", str(BODY_LIMIT_BYTES + 1))
    connection.endheaders()
    connection.send(b"x" * (BODY_LIMIT_BYTES + 1))
    assert connection.getresponse().status == 413
    connection.close()


def test_the_access_log_is_json_and_keeps_secrets_out(data_path: DataPath) -> None:
    answer = data_path.ask(
        CHAT + "?api_key=in-the-query",
        {"model": "plain-model", "prompt": "in-the-body"},
        headers={
            "authorization": "Bearer in-the-header",
            "x-request-id": "find-me",
            "x-forwarded-for": "203.0.113.9",
        },
    )
    assert answer.status == 200
    wait.until(lambda: "find-me" in data_path.log.read_text(), "the request is logged")
    text = data_path.log.read_text()
    line = next(json.loads(line) for line in text.splitlines() if "find-me" in line)
    assert (line["path"], line["status"], line["model"]) == (CHAT, 200, "plain-model")
    assert line["client"].startswith("127.0.0.1:")
    for secret in ("in-the-query", "in-the-body", "in-the-header"):
        assert secret not in text


def test_a_router_without_models_says_so(tmp_path: Path) -> None:
    listener, grpc, metrics, api, admin, dns = free_ports(6)
    cr = _router(listener, grpc, metrics, failureModeAllow=True)
    ports = pod_ports(cr.spec)
    rendered = in_this_machine(bootstrap(cr, Facts()), {ports.api: api, ports.admin: admin}, dns)
    with running(rendered, tmp_path):
        connection = http.client.HTTPConnection("127.0.0.1", listener, timeout=20)
        answer = send(connection, CHAT, {"model": AUTO})
        connection.close()
    assert (answer.status, answer.json["error"]["code"]) == (503, "no_models")
    assert answer.headers["content-type"] == "application/json"


def test_requests_fail_while_the_router_is_down(start: Callable[..., DataPath]) -> None:
    closed = start(router_is_up=False)
    assert closed.chat("plain-model").status == 503
    assert closed.ask("/v1/models").status == 503
    assert not any(backend.calls for backend in closed.backends.values())


def test_requests_pass_to_the_default_model_while_the_router_is_down_if_the_cr_opted_out(
    start: Callable[..., DataPath],
) -> None:
    opened = start(router_is_up=False, failureModeAllow=True)
    assert opened.served_by("mixed-model", x_selected_model="mixed-model") == "plain"
    assert opened.ask("/config/router").status == 404


@contextmanager
def _before_stop(lifecycle: dict[str, Any], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A container's preStop command, in a hurry, on the port that this test has moved it to."""
    command = lifecycle["preStop"]["exec"]["command"][:-3]
    with subprocess.Popen([*command, str(port), "1", "30"]) as hook:
        try:
            yield hook
        finally:
            hook.kill()


def _is_still_there(hook: subprocess.Popen[bytes], seconds: float = 3) -> bool:
    try:
        hook.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def test_a_pod_that_ends_finishes_what_it_has_in_hand_and_sends_clients_elsewhere(
    start: Callable[..., DataPath],
) -> None:
    mine = start()
    spec = _router(mine.port, 1, 2).spec
    answering = http.client.HTTPConnection("127.0.0.1", mine.port, timeout=20)
    answering.request("POST", CHAT, json.dumps({"model": "plain-model", "stream": True}))
    stream = answering.getresponse()
    assert stream.readline() == b"data: one\n"
    kept = http.client.HTTPConnection("127.0.0.1", mine.port, timeout=20)
    question = {"model": ODD_MODEL}
    assert send(kept, CHAT, question).headers.get("connection") != "close"

    envoy_lifecycle = drain.envoy_drain(spec, pod_ports(spec))
    router_lifecycle = drain.router_drain(spec, pod_ports(spec))
    with (
        _before_stop(envoy_lifecycle, mine.admin) as envoy,
        _before_stop(router_lifecycle, mine.port) as router,
    ):
        wait.until(
            lambda: send(kept, CHAT, question).headers.get("connection") == "close",
            "a kept connection is given up",
        )
        assert mine.served_by(ODD_MODEL) == "odd", "who has not heard yet is still served"
        assert _is_still_there(envoy), "an answer is still on its way"
        mine.backends["plain"].let_stream_go_on.set()
        assert stream.read() == b"\ndata: [DONE]\n\n"
        answering.close()
        assert envoy.wait(10) == 0
        assert _is_still_there(router), "Envoy is not gone yet"
        admin = http.client.HTTPConnection("127.0.0.1", mine.admin, timeout=5)
        admin.request("POST", "/quitquitquit")
        admin.getresponse().read()
        admin.close()
        assert router.wait(10) == 0
    kept.close()
