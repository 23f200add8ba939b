"""What the kubernetes client finds in a kubeconfig arrives, and its import stays away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml
from wrapper_runner import access
from wrapper_runner.access import Access, AccessError
from wrapper_runner.cluster import Cluster, ClusterError


def written(directory: Path, user: dict[str, str]) -> str:
    content = {
        "clusters": [{"name": "one", "cluster": {"server": "https://a.invalid:6443/"}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "one", "user": "me"}}],
        "current-context": "one",
    }
    file = directory / "config"
    file.write_text(yaml.safe_dump(content))
    return str(file)


def test_a_kubeconfig_s_server_and_token_arrive(tmp_path: Path) -> None:
    found = access.find(written(tmp_path, {"token": "mine"}))
    assert (found.host, found.authorization) == ("https://a.invalid:6443", "Bearer mine")


def test_without_a_kubeconfig_and_a_pod_the_error_says_so() -> None:
    with pytest.raises(AccessError, match="Service host/port is not set"):
        access.find(None)


def test_a_broken_kubeconfig_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("token: [very-secret")
    with pytest.raises(AccessError, match="the kubeconfig is broken") as caught:
        access.find(str(file))
    assert "very-secret" not in str(caught.value)


def test_the_engine_does_not_import_the_kubernetes_client() -> None:
    script = "import json, sys, wrapper_runner.embedded; print(json.dumps([*sys.modules]))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", script]))
    assert "wrapper_runner.cluster" in loaded
    assert "kubernetes" not in loaded


def test_what_is_no_longer_authorized_is_asked_for_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter(["old", "new", "never asked for"])
    sent: list[str] = []

    def request(*_: Any, headers: dict[str, str], **__: Any) -> urllib3.BaseHTTPResponse:
        sent.append(headers["Authorization"])
        accepted = headers["Authorization"] == "new"
        body = b"{}" if accepted else b'{"message": "Unauthorized"}'
        return urllib3.HTTPResponse(body, status=200 if accepted else 401)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    cluster = Cluster(lambda: Access("http://a.invalid", next(given)))
    assert cluster.get("/api") == {}
    assert cluster.get("/api") == {}
    assert sent == ["old", "new", "new"]


def test_who_is_refused_twice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def request(*_: Any, **__: Any) -> urllib3.BaseHTTPResponse:
        return urllib3.HTTPResponse(b'{"message": "Unauthorized"}', status=401)

    monkeypatch.setattr(urllib3.PoolManager, "request", request)
    with pytest.raises(ClusterError, match="Unauthorized") as caught:
        Cluster(lambda: Access("http://a.invalid", "old")).get("/api")
    assert caught.value.status == 401
