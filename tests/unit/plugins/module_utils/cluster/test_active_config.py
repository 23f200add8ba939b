"""Real HTTP servers on addresses of this machine stand for the pods, and tell a hash or do not."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import (
    access,
    active_config,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.network_policy import (
    network_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status import convergence
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.convergence import (
    Convergence,
)
from api_server import ApiServer
from examples import router
from seen import deployment

TEXT = "version: v0.3\n"
DESIRED = hashlib.sha256(TEXT.encode()).hexdigest()
OLD = hashlib.sha256(b"older").hexdigest()
PORT = 8181


@dataclass
class Pod:
    """answer: a body, or None for no answer at all."""

    address: str
    answer: Any = None
    status: int = 200
    asked: list[str] = field(default_factory=list)


class Pods:
    def __init__(self, stack: ExitStack) -> None:
        self.server = ApiServer()
        self.spec: dict[str, Any] = {}
        self.status: dict[str, Any] = {}
        self._stack = stack
        self._addresses = (f"127.0.77.{number}" for number in count(1))
        self._over = Event()
        stack.callback(self._over.set)

    def add(self, name: str, answer: Any, status: int = 200, ready: str = "True") -> Pod:
        pod = Pod(next(self._addresses), answer, status)
        labels = {"app.kubernetes.io/name": "semantic-router"}
        self.server.put(
            f"/api/v1/namespaces/apps/pods/{name}",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": "apps",
                    "labels": {**labels, "app.kubernetes.io/instance": "my-router"},
                },
                "status": {
                    "podIP": pod.address,
                    "conditions": [{"type": "Ready", "status": ready}],
                },
            },
        )
        self._serve(pod)
        return pod

    def _serve(self, pod: Pod) -> None:
        over = self._over

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pod.asked.append(self.path)
                if pod.answer is None:
                    over.wait()
                    return
                text = pod.answer if isinstance(pod.answer, str) else json.dumps(pod.answer)
                self.send_response(pod.status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer((pod.address, PORT), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)

    def look(self, **workload: Any) -> Convergence | None:
        owner = Router(
            {
                "apiVersion": "vllm.ai/v1alpha1",
                "kind": "SemanticRouter",
                "metadata": {"name": "my-router", "namespace": "apps"},
                "spec": self.spec,
                "status": self.status,
            }
        )
        return active_config.look(
            self.server.client(),
            owner,
            workload.get("deployment", deployment()),
            {"data": {"config.yaml": TEXT}},
        )

    def found(self) -> Convergence:
        found = self.look()
        assert found is not None
        return found


@pytest.fixture
def pods(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pods]:
    monkeypatch.setattr(active_config, "operator_namespace", lambda: "operators")
    with ExitStack() as stack:
        yield Pods(stack)


def test_a_pod_that_still_goes_by_the_old_file_is_named_with_its_hash(pods: Pods) -> None:
    pods.add("new", {"hash": DESIRED, "active_hash": DESIRED, "status": "active"})
    # The file has arrived; the router has not taken it over.
    pods.add("old", {"hash": DESIRED, "active_hash": OLD, "status": "pending"})
    found = pods.found()
    assert [(item.pod, item.active) for item in found.differing] == [("old", OLD)]
    status, reason, message = convergence.verdict(found)
    assert (status, reason) == ("False", "ConfigNotActive")
    assert f"old ({OLD[:12]})" in message


def test_all_have_converged_when_each_has_said_so(pods: Pods) -> None:
    asked = [pods.add(name, {"active_hash": DESIRED}) for name in ("one", "two")]
    assert convergence.verdict(pods.found())[0] == "True"
    assert [pod.asked for pod in asked] == [["/config/hash"], ["/config/hash"]]


def test_who_has_said_so_is_not_asked_again(pods: Pods) -> None:
    known = pods.add("known", {"active_hash": DESIRED})
    other = pods.add("other", {"active_hash": DESIRED})
    pods.status = {"activeConfig": {"pods": [{"name": "known", "hash": DESIRED}]}}
    assert convergence.verdict(pods.found())[0] == "True"
    assert (known.asked, other.asked) == ([], ["/config/hash"])


def test_who_has_said_so_of_another_configuration_is_asked(pods: Pods) -> None:
    known = pods.add("known", {"active_hash": DESIRED})
    pods.status = {"activeConfig": {"pods": [{"name": "known", "hash": OLD}]}}
    assert convergence.verdict(pods.found())[0] == "True"
    assert known.asked


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        # An older release: of its file alone.
        ({"hash": DESIRED}, 200, "ActiveConfigNotTold"),
        ({"hash": OLD}, 200, "ConfigNotActive"),
        ("not found", 404, "ActiveConfigNotTold"),
        ({"error": {"code": "UNAUTHORIZED"}}, 401, "ActiveConfigNotTold"),
        ({"active_hash": "${jndi}"}, 200, "ActiveConfigNotTold"),
        ("<html>", 200, "ActiveConfigNotTold"),
        ([], 200, "ActiveConfigNotTold"),
        ("[" * 100_000, 200, "ActiveConfigNotTold"),
        ("no healthy upstream", 503, "PodsUnreachable"),
    ],
)
def test_what_does_not_say_it_is_not_taken_for_an_answer(
    pods: Pods, answer: Any, code: int, reason: str
) -> None:
    pods.add("one", answer, code)
    assert convergence.verdict(pods.found())[1] == reason


def test_pods_that_do_not_answer_hold_a_run_up_no_longer_than_one_may(pods: Pods) -> None:
    for number in range(40):
        pods.add(f"silent-{number}", None)
    since = time.monotonic()
    found = pods.found()
    # What is left is for a busy machine: one after the other, they would take 20 s.
    assert time.monotonic() - since < active_config.SECONDS + 5
    assert {item.reason for item in found.told} == {"PodsUnreachable"}
    assert len(found.told) == 40


def test_a_pod_that_nobody_listens_in_is_unreachable(pods: Pods) -> None:
    pod = pods.add("one", {"active_hash": DESIRED})
    pods.spec = {"extraContainers": [{"name": "n", "ports": [{"containerPort": PORT}]}]}
    assert convergence.verdict(pods.found())[1] == "PodsUnreachable"
    assert pod.asked == []


def test_pods_that_are_not_ready_or_on_their_way_out_are_not_asked(pods: Pods) -> None:
    starting = pods.add("starting", {"active_hash": OLD}, ready="False")
    leaving = pods.add("leaving", {"active_hash": OLD})
    pods.server.objects["/api/v1/namespaces/apps/pods/leaving"]["metadata"]["deletionTimestamp"] = (
        "2026-11-23T10:00:00Z"
    )
    pods.add("ready", {"active_hash": DESIRED})
    assert [item.pod for item in pods.found().told] == ["ready"]
    assert starting.asked == leaving.asked == []


def test_outside_of_the_cluster_nothing_is_asked_of_anybody(
    pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(active_config, "operator_namespace", str)
    pod = pods.add("one", {"active_hash": DESIRED})
    found = pods.look()
    assert found == Convergence(DESIRED, unasked="OperatorOutsideCluster")
    assert (pod.asked, pods.server.log) == ([], [])


def test_nobody_is_asked_while_pods_are_replaced(pods: Pods) -> None:
    pod = pods.add("one", {"active_hash": DESIRED})
    found = pods.look(deployment=deployment(updated=1))
    assert found == Convergence(DESIRED, unasked="RolloutInProgress")
    assert pod.asked == []


@pytest.mark.parametrize("gone", [None, deployment(0, existing=0, updated=0, ready=0)])
def test_without_pods_there_is_nothing_to_say(pods: Pods, gone: Any) -> None:
    assert pods.look(deployment=gone) is None


@pytest.mark.parametrize("argument", ["-config=/mine.yaml", "--config=/mine.yaml", "-config"])
def test_a_router_with_a_file_of_its_users_own_is_not_called_stale(
    pods: Pods, argument: str
) -> None:
    pod = pods.add("one", {"active_hash": OLD})
    pods.spec = {"args": [argument]}
    assert convergence.verdict(pods.found())[1] == "ActiveConfigNotTold"
    assert pod.asked == []


def test_pods_that_may_not_be_listed_are_said_to_be_out_of_reach(pods: Pods) -> None:
    pods.server.refuse(lambda request: request.path.endswith("/pods"), 403, "Forbidden")
    assert convergence.verdict(pods.found())[1] == "PodsUnreachable"


@pytest.mark.parametrize(
    ("write", "expected"), [(lambda path: path.write_text("team-a\n"), "team-a"), (str, "")]
)
def test_a_pod_knows_its_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Any], expected: str
) -> None:
    monkeypatch.setattr(access, "SERVICE_ACCOUNT", tmp_path)
    write(tmp_path / "namespace")
    assert active_config.operator_namespace() == expected


@pytest.mark.parametrize("namespace", ["operators", ""])
def test_who_plays_on_a_laptop_leaves_the_operators_way_in_as_it_is(namespace: str) -> None:
    wanted = router(networkPolicy={"enabled": True, "ingress": [{"podSelector": {}}]})
    live = network_policy(wanted, Facts(operator_namespace=namespace))
    assert active_config.let_in(live) == namespace
