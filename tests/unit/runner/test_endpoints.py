"""Probes and metrics are served where the flags say."""

from __future__ import annotations

import socket
from http import HTTPStatus

import pytest
import urllib3
from wrapper_runner import self_signed
from wrapper_runner.endpoints import Answer, serve
from wrapper_runner.metrics import Metrics
from wrapper_runner.problems import StartError
from wrapper_runner.watches import Kind

ROUTER = Kind("vllm.ai", "v1alpha1", "SemanticRouter")


def test_routes_answer_and_others_are_not_found() -> None:
    address = serve("127.0.0.1:0", {"/healthz": lambda: Answer(200, b"ok")})
    assert urllib3.request("GET", f"http://{address}/healthz?verbose").data == b"ok"
    assert urllib3.request("GET", f"http://{address}/else").status == 404


def test_without_a_host_every_address_is_served() -> None:
    port = serve(":0", {"/": lambda: Answer(200, b"ok")}).rpartition(":")[2]
    assert urllib3.request("GET", f"http://127.0.0.1:{port}/").status == 200


@pytest.mark.parametrize("address", ["8080", "localhost:", "localhost:http"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(StartError, match="is not an address like"):
        serve(address, {})


def test_port_that_is_taken_is_named() -> None:
    address = serve("127.0.0.1:0", {})
    with pytest.raises(StartError, match=f"cannot listen on {address}"):
        serve(address, {})


def test_who_may_not_read_gets_no_answer_but_why() -> None:
    def judge(authorization: str, path: str) -> HTTPStatus:
        return HTTPStatus.OK if (authorization, path) == ("me", "/a") else HTTPStatus.FORBIDDEN

    address = serve("127.0.0.1:0", {"/a": lambda: Answer(200, b"secret")}, judge=judge)
    headers = {"Authorization": "me"}
    assert urllib3.request("GET", f"http://{address}/a?b", headers=headers).data == b"secret"
    refused = urllib3.request("GET", f"http://{address}/a")
    assert (refused.status, refused.data) == (403, b"Forbidden\n")
    assert urllib3.request("GET", f"http://{address}/b", headers=headers).status == 403


def test_a_client_that_is_silent_in_tls_holds_up_no_other() -> None:
    tls = self_signed.server_side("localhost")
    address = serve("127.0.0.1:0", {"/": lambda: Answer(200, b"ok")}, tls)
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port))):
        pool = urllib3.PoolManager(cert_reqs="NONE", timeout=5, retries=False)
        assert pool.request("GET", f"https://{address}/").data == b"ok"


def test_metrics_count_by_result() -> None:
    metrics = Metrics()
    with metrics.working(ROUTER):
        metrics.reconciled(ROUTER, 0.5)
        metrics.reconciled(ROUTER, 1.5, RuntimeError())
    metrics.watch_queue(ROUTER, 3, lambda: 5)
    metrics.leads("ops/op", True)
    text = metrics.text().decode()
    gvk = 'GVK="vllm.ai/v1alpha1, Kind=SemanticRouter"'
    controller = 'controller="semanticrouter-v1alpha1-controller"'
    for line in (
        f'ansible_operator_reconcile_result{{{gvk},result="succeeded"}} 1.0',
        f'ansible_operator_reconcile_result{{{gvk},result="failed"}} 1.0',
        f"controller_runtime_reconcile_time_seconds_count{{{controller}}} 2.0",
        f"controller_runtime_reconcile_time_seconds_sum{{{controller}}} 2.0",
        f'controller_runtime_reconcile_total{{{controller},result="error"}} 1.0',
        f"controller_runtime_active_workers{{{controller}}} 0.0",
        f"controller_runtime_max_concurrent_reconciles{{{controller}}} 3.0",
        'workqueue_depth{name="semanticrouter-v1alpha1-controller"} 5.0',
        'leader_election_master_status{name="ops/op"} 1.0',
    ):
        assert line in text
