"""The status on a real API server: one write when something changed, none otherwise, and Events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.discover import (
    read_router,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.status import (
    Report,
    report,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from control_plane import ControlPlane, Kubectl
from eventually import eventually

NAME = "my-router"
NO_RUN_YET = {"observedGeneration": -1}
INVALID = Problem("InvalidSpec", "spec.replicas", "found é and -1", "Give 0 or more")
FOUND = Endpoint("first", "llama3-8b", 1, "vllm", "models", 8000, "http", ready=True)
LOST = Endpoint("first", "llama3-8b", 1, "", "", 0, "http", False, "NoServiceMatches", "no Service")


@pytest.fixture
def client(control_plane: ControlPlane) -> Client:
    return Client.from_options({"kubeconfig": str(control_plane.kubeconfig)})


@pytest.fixture
def router(client: Client, kubectl: Kubectl, namespace: str) -> Router:
    return create(client, kubectl, namespace)


def create(client: Client, kubectl: Kubectl, namespace: str, **spec: Any) -> Router:
    resource = {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": NAME},
        "spec": {"replicas": 2, "persistence": {"enabled": False}, **spec},
    }
    apply(kubectl, namespace, resource)
    return read_router(client, NAME, namespace)


def apply(kubectl: Kubectl, namespace: str, *objects: dict[str, Any]) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump_all(objects))


def deployment(replicas: int = 2, volume: str = "") -> dict[str, Any]:
    labels = selector(NAME)
    template: dict[str, Any] = {"containers": [{"name": "router", "image": "example.invalid/r"}]}
    if volume:
        template["volumes"] = [{"name": "m", "persistentVolumeClaim": {"claimName": volume}}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template},
        },
    }


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def say(
    client: Client,
    router: Router,
    *problems: Problem,
    facts: Facts | None = None,
    check_mode: bool = False,
) -> Report:
    seen = facts if facts is not None else Facts(endpoints=[FOUND])
    return report(client, Situation(router, seen, list(problems)), now(), check_mode)


def live(kubectl: Kubectl, namespace: str) -> dict[str, Any]:
    return dict(json.loads(kubectl("get", "sr", NAME, "-n", namespace, "-o", "json")))


def events(kubectl: Kubectl, namespace: str) -> list[tuple[str, str, str]]:
    found = kubectl(
        "get", "events", "-n", namespace, "-o", "json",
        "--field-selector=involvedObject.kind=SemanticRouter",
    )  # fmt: skip
    items = sorted(json.loads(found)["items"], key=lambda item: str(item["eventTime"]))
    return [(item["type"], item["reason"], item["message"]) for item in items]


def test_a_router_becomes_ready_once_its_pods_run(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    first = say(client, router)
    assert (first.changed, first.status["phase"], first.requeue_after) == (True, "Pending", "30s")
    apply(kubectl, namespace, deployment())
    settled = eventually(
        lambda: (said := say(client, router)).status["phase"] == "Running" and said,
        message="the phase to be Running",
    )
    assert settled.requeue_after == "10m"
    assert (
        settled.summary == "Running (RouterReady), 2 of 2 replicas ready, 1 of 1 backends resolved"
    )
    kubectl("wait", "--for=condition=Ready", "sr", NAME, "-n", namespace, "--timeout=5s")
    columns = kubectl("get", "sr", NAME, "-n", namespace, "--no-headers").split()
    assert columns[:4] == [NAME, "Running", "2", "2"]
    assert ("Normal", "RouterReady") in [event[:2] for event in events(kubectl, namespace)]


def test_nothing_is_written_when_nothing_changed(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    assert say(client, router).changed
    before = live(kubectl, namespace)
    told = events(kubectl, namespace)
    assert not say(client, router).changed
    assert live(kubectl, namespace)["metadata"] == before["metadata"]
    assert events(kubectl, namespace) == told


def test_check_mode_writes_neither_status_nor_events(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    said = say(client, router, INVALID, check_mode=True)
    assert said.changed
    assert said.status["phase"] == "Degraded"
    assert live(kubectl, namespace)["status"] == NO_RUN_YET
    assert events(kubectl, namespace) == []


def test_a_mistake_is_told_once_and_so_is_its_cure(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    say(client, router, INVALID)
    say(client, router, INVALID)
    assert events(kubectl, namespace) == [("Warning", "InvalidSpec", str(INVALID))]
    say(client, router)
    cured = events(kubectl, namespace)[1:]
    assert {event[0] for event in cured} == {"Normal"}
    assert "ConfigAccepted" in [event[1] for event in cured]
    assert "spec.replicas" not in json.dumps(live(kubectl, namespace)["status"])


def test_kubectl_describe_shows_the_event(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    say(client, router, INVALID)
    described = kubectl("describe", "sr", NAME, "-n", namespace)
    shown = described[described.index("\nEvents:") :]
    assert "InvalidSpec" in shown
    assert "semantic-router-operator" in shown


def test_a_long_message_fits_the_status_and_the_event(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    say(client, router, Problem("InvalidSpec", "spec.x", "é" * 40000, "Shorten it"))
    (event,) = events(kubectl, namespace)
    assert 1000 < len(event[2].encode()) <= 1024
    messages = [item["message"] for item in live(kubectl, namespace)["status"]["conditions"]]
    assert max(map(len, messages)) == 32768


def test_a_router_whose_events_are_refused_still_gets_its_status(
    control_plane: ControlPlane, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    rules = [
        {
            "apiGroups": ["vllm.ai"],
            "resources": ["semanticrouters", "semanticrouters/status"],
            "verbs": ["get", "patch"],
        },
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
    ]
    apply(
        kubectl,
        namespace,
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "quiet"},
            "rules": rules,
        },
    )
    kubectl("create", "rolebinding", "quiet", "--role=quiet", "--user=quiet", "-n", namespace)
    quiet = Client.from_options({"kubeconfig": str(control_plane.kubeconfig_for("quiet"))})
    said = eventually(lambda: say(quiet, router, INVALID), message="the role to take effect")
    assert said.changed
    assert live(kubectl, namespace)["status"]["phase"] == "Degraded"
    assert events(kubectl, namespace) == []


def test_another_router_of_the_same_name_is_left_alone(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    kubectl("delete", "sr", NAME, "-n", namespace)
    assert not say(client, router).changed
    create(client, kubectl, namespace)
    assert not say(client, router).changed
    assert live(kubectl, namespace)["status"] == NO_RUN_YET


class Interfering:
    """A client in front of which something happens once, between its read and its write."""

    def __init__(self, client: Client, interfere: Callable[[], object]) -> None:
        self._client = client
        self._interfere: Callable[[], object] | None = interfere

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def patch(self, *arguments: Any) -> Any:
        if self._interfere:
            self._interfere()
            self._interfere = None
        return self._client.patch(*arguments)


def test_a_router_that_is_replaced_between_read_and_write_is_left_alone(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    def replace() -> None:
        kubectl("delete", "sr", NAME, "-n", namespace)
        create(client, kubectl, namespace)

    say(Interfering(client, replace), router, INVALID)  # type: ignore[arg-type]
    assert live(kubectl, namespace)["status"] == NO_RUN_YET
    assert events(kubectl, namespace) == []


def test_an_edit_between_read_and_write_does_not_cost_the_status(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    def edit() -> None:
        kubectl("label", "sr", NAME, "-n", namespace, "a=b")

    say(Interfering(client, edit), router, INVALID)  # type: ignore[arg-type]
    seen = live(kubectl, namespace)
    assert seen["metadata"]["labels"] == {"a": "b"}
    assert seen["status"]["phase"] == "Degraded"
    assert len(events(kubectl, namespace)) == 1


def test_a_run_about_an_older_spec_does_not_speak_over_a_newer_one(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    newer = create(client, kubectl, namespace, replicas=3)
    say(client, newer)
    said = live(kubectl, namespace)["status"]
    assert said["observedGeneration"] == router.generation + 1
    assert not say(client, router, INVALID).changed
    assert live(kubectl, namespace)["status"] == said


def test_leftovers_of_another_operators_status_are_removed(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    strange = {
        "phase": "Ready",
        "openshiftFeatures": {"routesEnabled": True, "routeHostname": "old.example.com"},
        "conditions": [
            {
                "type": "Upgraded",
                "status": "True",
                "reason": "Done",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
    }
    kubectl(
        "patch", "sr", NAME, "-n", namespace, "--subresource=status", "--type=merge",
        f"--patch={json.dumps({'status': strange})}",
    )  # fmt: skip
    on_openshift = Facts(platform="openshift", endpoints=[FOUND])
    say(client, router, facts=on_openshift)
    assert live(kubectl, namespace)["status"]["openshiftFeatures"] == {"routesEnabled": False}
    assert not say(client, router, facts=on_openshift).changed
    say(client, router)
    said = live(kubectl, namespace)["status"]
    assert "openshiftFeatures" not in said
    assert "Upgraded" not in [item["type"] for item in said["conditions"]]


def test_a_backend_that_goes_flips_its_condition_and_looks_again_soon(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    say(client, router)
    said = say(client, router, facts=Facts(endpoints=[LOST]))
    assert said.requeue_after == "15s"
    message = "spec.vllmEndpoints[0].backend.discoveryLabels (first): no Service. "
    remedy = "Give a Service these labels, or correct them."
    assert ("Warning", "NoBackendsResolved", message + remedy) in events(kubectl, namespace)
    assert live(kubectl, namespace)["status"]["endpoints"][0]["ready"] is False


def test_a_claim_that_cannot_be_bound_is_pending(
    client: Client, kubectl: Kubectl, namespace: str
) -> None:
    router = create(client, kubectl, namespace, persistence={"existingClaim": "mine"})
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "mine"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "no-such-class",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    apply(kubectl, namespace, deployment(volume="mine"))
    missing = say(client, router)
    assert missing.status["phase"] == "Degraded"
    assert "PersistentVolumeClaim mine does not exist" in json.dumps(missing.status)
    apply(kubectl, namespace, claim)
    pending = eventually(
        lambda: (said := say(client, router)).status["phase"] == "Pending" and said
    )
    ready = next(item for item in pending.status["conditions"] if item["type"] == "Ready")
    assert ready["reason"] == "VolumePending"
    assert "of StorageClass no-such-class) is not bound" in ready["message"]


def test_a_quota_that_forbids_pods_degrades(
    client: Client, kubectl: Kubectl, namespace: str, router: Router
) -> None:
    kubectl("create", "quota", "none", "--hard=pods=0", "-n", namespace)
    apply(kubectl, namespace, deployment())
    said = eventually(
        lambda: (said := say(client, router)).status["phase"] == "Degraded" and said,
        message="the quota to be felt",
    )
    degraded = next(item for item in said.status["conditions"] if item["type"] == "Degraded")
    assert degraded["reason"] == "ReplicaFailure"
    assert "exceeded quota" in degraded["message"]
