"""The command that people run most brings in what it needs, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from examples import resource

# Each takes longer than everything that the command itself does.
TOO_MUCH = {
    *("rich", "prometheus_client", "kubernetes", "ansible", "requests", "pygments"),
    *(f"semantic_router_cli.{name}" for name in ("looking", "checking", "operation")),
    *(f"semantic_router_cli.{name}" for name in ("observation", "doctor")),
}


class Answers(BaseHTTPRequestHandler):
    """An API server with one router that nothing hangs on."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        said: dict[str, object] = {"kind": "List", "apiVersion": "v1", "items": []}
        if path == "/apis":
            said = {"groups": [{"name": "vllm.ai", "versions": [{"version": "v1alpha1"}]}]}
        elif path.endswith("/semanticrouters"):
            said["items"] = [resource()]
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [
            {"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        ],
        "users": [{"name": "me", "user": {"token": "none"}}],
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(content))
    yield file
    server.shutdown()
    server.server_close()
    thread.join()


def test_status_imports_nothing_that_it_does_not_need(kubeconfig: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "semantic_router_cli", "status"]
    env = {**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, env=env, capture_output=True, encoding="utf-8", check=False, timeout=300
    )

    told = [line.rpartition("|") for line in done.stderr.splitlines()]
    imported = {name.strip() for head, _, name in told if head.startswith("import time:")}
    assert "SemanticRouter default/my-router" in done.stdout, done.stderr
    assert "semantic_router_cli.outline" in imported
    assert imported & TOO_MUCH == set()
