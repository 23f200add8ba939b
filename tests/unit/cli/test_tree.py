"""Every broken link says why, and what is well says nothing more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import resource
from semantic_router_cli.tree import Backend, Node, State, View, tree

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def router(**status: Any) -> Router:
    return Router({**resource(), "status": {"phase": "Running", **status}})


def endpoint(**changed: Any) -> Endpoint:
    values: dict[str, Any] = {
        "name": "qwen", "model": "qwen2.5-7b", "weight": 1, "service": "vllm-qwen",
        "namespace": "default", "port": 8000, "scheme": "http", "ready": True,
    }  # fmt: skip
    return Endpoint(**{**values, **changed})


def deployment(available: int = 1) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "my-router", "generation": 1},
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1,
            "availableReplicas": available,
        },
    }  # fmt: skip


def pod(waiting: str) -> dict[str, Any]:
    image = "ghcr.io/nobody/nothing:1"
    state = {"waiting": {"reason": waiting}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "my-router-x", "creationTimestamp": "2026-01-01T11:50:00Z"},
        "spec": {"containers": [{"name": "semantic-router", "image": image}]},
        "status": {
            "phase": "Pending",
            "containerStatuses": [
                {"name": "semantic-router", "ready": False, "state": state},
            ],
        },
    }  # fmt: skip


def link(root: Node, kind: str, name: str = "") -> Node:
    (found,) = [node for node in root.all() if node.kind == kind and name in (node.name, "")]
    return found


def test_a_router_that_is_well_has_no_word_of_trouble() -> None:
    view = View(router(), objects=[deployment()], backends=[Backend(endpoint(), "service", pods=2)])
    root = tree(view, NOW)

    assert {node.state for node in root.all()} == {State.OK}
    assert not any(node.reason or node.remedy for node in root.all())


def test_the_root_is_marked_as_its_worst_link() -> None:
    lost = endpoint(ready=False, reason="ServiceNotFound", message="Service a/b does not exist")
    for backend, state in (
        (Backend(lost, "service"), State.BROKEN),
        (Backend(endpoint(), "service", pods=0), State.WARNING),
        (Backend(endpoint(), "service", pods=1), State.OK),
    ):
        assert tree(View(router(), [deployment()], backends=[backend]), NOW).state is state


def test_every_link_is_marked_as_its_worst_link_below() -> None:
    event = {
        "type": "Warning", "reason": "Failed", "message": "no", "metadata": {},
        "involvedObject": {"kind": "Service", "name": "my-router"},
    }  # fmt: skip
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-router"}, "spec": {}}
    root = tree(View(router(), [service, deployment(0)], pods=[pod("ErrImagePull")]), NOW)
    noted = tree(View(router(), [service, deployment()], events=[event]), NOW)

    order = [State.BROKEN, State.WARNING, State.WAITING, State.UNKNOWN, State.OK]
    for node in (*root.all(), *noted.all()):
        for child in node.children:
            assert order.index(node.state) <= order.index(child.state)
    assert link(noted, "Service").state is State.WARNING


def test_pods_that_are_simulated_are_said_to_be() -> None:
    running = pod("")
    running["spec"]["nodeName"] = "node-1"
    running["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    node = {"metadata": {"name": "node-1", "annotations": {"kwok.x-k8s.io/node": "fake"}}}
    view = View(router(), objects=[deployment()], pods=[running], nodes=[node])
    simulated = tree(view, NOW)
    real = tree(View(router(), objects=[deployment()], pods=[running]), NOW)

    assert "simulated pods" in simulated.said
    assert "simulated" in link(simulated, "Pod").said
    assert "simulated" not in real.said + link(real, "Pod").said


def test_a_pod_that_goes_by_another_configuration_is_told_with_both_hashes() -> None:
    old, new = "b" * 64, "a" * 64
    lagging = {
        "type": "Converged",
        "status": "False",
        "reason": "ConfigNotActive",
        "message": "1 of 1 pod",
    }
    found = router(
        activeConfig={"desired": new, "pods": [{"name": "my-router-x", "hash": old}]},
        conditions=[lagging],
    )
    root = tree(View(found, objects=[deployment()], pods=[pod("ContainerCreating")]), NOW)

    assert f"config {old[:12]}, not {new[:12]}" in link(root, "Pod").said
    assert link(root, "condition").state is State.WAITING


def test_a_lost_backend_names_field_and_remedy() -> None:
    lost = endpoint(ready=False, reason="ServiceNotFound", message="Service a/b does not exist")
    backend = link(tree(View(router(), backends=[Backend(lost, "service")]), NOW), "backend")

    assert (backend.state, backend.reason) == (State.BROKEN, "ServiceNotFound")
    assert backend.where == "spec.vllmEndpoints[0].backend.service"
    assert backend.remedy == "Create it, or correct name and namespace"


def test_a_service_without_a_ready_pod_is_a_warning() -> None:
    found = tree(View(router(), backends=[Backend(endpoint(), "service", pods=0)]), NOW)

    assert link(found, "backend").state is State.WARNING
    assert link(found, "backends").state is State.WARNING


def test_a_service_that_is_not_there_breaks_the_chain_although_kserve_says_ready() -> None:
    gone = Backend(endpoint(), "kserve", missing="Service default/qwen does not exist")
    found = link(tree(View(router(), backends=[gone]), NOW), "backend")

    assert (found.state, found.reason) == (State.BROKEN, "ServiceNotFound")
    assert "KServe makes it" in found.remedy


def test_of_what_one_may_not_look_at_the_operators_word_counts() -> None:
    unread = endpoint(ready=False, reason="BackendUnreadable", message="forbidden to you")
    for told, state in (("", State.UNKNOWN), ("it is not Ready yet", State.BROKEN)):
        view = View(router(), backends=[Backend(unread, "kserve", told=told)])
        found = link(tree(view, NOW), "backend")
        assert (found.state, found.found.endswith(told or "ready")) == (state, True)


def test_a_model_without_a_route_is_a_broken_link() -> None:
    named = {**resource(), "status": {"phase": "Running"}}
    models = [{"name": "gpt-4o-mini"}]
    named["spec"] = {**named["spec"], "config": {"providers": {"models": models}}}
    root = tree(View(Router(named), backends=[Backend(endpoint(), "service", pods=1)]), NOW)

    broken = link(root, "backend", "gpt-4o-mini")
    assert (broken.state, broken.reason) == (State.BROKEN, "ModelsWithoutRoute")
    assert link(root, "backends").state is State.BROKEN


def test_a_pause_that_somebody_asked_for_is_a_warning_and_nothing_broken() -> None:
    asked = {"type": "Paused", "status": "True", "reason": "Paused", "message": "as asked"}
    found = link(tree(View(router(phase="Paused", conditions=[asked])), NOW), "condition")

    assert found.state is State.WARNING


def test_a_pod_that_cannot_pull_its_image_breaks_the_deployment_and_says_which_image() -> None:
    view = View(router(), objects=[deployment(available=0)], pods=[pod("ErrImagePull")])
    root = tree(view, NOW)

    broken = link(root, "Pod")
    assert broken.reason == "ImagePullBackOff"
    assert "ghcr.io/nobody/nothing:1" in broken.found
    assert "10m" in broken.said
    assert link(root, "Deployment").state is State.BROKEN


def test_warnings_about_a_pod_stand_below_it_once_for_each_reason() -> None:
    def event(message: str, moment: str) -> dict[str, Any]:
        return {
            "type": "Warning", "reason": "FailedScheduling", "message": message,
            "lastTimestamp": moment, "metadata": {},
            "involvedObject": {"kind": "Pod", "name": "my-router-x"},
        }  # fmt: skip

    older = event("no node", "2026-01-01T11:00:00Z")
    newer = event("still no node", "2026-01-01T11:58:00Z")
    view = View(
        router(), objects=[deployment(0)], pods=[pod("ContainerCreating")], events=[older, newer]
    )
    (said,) = link(tree(view, NOW), "Pod").children

    assert said.said == "still no node (2m ago)"


def test_one_cause_is_told_once_and_not_for_every_condition_that_it_flips() -> None:
    def condition(kind: str, status: str) -> dict[str, str]:
        return {
            "type": kind, "status": status, "reason": "StorageClassNotFound", "message": "gone",
        }  # fmt: skip

    conditions = [condition("Ready", "False"), condition("Degraded", "True")]
    root = tree(View(router(phase="Degraded", conditions=conditions)), NOW)

    assert [node.name for node in root.all() if node.kind == "condition"] == ["Ready=False"]


def test_a_router_that_nobody_has_looked_at_sends_to_the_doctor() -> None:
    root = tree(View(Router(resource())), NOW)

    assert root.state is State.WAITING
    assert "kubectl sr doctor" in root.remedy


def test_a_status_of_an_earlier_generation_is_told_apart() -> None:
    said = {**resource(), "status": {"phase": "Running", "observedGeneration": 1}}
    said["status"]["conditions"] = [
        {"type": "Ready", "status": "True", "reason": "RouterReady", "message": ""}
    ]
    said["metadata"]["generation"] = 2

    assert link(tree(View(Router(said)), NOW), "status").reason == "Stale"


def test_a_deployment_that_one_may_not_read_is_not_said_to_be_missing() -> None:
    hidden = link(tree(View(router(), hidden=frozenset({"Deployment"})), NOW), "Deployment")
    missing = link(tree(View(router()), NOW), "Deployment")

    assert (hidden.state, hidden.said) == (State.UNKNOWN, "you may not look")
    assert missing.reason == "DeploymentMissing"


def test_what_holds_a_deletion_is_named() -> None:
    leaving = {"deletionTimestamp": "2026-01-01T11:00:00Z", "finalizers": ["vllm.ai/cleanup"]}
    named = {**resource(), "status": {"phase": "Running"}}
    named["metadata"] = {**named["metadata"], **leaving}
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {},
        "metadata": {
            **leaving, "name": "my-router-models", "finalizers": ["kubernetes.io/pvc-protection"],
        },
    }  # fmt: skip
    root = tree(View(Router(named), objects=[claim, deployment()]), NOW)

    held = link(root, "PersistentVolumeClaim")
    assert root.said.startswith("is being deleted")
    assert root.found == "held by finalizer vllm.ai/cleanup"
    assert "takes it off" in root.remedy
    assert held.found == "held by finalizer kubernetes.io/pvc-protection"
    assert held.remedy == "It goes with the last pod that uses it"


def test_who_waits_for_the_go_operator_that_is_gone_is_told_what_to_do() -> None:
    """Its own finalizer, on a router that this operator has not taken over."""
    named = {**resource(), "status": {"phase": "Running"}}
    finalizers = [metadata.FORMER_FINALIZER]
    leaving = {"deletionTimestamp": "2026-01-01T11:00:00Z", "finalizers": finalizers}
    named["metadata"] = {**named["metadata"], **leaving}
    root = tree(View(Router(named)), NOW)

    assert root.found == f"held by finalizer {metadata.FORMER_FINALIZER}"
    assert "docs/migration.md" in root.remedy


def test_what_one_may_not_read_is_said_and_left_out() -> None:
    root = tree(View(router(), denied=["pods is forbidden"]), NOW)

    assert link(root, "access").said == "pods is forbidden"
