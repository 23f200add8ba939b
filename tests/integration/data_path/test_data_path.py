"""What a client can and cannot do: real Envoy on the rendered bootstrap, stubs behind it.

The names of the Services are resolved by the test's own name server to addresses in 127/8; the
bootstrap is otherwise what the operator writes (`in_this_machine` says what is moved).
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import drain
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    MIB,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.ports import pod_ports
from integration.data_path import data_path as around
from integration.data_path import decisions, real_router, wait
from integration.data_path.client import CHAT, Client, prompt, send
from integration.data_path.data_path import endpoint
from integration.data_path.decisions import BLOCKED, EVERYONE, MATHS, NO_OPINION, UNFINDABLE
from integration.data_path.envoy_process import free_ports
from integration.data_path.stub_backend import Echo, StubBackend
from stand_ins.ext_proc import AUTO

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


ADAPTER = "plain-model-maths"
CONFIG = decisions.config(("plain-model", ADAPTER), ("plain-model", ODD_MODEL))


@dataclass
class DataPath(around.DataPath):
    """With backends that are up."""

    backends: dict[str, StubBackend]


@pytest.fixture(scope="module")
def start(
    tls: ssl.SSLContext, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., DataPath]]:
    """Start a data path; `router_is_up=False` leaves ext_proc's port without a listener."""
    with ExitStack() as stack:

        def start_one(config: dict[str, Any] = CONFIG, **more: Any) -> DataPath:
            def backend(
                name: str, address: str, *models: str, port: int = 0, **more: Any
            ) -> StubBackend:
                return stack.enter_context(StubBackend(name, address, port, models=models, **more))

            late_port, nobody = free_ports(2)
            plain = stack.enter_context(Echo("plain", "127.0.0.2", models=["plain-model", ADAPTER]))
            secure = backend("secure", "127.0.0.3", "mixed-model", tls=tls)
            other = backend("other", "127.0.0.4", "mixed-model")
            pods = [
                backend("other", address, "mixed-model", port=other.port)
                for address in ("127.0.0.5", "127.0.0.6")
            ]
            odd = backend("odd", "127.0.0.7", ODD_MODEL, "half-dead-model")
            late = backend("late", "127.0.0.9", "late-model", port=late_port)
            mine = around.start(
                stack,
                tmp_path_factory.mktemp("envoy"),
                [
                    endpoint("plain", "plain-model", plain.port, weight=100),
                    endpoint("secure", "mixed-model", secure.port, weight=80, scheme="https"),
                    endpoint("other", "mixed-model", other.port, weight=20),
                    endpoint("odd", ODD_MODEL, odd.port),
                    endpoint("unresolved", "unresolved-model", 0),
                    endpoint("drained", "drained-model", plain.port, weight=0),
                    endpoint("late", "late-model", late.port),
                    endpoint("refusing", "refusing-model", nobody),
                    endpoint("refusing-too", "half-dead-model", nobody),
                    endpoint("nowhere", "half-dead-model", nobody),
                    endpoint("odd-too", "half-dead-model", odd.port),
                ],
                {
                    "plain": [plain.address],
                    "secure": [secure.address],
                    # A headless Service with three pods.
                    "other": [other.address, *(pod.address for pod in pods)],
                    "odd": [odd.address],
                    "odd-too": [odd.address],
                    "refusing": ["127.0.0.8"],
                    "refusing-too": ["127.0.0.8"],
                },
                config=config,
                loras={"plain": [ADAPTER]},
                tls={"secure": {"insecureSkipVerify": True}},
                **more,
            )
            backends = {"plain": plain, "secure": secure, "other": other, "odd": odd, "late": late}
            return DataPath(**vars(mine), backends=backends)

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
    assert json.loads(call.body) == prompt("plain-model")


def test_auto_lands_on_the_model_that_the_router_selects(data_path: DataPath) -> None:
    answer = data_path.chat(AUTO)
    assert (answer.json["served_by"], answer.json["model"]) == ("plain", "plain-model")
    assert any(name.startswith("x-vsr-") for name in answer.headers)


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
    for answer in (data_path.chat(ADAPTER), data_path.chat(AUTO, f"Some {MATHS}, please")):
        assert (answer.json["served_by"], answer.json["model"]) == ("plain", ADAPTER)


def test_a_models_name_may_have_any_character(data_path: DataPath) -> None:
    assert data_path.served_by(ODD_MODEL) == "odd"


def test_weights_hold_over_a_thousand_requests(data_path: DataPath) -> None:
    connection = data_path.connect()
    counted = Counter(
        send(connection, CHAT, prompt("mixed-model")).json["served_by"] for _ in range(1000)
    )
    connection.close()
    # 200 of 1,000, give or take five standard deviations (12.6) of independent choices. If weights
    # counted per address, the headless Service's three would get 429.
    assert counted["secure"] + counted["other"] == 1000
    assert 137 <= counted["other"] <= 263


@pytest.mark.parametrize("model", ["unresolved-model", "drained-model", "refusing-model"])
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


@pytest.mark.parametrize("opinion", [{}, NO_OPINION], ids=["asked", "without opinion"])
def test_a_client_cannot_choose_the_backend_with_the_internal_header(
    data_path: DataPath, opinion: dict[str, str]
) -> None:
    for name, model in (
        ("x-selected-model", ODD_MODEL.encode().decode("latin-1")),
        ("X-SELECTED-MODEL", "mixed-model"),
        ("x-vsr-selected-model", "mixed-model"),
    ):
        answer = data_path.ask(body=prompt("plain-model"), headers={name: model, **opinion})
        assert answer.json["served_by"] == "plain"


def test_a_client_cannot_choose_the_backend_with_the_host(data_path: DataPath) -> None:
    other = data_path.backends["odd"]
    for host in ("odd.models.svc", f"{other.address}:{other.port}"):
        assert data_path.served_by("plain-model", Host=host) == "plain"
        absolute = data_path.ask(f"http://{host}{CHAT}", prompt("plain-model"))
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
    headers = {**internal, **NO_OPINION, "x-harmless": "stays"}
    assert data_path.ask(body=prompt("plain-model"), headers=headers).status == 200
    seen_by_router = data_path.router.seen[-1]
    seen_by_backend = data_path.backends["plain"].calls[-1].headers
    forbidden = {name.lower() for name in internal}
    assert seen_by_router["x-harmless"] == seen_by_backend["x-harmless"] == "stays"
    assert not forbidden & seen_by_router.keys()
    # What the backend gets is the default model's name, set by Envoy.
    assert forbidden & seen_by_backend.keys() == {"x-selected-model"}
    assert seen_by_backend["x-selected-model"] == "plain-model"


@real_router.needs_stub
def test_the_routers_own_answers_pass_untouched(data_path: DataPath) -> None:
    blocked = data_path.chat(AUTO, BLOCKED)
    said = {"message": {"role": "assistant", "content": "This is not discussed here"}}
    assert (blocked.status, blocked.json) == (200, {"choices": [said]})
    assert data_path.chat(AUTO, UNFINDABLE).status == 503
    for answer, status, message in (
        (data_path.chat(AUTO, UNFINDABLE), 503, "RAG failed: no vector store"),
        (data_path.chat("nobody's model"), 400, 'model "nobody\'s model" is not available'),
        (data_path.ask(body={"model": AUTO}), 400, "messages field is required"),
        (data_path.ask(), 405, "method not allowed"),
        (data_path.ask("/v1/images/generations", {}), 404, "endpoint not found"),
    ):
        assert answer.status == status
        error = {"message": message, "type": "invalid_request_error", "code": status}
        assert answer.json == {"error": error}


@pytest.mark.parametrize(
    "path", ["/v1/completions", "/v1/embeddings", "/v1/rerank", "/v1/score", "/v1/embeddings?a=b"]
)
def test_what_the_router_has_no_opinion_of_goes_to_the_model_that_it_names(
    data_path: DataPath, path: str
) -> None:
    asked = len(data_path.router.seen)
    for model, backend in (("plain-model", "plain"), (ADAPTER, "plain"), (ODD_MODEL, "odd")):
        body = {"input": "x", "options": {"model": "late-model"}, "model": model}
        answer = data_path.ask(path, body, headers={"x-selected-model": "mixed-model"})
        assert (answer.status, answer.json["served_by"]) == (200, backend), answer
        call = data_path.backends[backend].calls[-1]
        assert (call.path, json.loads(call.body)) == (path, body)
    unresolved = data_path.ask(path, {"model": "unresolved-model"})
    assert (unresolved.status, unresolved.json["error"]["code"]) == (503, "model_unavailable")
    assert "Model unresolved-model has" in unresolved.json["error"]["message"]
    for body in ({"model": "nobody's"}, {"input": "x"}, [], {"model": ["plain-model"]}):
        answer = data_path.ask(path, body)
        assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found"), body
    assert len(data_path.router.seen) == asked


def test_a_prompt_that_no_guard_would_see_is_refused_where_there_is_one(
    start: Callable[..., DataPath],
) -> None:
    guarded = start({"prompt_guard": {"enabled": True}})
    answer = guarded.ask("/v1/completions", {"model": "plain-model", "prompt": "x"})
    assert (answer.status, answer.json["error"]["code"]) == (403, "not_checked")
    assert not guarded.backends["plain"].calls
    assert guarded.ask("/v1/embeddings", {"model": "plain-model"}).status == 200
    assert guarded.chat("plain-model").status == 200


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/models"])
def test_the_methods_are_told_to_who_asks(data_path: DataPath, path: str) -> None:
    asked = len(data_path.router.seen)
    answer = data_path.ask(path, method="OPTIONS")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, POST, DELETE, OPTIONS")
    assert len(data_path.router.seen) == asked


@pytest.mark.parametrize("length", [{"content-length": "0"}, {}], ids=["told", "untold"])
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/embeddings"])
def test_a_request_without_a_body_reaches_no_model(
    data_path: DataPath, path: str, length: dict[str, str]
) -> None:
    before = {name: len(backend.calls) for name, backend in data_path.backends.items()}
    answer = data_path.ask(path, method="POST", headers=length)
    assert answer.json["error"]["code"] in ("no_body", "model_not_found"), answer
    assert 400 <= answer.status < 500
    assert {name: len(backend.calls) for name, backend in data_path.backends.items()} == before


def test_a_body_of_untold_length_is_served(data_path: DataPath) -> None:
    connection = data_path.connect()
    content = json.dumps(prompt("plain-model")).encode()
    connection.request("POST", CHAT, iter([content[:9], content[9:]]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert json.loads(data_path.backends["plain"].calls[-1].body) == prompt("plain-model")


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


def test_what_others_have_asked_is_shown_to_nobody(start: Callable[..., DataPath]) -> None:
    replaying = {"global": {"services": {"router_replay": {"enabled": True}}}}
    mine = start({**CONFIG, **replaying, "contract": "0.3"})
    asked = len(mine.router.seen)
    for path in ("/v1/router_replay", "/v1/router_replay/", "/v1//router_replay/aggregate?a=b"):
        assert mine.ask(path).json["error"]["code"] == "not_found"
    assert len(mine.router.seen) == asked


def test_server_sent_events_arrive_one_by_one(data_path: DataPath) -> None:
    backend = data_path.backends["plain"]
    connection = data_path.connect()
    connection.request("POST", CHAT, json.dumps(prompt("plain-model", stream=True)))
    response = connection.getresponse()
    assert response.getheader("content-type") == "text/event-stream"
    assert response.readline() == b"data: one\n"
    # The backend sends the second event only after this, or when it has lost patience.
    backend.let_stream_go_on.set()
    assert response.read() == b"\ndata: [DONE]\n\n"
    connection.close()
    assert backend.client_was_first


@pytest.mark.parametrize("size", [3 * MIB, 8 * MIB, BODY_LIMIT_BYTES - 1024])
def test_prompts_and_answers_pass_up_to_the_limit(data_path: DataPath, size: int) -> None:
    text = "x" * size
    for model in ("plain-model", AUTO):
        answer = data_path.chat(model, text)
        assert answer.status == 200, answer.body[:1000]
        assert text.encode() in data_path.backends["plain"].calls[-1].body
        assert len(answer.json["echo"]) > size


def test_a_prompt_beyond_the_limit_is_refused(data_path: DataPath) -> None:
    connection = data_path.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("content-length", str(BODY_LIMIT_BYTES + 1))
    connection.endheaders()
    connection.send(b"x" * (BODY_LIMIT_BYTES + 1))
    response = connection.getresponse()
    error = json.loads(response.read())["error"]
    assert (response.status, error["code"]) == (413, "request_too_large")
    assert error["message"] == "The request has more than 32 MiB"
    connection.close()


def test_the_access_log_is_json_and_keeps_secrets_out(data_path: DataPath) -> None:
    answer = data_path.ask(
        CHAT + "?api_key=in-the-query",
        prompt("plain-model", "in-the-body"),
        headers={
            "authorization": "Bearer in-the-header",
            "x-request-id": "find-me",
            "x-forwarded-for": "203.0.113.9",
        },
    )
    assert answer.status == 200
    wait.until(lambda: "find-me" in data_path.envoy.log.read_text(), "the request is logged")
    text = data_path.envoy.log.read_text()
    line = next(json.loads(line) for line in text.splitlines() if "find-me" in line)
    assert (line["path"], line["status"], line["model"]) == (CHAT, 200, "plain-model")
    assert line["client"].startswith("127.0.0.1:")
    for secret in ("in-the-query", "in-the-body", "in-the-header"):
        assert secret not in text


def test_a_router_without_models_says_so(tmp_path: Path) -> None:
    with ExitStack() as stack:
        empty = around.start(stack, tmp_path, [], {})
        asked = len(empty.router.seen)
        for answer in (empty.chat(AUTO), empty.chat("any"), empty.ask("/v1/embeddings", {})):
            assert (answer.status, answer.json["error"]["code"]) == (503, "no_models")
            assert answer.headers["content-type"] == "application/json"
        assert len(empty.router.seen) == asked
        assert empty.ask("/v1/models").json["object"] == "list"


def test_requests_fail_while_the_router_is_down(start: Callable[..., DataPath]) -> None:
    closed = start(router_is_up=False)
    for answer in (closed.chat("plain-model"), closed.ask("/v1/models")):
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["retry-after"] == "5"
        assert answer.json == {
            "error": {
                "message": "The semantic router does not answer (yet)",
                "type": "router_error",
                "param": None,
                "code": "router_unavailable",
            }
        }
    assert not any(backend.calls for backend in closed.backends.values())


def test_requests_pass_to_the_default_model_while_the_router_is_down_if_the_cr_opted_out(
    start: Callable[..., DataPath],
) -> None:
    opened = start(router_is_up=False, failureModeAllow=True)
    assert opened.served_by("plain-model", x_selected_model="mixed-model") == "plain"
    # It has another model's name in its body, and no router that puts its own there.
    assert opened.chat("mixed-model").status == 404
    assert opened.ask("/config/router").status == 404


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_the_router_asks_several_models_through_its_own_way_in(
    start: Callable[..., DataPath], contract: str
) -> None:
    mine = start({**CONFIG, "contract": contract})
    answer = mine.chat(AUTO, f"Ask {EVERYONE}")
    assert answer.status == 200, answer
    said = {item["model"]: item["message"]["content"] for item in answer.json["choices"]}
    assert said == {"plain-model": "I am plain", ODD_MODEL: "I am odd"}
    for name in ("plain", "odd"):
        assert not [
            header
            for header in mine.backends[name].calls[-1].headers
            if header.startswith(("x-vsr-looper", "x-vsr-internal"))
        ]


def test_several_models_are_asked_with_a_long_prompt_too(start: Callable[..., DataPath]) -> None:
    mine = start({**CONFIG, "contract": "0.4"})
    text = f"Ask {EVERYONE} " + "x" * (8 * MIB)
    answer = mine.chat(AUTO, text)
    assert answer.status == 200, answer.body[:1000]
    for name in ("plain", "odd"):
        assert text.encode() in mine.backends[name].calls[-1].body


@pytest.mark.parametrize("contract", ["0.3", "0.4"])
def test_a_model_that_fails_is_left_out_of_several_and_the_log_says_why(
    start: Callable[..., DataPath], contract: str
) -> None:
    everyone = ("plain-model", "unresolved-model")
    mine = start({**decisions.config(("plain-model", ADAPTER), everyone), "contract": contract})
    answer = mine.chat(AUTO, f"Ask {EVERYONE}")
    assert answer.status == 200, answer
    assert "I am plain" in answer.body.decode()
    wait.until(lambda: "unresolved-model" in mine.envoy.log.read_text(), "the failure is logged")
    nobody = ("unresolved-model", "drained-model")
    mine = start({**decisions.config(("plain-model", ADAPTER), nobody), "contract": contract})
    answer = mine.chat(AUTO, f"Ask {EVERYONE}")
    assert (answer.status, "all models failed" in answer.body.decode()) == (500, True)


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
    spec = mine.resource.spec
    answering = mine.connect()
    answering.request("POST", CHAT, json.dumps(prompt("plain-model", stream=True)))
    stream = answering.getresponse()
    assert stream.readline() == b"data: one\n"
    kept = mine.connect()
    question = prompt(ODD_MODEL)
    assert send(kept, CHAT, question).headers.get("connection") != "close"

    envoy_lifecycle = drain.envoy_drain(spec, pod_ports(spec))
    router_lifecycle = drain.router_drain(spec, pod_ports(spec))
    with (
        _before_stop(envoy_lifecycle, mine.envoy.admin) as envoy,
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
        mine.envoy.ask("POST", "/quitquitquit")
        assert router.wait(10) == 0
    kept.close()


def test_the_operator_is_told_the_hash_and_has_no_other_way_to_the_routers_api(
    data_path: DataPath,
) -> None:
    operator = Client(data_path.ports.told)
    answer = operator.ask("/config/hash")
    assert (answer.status, answer.json["path"]) == (200, "/config/hash")
    for method, path in (
        ("POST", "/config/hash"),
        ("GET", "/config/hash/"),
        ("GET", "/config/router"),
        ("GET", "/config/hash/../router"),
        ("GET", "/v1/models"),
    ):
        assert operator.ask(path, method=method).status == 404, (method, path)
    assert data_path.ask("/config/hash", method="GET").status == 404
