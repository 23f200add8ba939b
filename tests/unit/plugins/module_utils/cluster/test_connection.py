"""Where connection options come from, and that they leave nothing behind."""

from __future__ import annotations

import base64
import datetime
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import access
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.connection import connect
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import RouterError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("K8S_AUTH_", "KUBE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def kubeconfig(server: str = "http://kubeconfig.invalid", **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "one", "cluster": {"server": server}},
            {"name": "two", "cluster": {"server": "http://two.invalid"}},
        ],
        "users": [{"name": "me", "user": user or {"token": "from-kubeconfig"}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "one", "user": "me"}},
            {"name": "two", "context": {"cluster": "two", "user": "me"}},
        ],
        "current-context": "one",
    }


def written(directory: Path, content: dict[str, Any], name: str = "config") -> str:
    file = directory / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    return str(file)


def key_pair() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")])
    start = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem), private


def test_options_win_over_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("K8S_AUTH_HOST", "http://environment.invalid")
    monkeypatch.setenv("KUBECONFIG", written(tmp_path, kubeconfig()))
    connection = connect({"host": "http://option.invalid/", "api_key": "mine"})
    assert connection.url == "http://option.invalid"
    assert connection.headers() == {"Authorization": "Bearer mine"}


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("K8S_AUTH_HOST", "http://environment.invalid"),
        ("K8S_AUTH_CONTEXT", "http://two.invalid"),
    ],
)
def test_the_environment_stands_in_for_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, url: str
) -> None:
    monkeypatch.setenv(variable, "two" if "CONTEXT" in variable else url)
    monkeypatch.setenv("K8S_AUTH_KUBECONFIG", written(tmp_path, kubeconfig()))
    assert connect({"host": None}).url == url


@pytest.mark.parametrize(
    ("text", "verifies"), [("no", False), ("false", False), ("0", False), ("yes", True)]
)
@pytest.mark.parametrize("variable", ["K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS"])
def test_both_names_of_an_environment_variable_are_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, verifies: bool
) -> None:
    monkeypatch.setenv(variable, text)
    connection = connect({"host": "https://a.invalid", "api_key": "mine"})
    context = connection.pool.connection_pool_kw["ssl_context"]
    assert context.check_hostname is verifies


def test_kubeconfig_is_looked_for_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # The kubernetes client would remember the environment of its import.
    monkeypatch.setenv("KUBECONFIG", written(tmp_path, kubeconfig("http://a.invalid"), "a"))
    assert connect({}).url == "http://a.invalid"
    monkeypatch.setenv("KUBECONFIG", written(tmp_path, kubeconfig("http://b.invalid"), "b"))
    assert connect({}).url == "http://b.invalid"


def test_the_user_s_own_kubeconfig_is_the_default(tmp_path: Path) -> None:
    written(tmp_path / ".kube", kubeconfig())
    connection = connect({})
    assert connection.url == "http://kubeconfig.invalid"
    assert connection.headers() == {"Authorization": "Bearer from-kubeconfig"}


def test_a_kubeconfig_may_be_given_as_its_content() -> None:
    assert connect({"kubeconfig": kubeconfig()}).url == "http://kubeconfig.invalid"


def test_a_context_may_be_chosen() -> None:
    assert connect({"kubeconfig": kubeconfig(), "context": "two"}).url == "http://two.invalid"


def test_an_option_overrides_the_kubeconfig_s_credentials() -> None:
    connection = connect({"kubeconfig": kubeconfig(), "api_key": "mine"})
    assert connection.headers() == {"Authorization": "Bearer mine"}


def test_user_and_password_are_basic_authentication() -> None:
    expected = {"Authorization": f"Basic {base64.b64encode(b'me:secret').decode()}"}
    options = {"host": "http://a.invalid", "username": "me", "password": "secret"}
    assert connect(options).headers() == expected
    # How ansible-operator's proxy learns whose children are being made.
    user = {"username": "me", "password": "secret"}
    assert connect({"kubeconfig": kubeconfig(**user)}).headers() == expected


def test_an_exec_plugin_gives_the_token(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(
        '#!/bin/sh\necho \'{"apiVersion": "client.authentication.k8s.io/v1", '
        '"kind": "ExecCredential", "status": {"token": "from-plugin"}}\'\n'
    )
    plugin.chmod(0o700)
    execute = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    connection = connect({"kubeconfig": kubeconfig(exec=execute)})
    assert connection.headers() == {"Authorization": "Bearer from-plugin"}


def test_a_token_may_stand_in_a_file_beside_the_kubeconfig(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    connection = connect({"kubeconfig": written(tmp_path, kubeconfig(tokenFile="token"))})
    assert connection.headers() == {"Authorization": "Bearer first"}
    # A kubelet replaces it.
    token.write_text("second\n")
    assert connection.headers() == {"Authorization": "Bearer second"}


def test_a_pod_s_service_account_is_the_last_resort(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, _ = key_pair()
    (tmp_path / "ca.crt").write_bytes(certificate)
    (tmp_path / "token").write_text("of-the-pod")
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    connection = connect({})
    assert connection.url == "https://[fd00::1]:443"
    assert connection.headers() == {"Authorization": "Bearer of-the-pod"}


def test_several_kubeconfigs_are_merged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    users = written(tmp_path, {**kubeconfig(), "clusters": [], "contexts": []}, "users")
    rest = written(tmp_path, {**kubeconfig(), "users": []}, "rest")
    monkeypatch.setenv("KUBECONFIG", f"{users}:{tmp_path / 'missing'}:{rest}")
    connection = connect({})
    assert connection.url == "http://kubeconfig.invalid"
    assert connection.headers() == {"Authorization": "Bearer from-kubeconfig"}


@pytest.mark.parametrize(
    "user",
    [{"token": "a"}, {"username": "me", "password": "secret"}, {"client-certificate": "a.crt"}],
)
def test_everyday_kubeconfigs_need_no_kubernetes_client(tmp_path: Path, user: Any) -> None:
    assert access.of_kubeconfig(kubeconfig(**user), None, str(tmp_path)) is not None


def test_importing_the_plugins_does_not_import_the_kubernetes_client() -> None:
    names = [
        f"ansible_collections.vllm.semantic_router.plugins.action.{name}"
        for name in ("discover", "apply", "status")
    ]
    script = f"import sys, {', '.join(names)}; print([*sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert "'urllib3'" in loaded
    assert not any(f"'{name}'" in loaded for name in ("kubernetes", "requests", "jsonschema"))


def test_key_material_leaves_no_file_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    certificate, key = key_pair()
    user = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    content = kubeconfig("https://a.invalid", **user)
    authority = base64.b64encode(certificate).decode()
    content["clusters"][0]["cluster"]["certificate-authority-data"] = authority
    # Only the kubernetes client merges kubeconfigs.
    by_client = f"{written(tmp_path, content)}:{written(tmp_path, {'kind': 'Config'}, 'other')}"
    # Twice: the kubernetes client remembers the files that it has made.
    for source in (content, content, by_client, by_client):
        context = connect({"kubeconfig": source}).pool.connection_pool_kw["ssl_context"]
        assert context.cert_store_stats()["x509"] == 1
        assert list(temporary.iterdir()) == []


def test_threads_do_not_take_each_other_s_key_material_away() -> None:
    certificate, key = key_pair()
    user = {
        "client-certificate-data": base64.b64encode(certificate).decode(),
        "client-key-data": base64.b64encode(key).decode(),
    }
    options = {"kubeconfig": kubeconfig("https://a.invalid", **user)}
    with ThreadPoolExecutor(max_workers=8) as threads:
        assert len(list(threads.map(connect, [options] * 80))) == 80


def test_a_proxy_is_used_except_for_what_needs_none() -> None:
    options = {"host": "http://a.invalid", "api_key": "mine", "proxy": "http://proxy.invalid:3128"}
    assert connect(options).pool.proxy is not None
    assert connect({**options, "no_proxy": ".invalid"}).pool.proxy is None


def test_without_any_way_to_a_cluster_the_problem_says_what_to_give() -> None:
    with pytest.raises(RouterError, match="Give kubeconfig or host") as caught:
        connect({})
    assert caught.value.problem.reason == "ApiUnavailable"


@pytest.mark.parametrize(
    "content",
    [
        "token: [very-secret",
        "users: very-secret",
        yaml.safe_dump(kubeconfig(**{"client-key-data": "very-secret"})).replace("http:", "https:"),
    ],
)
def test_a_broken_kubeconfig_is_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "config"
    file.write_text(content)
    with pytest.raises(RouterError) as caught:
        connect({"kubeconfig": str(file)})
    assert "very-secret" not in str(caught.value)


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match=r"there is no file .*missing"):
        connect({"kubeconfig": str(tmp_path / "missing")})
