"""Between operator and API server, on TLS: it passes on, and does wrong when it is asked to."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import urllib3
import yaml
from control_plane.certificates import Authority

# Faults by name; those of a number answer with that HTTP status, and the API server never hears
# of the request. The others, in the order of how far the request gets:
HANG, RESET, DELAY, TRUNCATE, LOSE, EXPIRE = "hang", "reset", "delay", "truncate", "lose", "expire"
STATUSES = {
    "409": ("Conflict", "the object has been modified"),
    "429": ("TooManyRequests", "too many requests, please try again later"),
    "500": ("InternalError", "etcdserver: request timed out"),
    "503": ("ServiceUnavailable", "the server is currently unable to handle the request"),
}
FAULTS = (*STATUSES, HANG, RESET, DELAY, TRUNCATE, LOSE, EXPIRE)
RETRY_AFTER = "1"
DELAY_SECONDS = 2.0
PIECE = 65536
# Of a connection's own hop; urllib3 and the server set theirs.
HOP = {"connection", "content-length", "host", "keep-alive", "te", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Passing:
    """A request. verb: as RBAC calls it; resource: the plural, with the subresource if any."""

    verb: str
    resource: str
    namespace: str
    name: str
    dry_run: bool
    agent: str

    @property
    def changes(self) -> bool:
        """An object, and not only in rehearsal."""
        return self.verb in ("create", "patch", "update", "delete") and not self.dry_run

    @property
    def called(self) -> str:
        return f"{self.verb} {self.resource}"


def passing(method: str, url: str, agent: str = "") -> Passing:
    """What the API server would call this request."""
    split = urlsplit(url)
    query = parse_qs(split.query)
    parts = [part for part in split.path.split("/") if part]
    parts = parts[3:] if parts[:1] == ["apis"] else parts[2:]
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    resource, name, subresource = (*parts[:3], "", "", "")[:3]
    named = {"PATCH": "patch", "PUT": "update", "POST": "create", "DELETE": "delete"}
    reads = "watch" if query.get("watch", ["0"])[0] in ("1", "true") else "get" if name else "list"
    return Passing(
        named.get(method, reads),
        f"{resource}/{subresource}" if subresource else resource,
        namespace,
        name,
        "dryRun" in query,
        agent,
    )


def nothing(_: Passing) -> str:
    return ""


class FaultProxy:
    """wrong: the fault that befalls a request, "" for none. before, after: called around a
    request that is passed on; when they answer True, the client hears no more of it. event: called
    for each event of a watch; when it answers False, the client never hears of it. content: what
    a request with this URL is answered with instead of what the API server has said.

    kubeconfig: with a token, of whom requests are passed on as.
    """

    def __init__(self, kubeconfig: Path, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_load(kubeconfig.read_text())
        (cluster,) = config["clusters"]
        self.behind = cluster["cluster"]["server"]
        authority = base64.b64decode(cluster["cluster"]["certificate-authority-data"]).decode()
        self.pool = urllib3.PoolManager(
            ssl_context=ssl.create_default_context(cadata=authority),
            maxsize=64,
            retries=False,
            timeout=urllib3.Timeout(connect=5),
        )
        self.as_user = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self.wrong: Callable[[Passing], str] = nothing
        self.before: Callable[[Passing], bool] = lambda _: False
        self.after: Callable[[Passing], bool] = lambda _: False
        self.event: Callable[[Passing, bytes], bool] = lambda *_: True
        self.content: Callable[[Passing, str, bytes], bytes] = lambda _, __, said: said
        self.met = 0
        self._ended = threading.Event()
        self._server = _Server(self, directory)
        self.kubeconfig = directory / "kubeconfig"
        cluster["cluster"]["server"] = f"https://127.0.0.1:{self._server.server_port}"
        cluster["cluster"]["certificate-authority-data"] = _base64(directory / "proxy-ca.crt")
        config["users"][0]["user"] = {"token": "taken-by-the-proxy"}
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(config))

    @contextmanager
    def running(self) -> Iterator[FaultProxy]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield self
        finally:
            self.heal()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def break_(self, wrong: Callable[[Passing], str]) -> None:
        """From now on, until it is healed; what is on its way is cut where that is the fault."""
        self._ended.clear()
        self.met = 0
        self.wrong = wrong

    def heal(self) -> None:
        self.wrong = nothing
        self._ended.set()

    def wait_for_the_end(self) -> None:
        self._ended.wait()

    def cut(self) -> None:
        """Ends all connections: watches start again, and what happened meanwhile was missed."""
        self._server.cut()


def _base64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        authority = Authority.create()
        authority.pair.write(directory, "proxy-ca")
        files = authority.server(("127.0.0.1", "localhost")).write(directory, "proxy")
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*files)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a handshake that never comes would stop all others.
        with suppress(OSError):
            request.settimeout(30)
            secured = self._tls.wrap_socket(request, server_side=True)
            secured.settimeout(None)
            with self._lock:
                self._open.add(secured)
            try:
                super().finish_request(secured, client_address)
            finally:
                with self._lock:
                    self._open.discard(secured)
                secured.close()

    def handle_error(self, *_: Any) -> None:
        """Clients that go away are what this is for."""

    def cut(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _pass_on(self) -> None:
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        seen = passing(self.command, self.path, self.headers.get("User-Agent", ""))
        fault = proxy.wrong(seen)
        if fault:
            proxy.met += 1
        if fault in STATUSES:
            self._refuse(fault)
        elif fault == RESET:
            self._reset()
        elif fault == HANG:
            proxy.wait_for_the_end()
            self.close_connection = True
        elif fault == EXPIRE and seen.verb == "watch":
            self._answer(200, {}, json.dumps({"type": "ERROR", "object": _GONE}).encode() + b"\n")
        elif proxy.before(seen):
            self.close_connection = True
        else:
            if fault == DELAY:
                time.sleep(DELAY_SECONDS)
            self._forward(body, seen, fault)

    def _forward(self, body: bytes | None, seen: Passing, fault: str) -> None:
        proxy = self.server.proxy
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in HOP | {"authorization"}
        }
        try:
            answer = proxy.pool.request(
                self.command,
                proxy.behind + self.path,
                body=body,
                headers={**headers, **proxy.as_user},
                preload_content=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError:
            self._reset()
            return
        try:
            if seen.verb == "watch":
                self._stream(answer, seen)
                return
            content = answer.read(decode_content=False)
        except (urllib3.exceptions.HTTPError, OSError):
            self.close_connection = True
            return
        finally:
            answer.close()
        if proxy.after(seen) or fault == LOSE:
            self.close_connection = True
            return
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        if answer.status == 200:
            content = proxy.content(seen, self.path, content)
        self._answer(answer.status, kept, content, cut=fault == TRUNCATE)

    def _stream(self, answer: urllib3.BaseHTTPResponse, seen: Passing) -> None:
        self.send_response(answer.status)
        kind = answer.headers.get("Content-Type", "application/json")
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = answer.stream(PIECE, decode_content=True)
        # The stock engine has some watches in protobuf, which has no lines.
        for piece in events(pieces) if "json" in kind else pieces:
            if not self.server.proxy.event(seen, piece):
                continue
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _answer(
        self, status: int, headers: dict[str, str], content: bytes, *, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def _refuse(self, fault: str) -> None:
        reason, message = STATUSES[fault]
        told = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": int(fault),
            "reason": reason,
            "message": message,
        }
        waits = {"Retry-After": RETRY_AFTER} if fault == "429" else {}
        self._answer(int(fault), waits, json.dumps(told).encode())

    def _reset(self) -> None:
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # Not shutdown(): that would be a polite end.
            socket.socket(fileno=self.connection.detach()).close()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on

    def log_message(self, *_: Any) -> None:
        """Quiet."""


def events(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Event by event, each when all of it is there."""
    begun = b""
    for piece in pieces:
        *whole, begun = (begun + piece).split(b"\n")
        yield from (line + b"\n" for line in whole)


_GONE = {
    "kind": "Status",
    "apiVersion": "v1",
    "status": "Failure",
    "code": 410,
    "reason": "Expired",
    "message": "too old resource version: 1 (2)",
}
