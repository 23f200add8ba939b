"""Between the operator and the API server, to lose answers and to stand for a server that died."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import connect
from integration.writes.cluster import Cluster


@dataclass(frozen=True)
class Passing:
    """A request; number: of those with its method and path, from 1 on."""

    method: str
    path: str
    number: int


def never(_: Passing) -> bool:
    return False


@dataclass
class Proxy:
    """loses: the API server does it, and nobody hears of it. is_dead: it never gets there."""

    url: str = ""
    loses: Callable[[Passing], bool] = never
    is_dead: Callable[[Passing], bool] = never
    seen: list[Passing] = field(default_factory=list)


@contextmanager
def running(cluster: Cluster) -> Iterator[Proxy]:
    """Plain HTTP in front; the operator behind."""
    proxy = Proxy()
    server = _Server(proxy, cluster)
    proxy.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.cluster = cluster
        self.behind = connect({"kubeconfig": cluster.kubeconfig})
        self.lock = threading.Lock()

    def passing(self, method: str, path: str) -> Passing:
        with self.lock:
            seen = self.proxy.seen
            before = sum(1 for item in seen if (item.method, item.path) == (method, path))
            seen.append(Passing(method, path, before + 1))
            return seen[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        passing = self.server.passing(self.command, self.path)
        if self.server.proxy.is_dead(passing):
            self.close_connection = True
            return
        self.server.cluster.expect(self.path)
        behind = self.server.behind
        wanted = ("Accept", "Content-Type", "User-Agent")
        headers = {name: self.headers[name] for name in wanted if name in self.headers}
        answer = behind.pool.request(
            self.command, behind.url + self.path, body=body, headers=headers, retries=False
        )
        if self.server.proxy.loses(passing):
            self.close_connection = True
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        self.wfile.write(answer.data)

    do_GET = do_POST = do_PATCH = do_DELETE = _pass_on

    def log_message(self, *_: Any) -> None:
        """Quiet."""
