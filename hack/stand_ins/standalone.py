"""The OpenAI API as a router serves it that has no Envoy in front of it.

Who may come in, which models a listener has, TLS, and how a pod ends are as the release's own words
have it: a signal ends what is idle at once, and what is in hand within 30 seconds. Where they say
nothing this is strict: a backend is asked once, keys and certificates are read once.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stand_ins.ext_proc import StubRouter

MODE = "standalone"
# What is in hand after this is cut off.
DRAIN_SECONDS = float(os.environ.get("STAND_IN_DRAIN_SECONDS", "30"))

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_DURATION = re.compile(r"(\d+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_DEFAULT_TIMEOUT = "300s"


class Listener(ThreadingHTTPServer):
    """One entry of `listeners`: where clients' requests come in."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, config: Mapping[str, Any], router: StubRouter, address: str, directory: Path
    ) -> None:
        """The router decides; directory: where the configuration's relative paths begin."""
        asked = config["listeners"][0]
        self.router = router
        self.keys = {_expanded(key) for key in asked.get("api_keys") or []}
        self.models: list[str] = asked.get("models") or []
        self.timeout_seconds = _seconds(asked.get("timeout") or _DEFAULT_TIMEOUT)
        self.backends = {
            model["name"]: model.get("backend_refs") or []
            for model in (config.get("providers") or {}).get("models") or []
        }
        self.draining = False
        self._tls = _certificate(asked.get("tls"), directory)
        self._changing = threading.Condition()
        self._idle: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, asked["port"]), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, client = super().get_request()
        if self._tls:
            # A client that is slow to shake hands is its own thread's business.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no news."""

    def rest(self, connection: socket.socket) -> bool:
        """No request is in hand on it; False when there shall be no other."""
        with self._changing:
            self._busy.discard(connection)
            self._changing.notify_all()
            if self.draining:
                return False
            self._idle.add(connection)
            return True

    def work(self, connection: socket.socket) -> None:
        """A request has begun on it."""
        with self._changing:
            self._idle.discard(connection)
            self._busy.add(connection)

    def forget(self, connection: socket.socket) -> None:
        """It is closed."""
        with self._changing:
            self._idle.discard(connection)
            self._busy.discard(connection)
            self._changing.notify_all()

    def drain(self, seconds: float) -> None:
        """Takes nobody in, closes what is idle, and waits for what is in hand."""
        self.shutdown()
        self.socket.close()
        with self._changing:
            self.draining = True
            for connection in self._idle:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changing.wait_for(lambda: not self._busy, seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: Listener

    def handle_one_request(self) -> None:
        if self.server.rest(self.connection):
            super().handle_one_request()
        else:
            self.close_connection = True

    def parse_request(self) -> bool:
        self.server.work(self.connection)
        return super().parse_request()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.server.forget(self.connection)

    def end_headers(self) -> None:
        if self.server.draining:
            self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted in the metrics."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self._answer(200, {"status": "healthy"})
        elif path == "/ready":
            self._answer(*((503, {"status": "draining"}) if self.server.draining else
                           (200, {"status": "ready"})))  # fmt: skip
        elif self._may_come_in():
            self._own_answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self._may_come_in() and self._has_model(body) and not self._own_answer():
            self._ask_backend(body)

    def _may_come_in(self) -> bool:
        given = self.headers.get("api-key", "")
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            given = token.strip()
        if not self.server.keys or given in self.server.keys:
            return True
        self._error(401, "invalid_api_key", "a valid API key is required")
        return False

    def _has_model(self, body: bytes) -> bool:
        with suppress(ValueError, AttributeError):
            model = json.loads(body).get("model")
            if self.server.models and model not in self.server.models:
                self._error(403, "model_not_allowed", f"this listener does not serve {model}")
                return False
        return True

    def _own_answer(self) -> bool:
        """What the router answers without a model, if it does."""
        path = self.path.partition("?")[0]
        if self.command == "GET" and path == "/v1/models" and self.server.models:
            names = [{"id": name, "object": "model"} for name in self.server.models]
            self._answer(200, {"object": "list", "data": names})
            return True
        refused = self.server.router.refuse_headers({":path": self.path, ":method": self.command})
        if refused is None:
            return False
        answer = refused.immediate_response
        self._write(answer.status.code, answer.body)
        return True

    def _ask_backend(self, body: bytes) -> None:
        said = self.server.router.answer_body(body, is_own=False, chosen={})
        self.server.router.count(said)
        if said.WhichOneof("response") == "immediate_response":
            self._write(said.immediate_response.status.code, said.immediate_response.body)
            return
        common = said.request_body.response
        headers = {
            option.header.key: option.header.raw_value.decode()
            for option in common.header_mutation.set_headers
        }
        model = headers["x-selected-model"]
        # Neither a client's key nor what it says of itself is a backend's business.
        passed = {name: headers[name] for name in ("authorization",) if name in headers}
        backends = self.server.backends.get(model)
        if not backends:
            self._error(502, "no_backend", f"{model} has no backend")
            return
        reference = random.choices(  # noqa: S311 no secret depends on it
            backends, [backend.get("weight", 1) for backend in backends]
        )[0]
        path = headers.get(":path", self.path)
        self._pass_on(reference, path, common.body_mutation.body or body, passed)

    def _pass_on(
        self, reference: Mapping[str, Any], path: str, body: bytes, headers: dict[str, str]
    ) -> None:
        deadline = time.monotonic() + self.server.timeout_seconds
        backend = _connection(reference, self.server.timeout_seconds)
        try:
            backend.request("POST", path, body, {**headers, "content-type": "application/json"})
            answer = backend.getresponse()
        except OSError as error:
            backend.close()
            self._error(502, "backend_failed", str(error))
            return
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("content-type", ""))
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(65536):
                if time.monotonic() > deadline:
                    raise TimeoutError
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException):
            # The client learns that the answer is not whole as no end comes.
            self.close_connection = True
        finally:
            backend.close()

    def _error(self, status: int, code: str, message: str) -> None:
        self._answer(status, {"error": {"message": message, "code": code}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        self._write(status, json.dumps(body).encode())

    def _write(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _connection(reference: Mapping[str, Any], seconds: float) -> http.client.HTTPConnection:
    address = reference.get("base_url") or reference["endpoint"]
    if "://" not in address:
        address = f"{reference.get('protocol', 'http')}://{address}"
    url = urlsplit(address)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.netloc, timeout=seconds)


def _expanded(text: str) -> str:
    """`${NAME}` is that variable, and one that is not there ends the start."""

    def value(match: re.Match[str]) -> str:
        if not os.environ.get(match[1]):
            raise SystemExit(f"Failed to load config: {match[0]} is not set")
        return os.environ[match[1]]

    return _VARIABLE.sub(value, str(text))


def _certificate(asked: Mapping[str, str] | None, directory: Path) -> ssl.SSLContext | None:
    if not asked:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(directory / asked["cert_file"], directory / asked["key_file"])
    except OSError as error:
        raise SystemExit(f"Failed to serve TLS: {error}") from error
    return context


def _seconds(duration: str) -> float:
    return float(sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(duration)))
