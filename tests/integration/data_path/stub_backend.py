"""An OpenAI-compatible backend that remembers how it was called."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

STREAM_DEADLINE = 10


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    sni: str | None


class StubBackend:
    """Listens on one address of 127/8; answers with its name."""

    def __init__(
        self, name: str, address: str, port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.name = name
        self.calls: list[Call] = []
        self.let_stream_go_on = threading.Event()
        self.client_was_first = False
        self._server = _Server((address, port), self, tls)
        self.address = address
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Status and JSON body."""
        asked = json.loads(call.body) if call.body else {}
        return 200, {"served_by": self.name, "model": asked.get("model")}


class RouterApi(StubBackend):
    """The router's own HTTP API: has every path."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        return 200, {"status": "healthy", "path": call.path}


class Echo(StubBackend):
    """Its answer is as long as the question."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        status, said = super().answer(call)
        return status, {**said, "echo": "y" * len(call.body)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], backend: StubBackend, tls: ssl.SSLContext | None
    ) -> None:
        self.backend = backend
        self._tls = tls
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, client = super().get_request()
        if self._tls:
            # The handshake belongs to the connection's own thread, not to the accepting one.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, client

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body are two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """The test says what matters."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        call = Call(
            self.command,
            self.path,
            {name.lower(): value for name, value in self.headers.items()},
            body,
            getattr(self.connection, "sni", None),
        )
        backend = self.server.backend
        backend.calls.append(call)
        if body.startswith(b"{") and json.loads(body).get("stream"):
            self._stream(backend)
            return
        status, answer = backend.answer(call)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _stream(self, backend: StubBackend) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self._chunk(b"data: one\n\n")
        backend.client_was_first = backend.let_stream_go_on.wait(STREAM_DEADLINE)
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def server_name_recorder(
    connection: ssl.SSLSocket, server_name: str | None, _context: ssl.SSLContext
) -> None:
    """An ssl.SSLContext.sni_callback that keeps the name with its connection."""
    connection.sni = server_name  # type: ignore[attr-defined]
