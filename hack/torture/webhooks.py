"""An admission webhook as others run them in a cluster: it refuses, hangs, is away, or changes."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from control_plane.certificates import Authority

from torture.ground import Api, Manifest

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/"
VALIDATING, MUTATING = (f"{kind}webhookconfigurations" for kind in ("validating", "mutating"))
NAME = "friday.torture.example.com"
# What the API server waits for it, at most.
TIMEOUT = 2
REFUSES, HANGS, IS_AWAY, CHANGES = "refuses", "hangs", "is away", "changes"
GUEST = {"name": "guest", "image": "example.com/guest:1"}
STAMP = "torture.example.com/seen"
MIRROR = "mirror.example.com/"
RULE = {
    "apiGroups": ["", "apps", "networking.k8s.io"],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps", "deployments", "services", "ingresses"],
}


@contextmanager
def webhook(api: Api, directory: Path, deed: str, user: str) -> Iterator[None]:
    """What `user` writes goes through it."""
    server = _Server(directory, deed)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with socket.socket() as nobody:
        # Bound, and not listened at: nobody else gets it either.
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1] if deed == IS_AWAY else server.server_port
        kind = MUTATING if deed == CHANGES else VALIDATING
        made = _configuration(f"https://127.0.0.1:{port}/", server.authorities, user)
        try:
            api("POST", CONFIGURATIONS + kind, made)
            try:
                yield
            finally:
                api("DELETE", f"{CONFIGURATIONS}{kind}/{NAME}")
        finally:
            server.ended.set()
            server.shutdown()
            server.server_close()
            thread.join()


def answer(deed: str, review: Manifest) -> Manifest:
    """The AdmissionReview that comes back."""
    request = review["request"]
    told: dict[str, Any] = {"uid": request["uid"], "allowed": deed != REFUSES}
    if deed == REFUSES:
        told["status"] = {"code": 403, "message": "no changes on Fridays"}
    elif patch := changes(request["object"]):
        told["patchType"] = "JSONPatch"
        told["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": told}


def changes(item: Manifest) -> list[Manifest]:
    """As a mesh's injector of sidecars and a mirror of images do, where they have not yet."""
    patch: list[Manifest] = []
    annotations = item["metadata"].get("annotations") or {}
    if STAMP not in annotations:
        stamped = {**annotations, STAMP: "yes"}
        patch.append({"op": "add", "path": "/metadata/annotations", "value": stamped})
    if item["kind"] != "Deployment":
        return patch
    path = "/spec/template/spec/containers"
    containers = item["spec"]["template"]["spec"]["containers"]
    patch += [
        {"op": "replace", "path": f"{path}/{index}/image", "value": MIRROR + container["image"]}
        for index, container in enumerate(containers)
        if not container["image"].startswith((MIRROR, "example.com/guest"))
    ]
    if all(container["name"] != GUEST["name"] for container in containers):
        patch.append({"op": "add", "path": f"{path}/-", "value": GUEST})
    return patch


def _configuration(address: str, authorities: bytes, user: str) -> Manifest:
    return {
        "metadata": {"name": NAME},
        "webhooks": [
            {
                "name": NAME,
                "admissionReviewVersions": ["v1"],
                "clientConfig": {
                    "url": address,
                    "caBundle": base64.b64encode(authorities).decode(),
                },
                "failurePolicy": "Fail",
                "matchConditions": [
                    {"name": "by", "expression": f"request.userInfo.username == {user!r}"}
                ],
                "rules": [RULE],
                "sideEffects": "None",
                "timeoutSeconds": TIMEOUT,
            }
        ],
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, directory: Path, deed: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deed = deed
        self.ended = threading.Event()
        directory.mkdir(parents=True, exist_ok=True)
        authority = Authority.create()
        self.authorities = authority.pair.certificate
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.server(("127.0.0.1",)).write(directory, "webhook"))
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, *_: Any) -> None:
        """An API server that waits no longer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.deed == HANGS:
            self.server.ended.wait()
            self.close_connection = True
            return
        content = json.dumps(answer(self.server.deed, review)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""
