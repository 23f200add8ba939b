"""Backends that have to prove who they are: real Envoy, and CAs of the test's own.

A ConfigMap or Secret is mounted as a kubelet does it, and replaced as a kubelet does it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import (
    PLATFORM_OPENSHIFT,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import backend_tls
from integration.data_path import data_path as around
from integration.data_path import wait
from integration.data_path.certificates import Authority
from integration.data_path.data_path import DataPath, endpoint
from integration.data_path.mounted_secret import MountedSecret
from integration.data_path.stub_backend import StubBackend

MODEL = "a-model"
HOST = "vllm.models.svc"
OURS, THEIRS = Authority("ours"), Authority("theirs")
NOT_VERIFIED = (503, "model_not_verified")
BY_CA = {"caRef": {"name": "ca"}}
WITH_CERTIFICATE = {**BY_CA, "clientCertificateRef": {"name": "client"}}


@dataclass
class Site:
    """One model behind TLS, and what Envoy has mounted, by the name of its ConfigMap or Secret."""

    data_path: DataPath
    backend: StubBackend
    mounted: dict[str, MountedSecret]

    def refusal(self) -> tuple[int, str]:
        """Status and code; "" when the model answers."""
        answer = self.data_path.chat(MODEL)
        return answer.status, (answer.json.get("error") or {}).get("code", "")

    def answers(self) -> bool:
        return self.data_path.chat(MODEL).status == 200


Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start with a server of this context, asked as this backend.tls says."""
    with ExitStack() as stack:

        def start_one(
            context: ssl.SSLContext,
            tls: dict[str, Any],
            data: dict[str, dict[str, str]],
            **more: Any,
        ) -> Site:
            backend = stack.enter_context(
                StubBackend("vllm", "127.0.0.2", tls=context, models=[MODEL])
            )
            found = endpoint("vllm", MODEL, backend.port, scheme="https")
            wanted = [*_mounted(tls), backend_tls.service_ca("service-ca")]
            mounted = {
                each.name: (each, MountedSecret(tmp_path / each.volume, data[each.name]))
                for each in wanted
                if each.name in data
            }
            data_path = around.start(
                stack,
                tmp_path,
                [found],
                {"vllm": [backend.address]},
                tls={"vllm": tls} if tls else None,
                directories={
                    each.directory: tmp_path / each.volume for each, _ in mounted.values()
                },
                **more,
            )
            here = {name: secret for name, (_, secret) in mounted.items()}
            return Site(data_path, backend, here)

        yield start_one


def _mounted(tls: dict[str, Any]) -> list[backend_tls.Mounted]:
    defaults = {"kind": "ConfigMap", "key": "ca.crt"}
    ca = {"caRef": {**defaults, **tls["caRef"]}} if tls.get("caRef") else {}
    entry = {"name": "vllm", "backend": {"tls": {**tls, **ca}}}
    return backend_tls.by_endpoint({"vllmEndpoints": [entry]})["vllm"].mounted


def pair(certificate: str, key: str) -> dict[str, str]:
    """What a Secret of type kubernetes.io/tls has."""
    return {"tls.crt": certificate, "tls.key": key}


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_a_backend_with_a_certificate_of_the_named_ca_answers(
    start: Start, tmp_path: Path, kind: str
) -> None:
    tls = {"caRef": {"kind": kind, "name": "ca"}}
    site = start(OURS.server(tmp_path, HOST), tls, {"ca": {"ca.crt": OURS.certificate}})
    assert site.answers()
    (call,) = site.backend.calls
    assert call.sni == HOST
    assert call.headers["host"] == HOST


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_a_backend_in_the_cluster_that_cannot_prove_who_it_is_gets_nothing(
    start: Start, tmp_path: Path, wrong: str
) -> None:
    signer = THEIRS if wrong == "authority" else OURS
    host = HOST if wrong == "authority" else "other.models.svc"
    site = start(signer.server(tmp_path, host), BY_CA, {"ca": {"ca.crt": OURS.certificate}})
    assert site.refusal() == NOT_VERIFIED
    assert site.backend.calls == []


def test_a_backend_of_which_no_ca_is_known_gets_nothing(start: Start, tmp_path: Path) -> None:
    site = start(OURS.server(tmp_path, HOST), {}, {})
    assert site.data_path.chat(MODEL).status == 503
    assert site.backend.calls == []


def test_on_openshift_the_service_ca_verifies(start: Start, tmp_path: Path) -> None:
    data = {"service-ca": {"ca.crt": OURS.certificate}}
    site = start(OURS.server(tmp_path, HOST), {}, data, platform=PLATFORM_OPENSHIFT)
    assert site.answers()


def test_a_backend_is_asked_for_and_known_by_the_name_that_the_spec_gives(
    start: Start, tmp_path: Path
) -> None:
    tls = {**BY_CA, "serverName": "llama.example.com"}
    data = {"ca": {"ca.crt": OURS.certificate}}
    site = start(OURS.server(tmp_path, "llama.example.com"), tls, data)
    assert site.answers()
    (call,) = site.backend.calls
    assert (call.sni, call.headers["host"]) == ("llama.example.com", HOST)


def test_a_certificate_for_the_host_does_not_do_where_the_spec_names_another(
    start: Start, tmp_path: Path
) -> None:
    tls = {**BY_CA, "serverName": "llama.example.com"}
    site = start(OURS.server(tmp_path, HOST), tls, {"ca": {"ca.crt": OURS.certificate}})
    assert site.refusal() == NOT_VERIFIED


def test_any_certificate_does_where_the_spec_says_so(start: Start, tmp_path: Path) -> None:
    context = THEIRS.server(tmp_path, "other.models.svc")
    assert start(context, {"insecureSkipVerify": True}, {}).answers()


def test_a_backend_that_demands_a_certificate_of_its_clients_gets_it(
    start: Start, tmp_path: Path
) -> None:
    data = {"ca": {"ca.crt": OURS.certificate}, "client": pair(*THEIRS.issue("router"))}
    site = start(OURS.server(tmp_path, HOST, clients=THEIRS), WITH_CERTIFICATE, data)
    assert site.answers()


@pytest.mark.parametrize("shown", ["none", "a stranger's"])
def test_a_client_is_told_when_a_backend_demands_another_certificate(
    start: Start, tmp_path: Path, shown: str
) -> None:
    tls = BY_CA if shown == "none" else WITH_CERTIFICATE
    data = {"ca": {"ca.crt": OURS.certificate}, "client": pair(*OURS.issue("router"))}
    site = start(OURS.server(tmp_path, HOST, clients=THEIRS), tls, data)
    assert site.refusal() == (503, "model_refuses_tls")
    assert site.backend.calls == []


def test_a_replaced_ca_counts_without_a_restart(start: Start, tmp_path: Path) -> None:
    site = start(OURS.server(tmp_path, HOST), BY_CA, {"ca": {"ca.crt": OURS.certificate}})
    assert site.answers()
    site.backend.die()
    site.backend.revive(THEIRS.server(tmp_path, HOST))
    wait.until(lambda: site.refusal() == NOT_VERIFIED, "the new certificate is not accepted")
    site.mounted["ca"].replace({"ca.crt": THEIRS.certificate})
    wait.until(site.answers, "the new CA counts")


def test_a_replaced_certificate_is_shown_without_a_restart(start: Start, tmp_path: Path) -> None:
    data = {"ca": {"ca.crt": OURS.certificate}, "client": pair(*OURS.issue("router"))}
    site = start(OURS.server(tmp_path, HOST, clients=THEIRS), WITH_CERTIFICATE, data)
    assert not site.answers()
    site.mounted["client"].replace(pair(*THEIRS.issue("router")))
    wait.until(site.answers, "the new certificate is shown")
