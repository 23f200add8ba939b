"""The two HTTP servers of an operator: probes and metrics. Read only."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from wrapper_runner.problems import StartError

# How the flags say "no server".
OFF = ("0", "")
# A client that says nothing gives its thread back after this.
SILENCE_SECONDS = 30.0

# Whether a request with this Authorization header may get a path: OK, or what to answer instead.
Judge = Callable[[str, str], HTTPStatus]


class Answer(NamedTuple):
    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


def serve(
    address: str,
    routes: Mapping[str, Callable[[], Answer]],
    tls: ssl.SSLContext | None = None,
    judge: Judge | None = None,
) -> str:
    """Answer GET of these paths in the background; the address, with the port that was taken."""
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdecimal():
        raise StartError(f"{address!r} is not an address like :8081 or 127.0.0.1:8081")
    try:
        server = _server(host, int(port), routes, tls, judge)
    except OSError as error:
        raise StartError(f"cannot listen on {address}: {error.strerror}") from error
    threading.Thread(target=server.serve_forever, name=f"http {address}", daemon=True).start()
    taken: tuple[Any, ...] = server.socket.getsockname()
    return f"{host}:{taken[1]}"


def _server(
    host: str,
    port: int,
    routes: Mapping[str, Callable[[], Answer]],
    tls: ssl.SSLContext | None,
    judge: Judge | None,
) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        timeout = SILENCE_SECONDS

        def do_GET(self) -> None:
            answer = self.answer(self.path.partition("?")[0])
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def answer(self, path: str) -> Answer:
            if judge:
                verdict = judge(self.headers.get("Authorization", ""), path)
                if verdict is not HTTPStatus.OK:
                    return Answer(verdict, f"{verdict.phrase}\n".encode())
            route = routes.get(path)
            return route() if route else Answer(404, b"not found\n")

        def log_message(self, *_: object) -> None:
            """A probe every few seconds is not worth a line."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, client = super().get_request()
            if tls:
                # The handshake is the thread's of that client: here it would hold up all others.
                connection = tls.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                )
            return connection, client

        def handle_error(self, *_: object) -> None:
            """A client that hangs up, or does not speak TLS, is no news."""

        # Without a host, both IP versions: a kubelet of an IPv6 cluster probes the pod's address.
        dual = not host and socket.has_dualstack_ipv6()
        address_family = socket.AF_INET6 if dual or ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            if self.dual:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

    return Server((host, port), Handler)
