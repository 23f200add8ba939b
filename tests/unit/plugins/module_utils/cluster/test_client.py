"""Client against a small HTTP server: what goes over the wire, and what comes back."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import (
    APPLY_PATCH,
    ApiError,
    Cause,
    Client,
)

PATH = "/api/v1/namespaces/team/services/my-router"
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-router"}}


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Gives the next prepared answer to each request, the last one for ever."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def says(self, status: int, body: Any, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, named, raw))

    def client(self, **options: Any) -> Client:
        return Client.from_options({"host": self.url, "api_key": "token", **options})


def status(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": message, **details}


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            state.seen.append(Seen(self.command, self.path, dict(self.headers), body))
            code, headers, raw = state.answers[0]
            if len(state.answers) > 1:
                state.answers.pop(0)
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield state
    http.shutdown()
    thread.join()
    http.server_close()


def test_an_object_is_read_with_the_credentials_and_the_operator_s_name(server: Server) -> None:
    server.says(200, SERVICE)
    assert server.client().get(PATH) == SERVICE
    (request,) = server.seen
    assert (request.method, request.path) == ("GET", PATH)
    assert request.headers["Authorization"] == "Bearer token"
    assert request.headers["User-Agent"].startswith("semantic-router-operator/")


def test_an_object_that_is_not_there_is_none(server: Server) -> None:
    server.says(404, status(404, "NotFound", "no such thing"))
    assert server.client().get(PATH) is None


def test_items_of_a_list_say_what_they_are(server: Server) -> None:
    items = [{"metadata": {"name": "a"}}]
    server.says(200, {"apiVersion": "v1", "kind": "ServiceList", "items": items})
    found = server.client().list("/api/v1/services", "app=a,tier in (b)")
    assert found == [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}]
    assert server.seen[0].path == "/api/v1/services?labelSelector=app%3Da%2Ctier+in+%28b%29"


def test_a_kind_that_is_not_served_is_an_error_of_list(server: Server) -> None:
    server.says(404, b"404 page not found")
    with pytest.raises(ApiError) as caught:
        server.client().list("/apis/example.com/v1/things")
    assert caught.value.status == 404


def test_apply_sends_the_manifest_and_its_parameters(server: Server) -> None:
    server.says(200, SERVICE)
    server.client().patch(PATH, SERVICE, params={"fieldManager": "me", "force": "true"})
    (request,) = server.seen
    assert (request.method, request.path) == ("PATCH", f"{PATH}?fieldManager=me&force=true")
    assert request.headers["Content-Type"] == APPLY_PATCH
    assert request.body == SERVICE


def test_delete_asks_for_the_very_object_that_was_seen(server: Server) -> None:
    server.says(200, status(200, "", "deleted"))
    assert server.client().delete(PATH, uid="1")
    assert server.seen[0].body["preconditions"] == {"uid": "1"}
    assert server.seen[0].body["propagationPolicy"] == "Background"


@pytest.mark.parametrize("code", [404, 409])
def test_deleting_what_is_gone_already_is_no_error(server: Server, code: int) -> None:
    server.says(code, status(code, "", "gone, or another one"))
    assert not server.client().delete(PATH, uid="1")


@pytest.mark.parametrize("code", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_what_can_be_repeated_is_repeated_while_the_server_is_busy(
    server: Server, code: int, method: str
) -> None:
    server.says(code, status(code, "", "busy"), Retry_After="0")
    server.says(200, SERVICE)
    client = server.client()
    {
        "get": lambda: client.get(PATH),
        "patch": lambda: client.patch(PATH, SERVICE),
        "delete": lambda: client.delete(PATH),
    }[method]()
    assert len(server.seen) == 2


def test_a_creation_is_never_sent_twice(server: Server) -> None:
    server.says(503, status(503, "ServiceUnavailable", "busy"))
    with pytest.raises(ApiError):
        server.client().post("/api/v1/namespaces/team/events", SERVICE)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("code", "reason", "retry"),
    [
        (400, "ApplyRefused", False),
        (401, "Forbidden", True),
        (403, "Forbidden", True),
        (409, "Conflict", True),
        (413, "ApplyRefused", False),
        (422, "ApplyRefused", False),
        (500, "ApiUnavailable", True),
    ],
)
def test_a_refusal_says_whether_waiting_helps(
    server: Server, code: int, reason: str, retry: bool
) -> None:
    server.says(code, status(code, "Whatever", "this is why."))
    with pytest.raises(ApiError) as caught:
        server.client().patch(PATH, SERVICE)
    problem = caught.value.problem
    assert (problem.reason, problem.retry, problem.found) == (reason, retry, "this is why")
    assert caught.value.reason == "Whatever"


@pytest.mark.parametrize("code", [400, 403, 422])
@pytest.mark.parametrize(
    "message",
    [
        'admission webhook "validate.kyverno.svc-fail" denied the request: no latest tags',
        "services \"my-router\" is forbidden: ValidatingAdmissionPolicy 'ports' with binding 'all' "
        "denied request: no node ports",
    ],
)
def test_the_no_of_a_policy_is_no_mistake_whatever_its_code(
    server: Server, code: int, message: str
) -> None:
    server.says(code, status(code, "Invalid", message))
    with pytest.raises(ApiError) as caught:
        server.client().patch(PATH, SERVICE)
    problem = caught.value.problem
    assert (problem.reason, problem.retry, problem.found) == ("Forbidden", True, message)
    assert "have it changed" in problem.remedy


def test_a_refusal_carries_its_causes(server: Server) -> None:
    cause = {"reason": "FieldValueInvalid", "message": "too big", "field": "spec.ports[0].port"}
    server.says(422, status(422, "Invalid", "wrong", details={"causes": [cause]}))
    with pytest.raises(ApiError) as caught:
        server.client().patch(PATH, SERVICE)
    assert caught.value.causes == (Cause(**cause),)


@pytest.mark.parametrize(
    ("message", "causes"),
    [
        (
            "failed to create typed patch object (team/my-router; apps/v1, Kind=Deployment): "
            ".spec.affinity.foo: field not declared in schema",
            [("spec.affinity.foo", "field not declared in schema")],
        ),
        (
            "failed to create typed patch object (team/my-router; apps/v1, Kind=Deployment): "
            "errors:\n  .spec.a: field not declared in schema\n"
            '  .spec.containers[name="router"].env: duplicate entries for key [name="A"]',
            [
                ("spec.a", "field not declared in schema"),
                ('spec.containers[name="router"].env', 'duplicate entries for key [name="A"]'),
            ],
        ),
        (
            "failed to convert new object (team/my-router; apps/v1, Kind=Deployment) to proper "
            "version: quantities must match the regular expression",
            [],
        ),
    ],
)
def test_a_manifest_that_does_not_fit_the_schema_is_a_refusal_though_the_server_says_500(
    server: Server, message: str, causes: list[tuple[str, str]]
) -> None:
    server.says(500, status(500, "", message))
    with pytest.raises(ApiError) as caught:
        server.client().patch(PATH, SERVICE)
    assert caught.value.status == 422
    assert not caught.value.problem.retry
    assert [(cause.field, cause.message) for cause in caught.value.causes] == causes


def test_a_proxy_s_page_is_not_shown(server: Server) -> None:
    server.says(502, b"<html>nginx</html>")
    with pytest.raises(ApiError, match="HTTP 502") as caught:
        server.client().post(PATH, SERVICE)
    assert "nginx" not in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>", b"[]"])
def test_an_answer_that_is_no_object_is_an_error(server: Server, body: bytes) -> None:
    server.says(200, body)
    with pytest.raises(ApiError, match="not a JSON object"):
        server.client().get(PATH)


def test_a_redirect_is_not_followed_with_the_credentials(server: Server) -> None:
    server.says(302, b"", Location=f"{server.url}/elsewhere")
    with pytest.raises(ApiError):
        server.client().get(PATH)
    assert len(server.seen) == 1


def test_a_server_that_is_not_there_is_a_problem_that_waiting_may_cure() -> None:
    client = Client.from_options({"host": "http://127.0.0.1:1", "api_key": "token"})
    with pytest.raises(ApiError, match=r"http://127\.0\.0\.1:1 does not answer") as caught:
        client.get(PATH)
    assert caught.value.problem.retry


def test_impersonation_is_asked_for_in_headers(server: Server) -> None:
    server.says(200, SERVICE)
    client = server.client(impersonate_user="jane", impersonate_groups=["dev"])
    client.get(PATH)
    headers = server.seen[0].headers
    assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("jane", "dev")


def test_of_metadata_nothing_else_is_asked_for_or_kept(server: Server) -> None:
    secret = {"kind": "Secret", "metadata": {"resourceVersion": "7"}, "data": {"a": "c2VjcmV0"}}
    server.says(200, secret)
    server.says(404, status(404, "NotFound", "no such thing"))
    client = server.client()
    assert client.get_metadata(PATH) == {"metadata": {"resourceVersion": "7"}}
    accepted = server.seen[0].headers["Accept"]
    assert accepted == "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    assert client.get_metadata(PATH) is None
