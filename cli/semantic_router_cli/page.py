"""Serves `kubectl sr ui` on loopback, to whoever knows the address: the page, and what it shows.

Others of this machine reach the port too, and pages of the web make a browser ask it. The first
know no token, and the second name another host, or come by another method.
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
import threading
import time
import webbrowser
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    router_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError

from semantic_router_cli import graph, pods, status
from semantic_router_cli.cluster import Cluster

LOOPBACK = "127.0.0.1"
_WEB = files("semantic_router_cli") / "web"
_FILES = {
    "": ("index.html", "text/html; charset=utf-8"),
    "style.css": ("style.css", "text/css; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # The token is in the path.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Somebody who clicks through two hundred routers keeps no two hundred kubectls.
_ROUTERS_KEPT_OPEN = 3
# Several tabs ask for the same at about the same time.
_FRESH_SECONDS = 1.0
# How soon it notices that it shall end.
_POLL_SECONDS = 0.1


class Source(Protocol):
    """What the page shows."""

    def routers(self) -> list[dict[str, Any]]:
        """All of them, in a few words each."""
        ...

    def router(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The map of one; None: there is none."""
        ...


class Looking:
    """Reads from a cluster what the page shows, with the rights of whoever has started it."""

    def __init__(self, cluster: Cluster, listed: Callable[[], list[Manifest]]) -> None:
        """listed: the routers that were asked for, as they are now."""
        self._cluster = cluster
        self._listed = listed
        self._one_at_a_time = threading.Lock()
        self._ways: OrderedDict[tuple[str, str], pods.Ways] = OrderedDict()
        self._seen: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
        self._is_over = False

    def routers(self) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        return [graph.summary(resource, now) for resource in self._listed()]

    def router(self, namespace: str, name: str) -> dict[str, Any] | None:
        key = namespace, name
        with self._one_at_a_time:
            at, seen = self._seen.get(key, (0.0, {}))
            if seen and time.monotonic() - at < _FRESH_SECONDS:
                return seen
            wanted = [item["metadata"] for item in self._listed()]
            if self._is_over or key not in {(item["namespace"], item["name"]) for item in wanted}:
                return None
            resource = self._cluster.client.get(router_path(name, namespace))
            if resource is None:
                return None
            alive = pods.look(self._cluster, self._ways_to(key), resource)
            view = status.view(self._cluster, resource)
            seen = graph.graph(view, alive, datetime.now(UTC)).as_dict()
            self._seen = {key: (time.monotonic(), seen)}
            return seen

    def _ways_to(self, key: tuple[str, str]) -> pods.Ways:
        self._ways.setdefault(key, pods.Ways(self._cluster))
        self._ways.move_to_end(key)
        while len(self._ways) > _ROUTERS_KEPT_OPEN:
            self._ways.popitem(last=False)[1].close()
        return self._ways[key]

    def close(self) -> None:
        """Ends every kubectl that forwards a port."""
        with self._one_at_a_time:
            self._is_over = True
            for ways in self._ways.values():
                ways.close()
            self._ways.clear()


class Server(ThreadingHTTPServer):
    # A browser that keeps a connection open does not keep the program running.
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A tab that was closed is no error, and the terminal is the person's."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(source: Source, port: int = 0) -> Iterator[str]:
    """The page's address while it is served. port: 0 for one that is free."""
    token = secrets.token_urlsafe(32)
    server = Server((LOOPBACK, port), _handler(source, token))
    thread = threading.Thread(target=server.serve_forever, args=[_POLL_SECONDS], daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/{token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def shown(address: str) -> Iterator[None]:
    """Opens it in the person's browser, by a file that only this user can read.

    A browser's command line is for every user of the machine to see, and the address has the token.
    """
    with tempfile.TemporaryDirectory(prefix="semantic-router-") as directory:
        file = Path(directory, "page.html")
        target = f'<meta http-equiv="refresh" content="0; url={address}">'
        file.write_text(f"<!doctype html>{target}", encoding="utf-8")
        webbrowser.open(file.as_uri())
        yield


def _handler(source: Source, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "kubectl-sr"
        sys_version = ""
        # A connection that asks nothing.
        timeout = 60
        server: Server

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            given, slash, name = asked.path.removeprefix("/").partition("/")
            own = f"{LOOPBACK}:{self.server.server_port}"
            if self.headers.get_all("Host") != [own]:
                # A name of the web that has come to lead here: no page of ours has asked.
                self._say(HTTPStatus.MISDIRECTED_REQUEST)
            elif not slash or not secrets.compare_digest(given.encode(), token.encode()):
                self._say(HTTPStatus.NOT_FOUND)
            elif name in _FILES:
                file, kind = _FILES[name]
                self._answer(HTTPStatus.OK, kind, (_WEB / file).read_bytes())
            else:
                self._facts(name, parse_qs(asked.query))

        def _facts(self, name: str, query: dict[str, list[str]]) -> None:
            one = [query.get(key, [""])[0] for key in ("namespace", "name")]
            try:
                found: Any = None
                if name == "routers.json":
                    found = source.routers()
                elif name == "router.json" and all(one):
                    found = source.router(*one)
            except RouterError as error:
                said = f"{error.problem.found}. {error.problem.remedy}."
                self._json(HTTPStatus.BAD_GATEWAY, {"error": said})
                return
            if found is None:
                self._say(HTTPStatus.NOT_FOUND)
            else:
                self._json(HTTPStatus.OK, found)

        def _say(self, status: HTTPStatus) -> None:
            self._json(status, {"error": status.phrase})

        def _json(self, status: HTTPStatus, said: Any) -> None:
            self._answer(status, "application/json", json.dumps(said).encode())

        def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
            self.send_response(status)
            for header, value in _HEADERS.items():
                self.send_header(header, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """The terminal is the person's, and the token is in every line."""

    return Handler
