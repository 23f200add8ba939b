"""A registry on loopback that is no kinder than those people have: it speaks the distribution API.

Whoever has no token is sent to get one, for that repository alone. A client that does not name the
format of an index gets something else under another digest, HEAD has no body, and refusals are
those of the specification.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@dataclass
class Registry:
    """images: "repository:tag" -> what their index is called.

    says_digest: it may leave the header out. refuses: how many requests for a manifest it answers
    with 429. is_private: anonymous tokens are good for nothing. answers_html: as a hotel's network
    does.
    """

    images: Mapping[str, str]
    says_digest: bool = True
    refuses: int = 0
    retry_after: str = "0"
    is_private: bool = False
    answers_html: bool = False
    address: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    def index(self, name: str) -> bytes:
        return json.dumps({"mediaType": self.images[name], "of": name}).encode()

    def digest(self, name: str) -> str:
        return f"sha256:{hashlib.sha256(self.index(name)).hexdigest()}"


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Until the block ends; the registry has its address then."""

    class Handler(_Handler):
        of = registry

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry.address = f"127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    of: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.of.asked.append(f"{self.command} {self.path}")
        url = urlsplit(self.path)
        if url.path == "/token":
            self._token(parse_qs(url.query))
            return
        repository, _, tag = url.path.removeprefix("/v2/").rpartition("/manifests/")
        self._manifest(repository, tag)

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        """Nothing: a test reads what was asked."""

    def _token(self, query: dict[str, list[str]]) -> None:
        if query.get("service") != ["registry.test"]:
            self._refuse(400, "UNSUPPORTED", "which service?")
            return
        token = secrets.token_hex(8)
        self.of.tokens[token] = query["scope"][0]
        # By the older of the two names.
        self._answer(200, json.dumps({"access_token": token}).encode(), "application/json")

    def _manifest(self, repository: str, tag: str) -> None:
        scope = f"repository:{repository}:pull"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.of.answers_html:
            self._answer(200, b"<html>log in, please</html>", "text/html")
        elif self.of.is_private and token:
            self._refuse(403, "DENIED", "requested access to the resource is denied")
        elif self.of.tokens.get(token) != scope:
            realm = f"http://{self.of.address}/token"
            challenge = f'Bearer realm="{realm}",service="registry.test",scope="{scope}"'
            self._refuse(401, "UNAUTHORIZED", "authentication required", challenge=challenge)
        elif self.of.refuses:
            self.of.refuses -= 1
            self._refuse(429, "TOOMANYREQUESTS", "slow down", retry_after=self.of.retry_after)
        elif f"{repository}:{tag}" not in self.of.images:
            self._refuse(404, "MANIFEST_UNKNOWN", "manifest unknown")
        else:
            self._index(f"{repository}:{tag}")

    def _index(self, name: str) -> None:
        kind, body = self.of.images[name], self.of.index(name)
        accepted = {part.strip() for part in self.headers.get("Accept", "").split(",")}
        if kind not in accepted:
            kind, body = _SCHEMA_1, b"{}"
        said = {"Docker-Content-Digest": f"sha256:{hashlib.sha256(body).hexdigest()}"}
        self._answer(200, body, kind, said if self.of.says_digest else {})

    def _refuse(
        self, status: int, code: str, message: str, challenge: str = "", retry_after: str = ""
    ) -> None:
        headers = {"WWW-Authenticate": challenge, "Retry-After": retry_after}
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._answer(status, body, "application/json", {k: v for k, v in headers.items() if v})

    def _answer(
        self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
