"""What runs of the stock engine tell is watched, and a change rings at the router's doorbell."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, cast

import pytest
import yaml
from eventually import eventually
from wrapper_runner import companion
from wrapper_runner.cluster import Cluster, ClusterError, Listed, Resource
from wrapper_runner.companion import Companion
from wrapper_runner.handed import CALLBACK_PLUGINS
from wrapper_runner.inputdir import PLUGINS
from wrapper_runner.watches import Kind, Watch

READS = [{"collection": "/apis", "seen": {"serving.kserve.io": ""}}]
BELL = {"path": "/api/v1/namespaces/ai/configmaps/anna-config", "annotation": "vllm.ai/doorbell"}
SERVED = {"name": "serving.kserve.io", "versions": [{"version": "v1beta1"}]}


AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler")


def autoscaler(name: str, version: int, *fields: dict[str, Any]) -> dict[str, Any]:
    owner = {"apiVersion": "vllm.ai/v1alpha1", "kind": "SemanticRouter", "name": name}
    return {
        "name": name,
        "namespace": "ai",
        "resourceVersion": str(version),
        "ownerReferences": [owner],
        "managedFields": [{"manager": "us", "time": "1"}, *fields],
    }


class FakeCluster:
    def __init__(self) -> None:
        self.groups: list[dict[str, Any]] = []
        # What becomes of the autoscalers, after the first list.
        self.events: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.rings: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.gone = False

    def get(self, _: str) -> dict[str, Any]:
        return {"groups": self.groups}

    def resource(self, kind: Kind) -> Resource:
        assert kind == AUTOSCALER
        return Resource(kind, "horizontalpodautoscalers", namespaced=True)

    def items(self, *_: Any) -> Listed:
        return Listed([{"metadata": autoscaler(name, 1)} for name in ("anna", "ben")], "1")

    def watch(self, *_: Any) -> Iterator[dict[str, Any]]:
        while True:
            yield self.events.get()

    def merge(self, path: str, patch: dict[str, Any], query: dict[str, str]) -> None:
        self.rings.append((path, patch, query))
        if self.gone:
            raise ClusterError(404, "not found")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def started(cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Companion]:
    monkeypatch.setattr("wrapper_runner.metadata.spread", lambda _: 0.05)
    mine = Companion(cast(Cluster, cluster), everywhere=True)
    thread = threading.Thread(target=mine.work, daemon=True)
    thread.start()
    yield mine
    mine.close()
    thread.join(5)


def told(name: str = "anna", **more: Any) -> bytes:
    message = {"object": {"namespace": "ai", "name": name}, "reads": READS, "doorbell": BELL}
    return json.dumps({**message, **more}).encode()


def test_change_of_what_a_run_has_read_rings(started: Companion, cluster: FakeCluster) -> None:
    started.take(told())
    cluster.groups = [SERVED]
    eventually(lambda: cluster.rings, 5, "a ring")
    [(path, patch, query)] = cluster.rings
    assert path == BELL["path"]
    assert list(patch) == ["metadata"]
    assert list(patch["metadata"]["annotations"]) == [BELL["annotation"]]
    assert query == {"fieldManager": "wrapper-runner"}


def test_each_ring_has_another_sound(started: Companion, cluster: FakeCluster) -> None:
    started.take(told())
    cluster.groups = [SERVED]
    eventually(lambda: cluster.rings, 5, "a ring")
    # The run that it was for has seen nothing new yet.
    started.take(told(changed=True))
    eventually(lambda: len(cluster.rings) > 1, 10, "another ring")
    first, second = (json.dumps(patch) for _, patch, _ in cluster.rings)
    assert first != second


def test_patience_depends_on_whether_the_last_ring_was_in_vain(
    started: Companion, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[bool] = []
    monkeypatch.setattr(started._queue, "succeeded", lambda _, __, changed: ends.append(changed))
    started.take(told("in-vain", changed=False))
    started.take(told("for-good", changed=True))
    cluster.groups = [SERVED]
    eventually(lambda: sorted(ends) == [False, True], 5, "both rings")


def test_router_without_a_doorbell_is_left_to_the_period(
    started: Companion, cluster: FakeCluster
) -> None:
    started.take(told("none", doorbell={}))
    started.take(told())
    cluster.groups = [SERVED]
    eventually(lambda: cluster.rings, 5, "the ring of the other")
    assert {path for path, _, _ in cluster.rings} == {BELL["path"]}


def test_router_that_is_gone_is_forgotten(started: Companion, cluster: FakeCluster) -> None:
    cluster.gone = True
    started.take(told())
    cluster.groups = [SERVED]
    eventually(lambda: cluster.rings, 5, "the ring that nobody hears")
    assert eventually(lambda: not started._doorbells, 5, "it to be forgotten")


def test_dependent_that_the_engine_is_not_told_of_rings_unless_its_status_alone_changes(
    started: Companion, cluster: FakeCluster
) -> None:
    measured = {"manager": "measurer", "time": "2", "subresource": "status"}
    edited = {"manager": "kubectl", "time": "2"}
    started.take(told("anna", reads=[]))
    started.take(told("ben", reads=[], doorbell={**BELL, "path": "/of/ben"}))
    owner = Kind("vllm.ai", "v1alpha1", "SemanticRouter")
    entry = Watch(owner, Path("play.yml"), dependents=(AUTOSCALER,), status_ignored=(AUTOSCALER,))
    started.watch(entry, [""])
    eventually(lambda: len(cluster.rings) == 2, 5, "the rings for what was there before")
    for event in (autoscaler("anna", 2, measured), autoscaler("ben", 3, edited)):
        cluster.events.put({"type": "MODIFIED", "object": {"metadata": event}})
    eventually(lambda: len(cluster.rings) > 2, 10, "the ring for the edit")
    assert [path for path, *_ in cluster.rings[2:]] == ["/of/ben"]


def test_what_only_the_engine_understands_of_its_file_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "watches.yaml"
    file.write_text(yaml.safe_dump([{"version": "v1", "kind": "Widget", "role": "widget"}]))
    assert companion._entries(file) == []


def test_runs_tell_what_they_have_read_and_of_whom(tmp_path: Path) -> None:
    actions = tmp_path / "action_plugins"
    actions.mkdir()
    (actions / "tell.py").write_text(
        "from ansible.plugins.action import ActionBase\n"
        "class ActionModule(ActionBase):\n"
        "    def run(self, tmp=None, task_vars=None):\n"
        "        return {**super().run(tmp, task_vars), **self._task.args['result']}\n"
    )
    result = {"reads": READS, "doorbell": BELL, "changed": True, "token": "hunter2"}
    tasks = [{"tell": {"result": result}}, {"tell": {"result": result}, "no_log": True}]
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    )
    path = tmp_path / "socket"
    variables = {companion.SOCKET: str(path), CALLBACK_PLUGINS: str(PLUGINS / "callback")}
    extra = json.dumps({"ansible_operator_meta": {"namespace": "ai", "name": "anna"}})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(30)
        subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-e", extra, playbook],
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
        )
        message = listener.recv(companion.LARGEST_MESSAGE)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(1)
    assert json.loads(message) == {
        "object": {"namespace": "ai", "name": "anna"},
        "reads": READS,
        "doorbell": BELL,
        "changed": True,
    }
