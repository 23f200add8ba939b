"""An OpenAI-compatible backend that remembers how it was called."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from typing import Any, Self

STREAM_DEADLINE = 10
# After this, vLLM's server closes a connection that nothing comes on.
KEEP_ALIVE_SECONDS = 5


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    sni: str | None


class Threaded:
    """A server in a thread of its own, from the beginning of a `with` to its end."""

    _server: BaseServer

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class StubBackend(Threaded):
    """Listens on one address of 127/8; answers with its name.

    As vLLM does, it serves its own models only, and hangs up on a client that is silent.
    """

    def __init__(
        self,
        name: str,
        address: str,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        models: Collection[str] = (),
    ) -> None:
        self.name = name
        self.models = models
        self.calls: list[Call] = []
        self.let_stream_go_on = threading.Event()
        self.client_was_first = False
        # What each answer has beside its own.
        self.headers: dict[str, str] = {}
        # Connections of clients that were silent for too long.
        self.hung_up = 0
        self.address = address
        self._tls = tls
        self._server = _Server((address, port), self, tls)
        self.port: int = self._server.server_address[1]

    def connections(self) -> int:
        """How many are open."""
        return len(self._server.connections)

    def die(self) -> int:
        """As a process that is killed does; how many requests can have been in hand."""
        self.__exit__()
        return self._server.reset()

    def hang_up(self) -> int:
        """Breaks what connections there are, and goes on; how many there were."""
        return self._server.reset()

    def revive(self, tls: ssl.SSLContext | None = None) -> None:
        """A new process, at the same address. tls: if it is another."""
        self._tls = tls or self._tls
        self._server = _Server((self.address, self.port), self, self._tls)
        self.__enter__()

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Status and JSON body."""
        asked = json.loads(call.body) if call.body else {}
        model = asked.get("model")
        if model not in self.models:
            message = f"The model `{model}` does not exist."
            return 404, {"error": {"message": message, "type": "NotFoundError", "code": 404}}
        choice = {"index": 0, "message": {"role": "assistant", "content": f"I am {self.name}"}}
        return 200, {"served_by": self.name, "model": model, "choices": [choice]}


class RouterApi(StubBackend):
    """The router's own HTTP API: has every path."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        return 200, {"status": "healthy", "path": call.path}


class Echo(StubBackend):
    """Its answer is as long as the question."""

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        status, said = super().answer(call)
        return status, {**said, "echo": "y" * len(call.body)}


class Failing(StubBackend):
    """Says nothing but this status."""

    def __init__(self, status: int, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.status = status

    def answer(self, _call: Call) -> tuple[int, dict[str, Any]]:
        return self.status, {"error": {"message": f"{self.name} says {self.status}"}}


class Thinking(StubBackend):
    """Answers when it is told to, or after a minute."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.done = threading.Event()

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        self.done.wait(60)
        return super().answer(call)


class BreakingOff(StubBackend):
    """Closes the connection when it has read the request."""

    def answer(self, _call: Call) -> tuple[int, dict[str, Any]]:
        raise ConnectionAbortedError


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Or the end of the server waits for whatever is still answered.
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], backend: StubBackend, tls: ssl.SSLContext | None
    ) -> None:
        self.backend = backend
        self.connections: set[socket.socket] = set()
        self._tls = tls
        if tls:
            tls.sni_callback = _record_name  # type: ignore[assignment]
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, client = super().get_request()
        if self._tls:
            # The handshake belongs to the connection's own thread, not to the accepting one.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self.connections.add(connection)
        return connection, client

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def reset(self) -> int:
        """Every open connection; how many there were."""
        found = list(self.connections)
        for connection in found:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.shutdown(socket.SHUT_RDWR)
        return len(found)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = KEEP_ALIVE_SECONDS
    # Headers and body are two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """The test says what matters."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: ARG002
        self.server.backend.hung_up += "timed out" in format

    def _serve(self) -> None:
        body = self._body()
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
        for name, value in backend.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

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


def _record_name(
    connection: ssl.SSLSocket, server_name: str | None, _context: ssl.SSLContext
) -> None:
    """An ssl.SSLContext.sni_callback that keeps the name with its connection."""
    connection.sni = server_name  # type: ignore[attr-defined]
