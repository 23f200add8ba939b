"""How many pods there are: spec.replicas, an autoscaler, and from one to the other and back.

No metrics are measured here, so the test sets the number where the autoscaler's controller does: in
the Deployment's scale subresource.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from control_plane import ControlPlane, Kubectl, audit
from e2e.operator_process import BY_EVENT, Operator
from e2e.semantic_router import SemanticRouter
from eventually import eventually

AUTOSCALING = {"enabled": True, "minReplicas": 2, "maxReplicas": 8}
# As the users' document has it.
DOCUMENTS_BUDGET = """
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: my-router-pdb}
spec:
  maxUnavailable: 1
  selector: {matchLabels: {app.kubernetes.io/instance: my-router}}
"""


class Pods:
    """The router's pods, as the Deployment counts them."""

    def __init__(self, router: SemanticRouter) -> None:
        self._router = router

    @property
    def wanted(self) -> int:
        return int(self._router.read("deployment", self._router.name)["spec"]["replicas"])

    @property
    def numbers(self) -> set[int]:
        """Every number that the Deployment controller has scaled to."""
        found = self._router.kubectl(
            "get", "events", "-n", self._router.namespace, "-o", "json",
            "--field-selector=reason=ScalingReplicaSet",
        )  # fmt: skip
        messages = [item["message"] for item in json.loads(found)["items"]]
        return {int(message.rpartition(" to ")[2].split()[0]) for message in messages}

    @property
    def is_ours(self) -> bool:
        found = json.loads(
            self._router.kubectl(
                "get", "deployment", self._router.name, "-n", self._router.namespace,
                "-o", "json", "--show-managed-fields",
            )
        )  # fmt: skip
        return any(
            "f:replicas" in entry["fieldsV1"].get("f:spec", {})
            for entry in found["metadata"]["managedFields"]
            if entry["manager"] == "semantic-router-operator"
        )

    def scale(self, replicas: int) -> None:
        """As the autoscaler's controller does."""
        self._router.kubectl(
            "scale", "deployment", self._router.name, f"--replicas={replicas}",
            "-n", self._router.namespace,
        )  # fmt: skip

    def wait_for(self, replicas: int) -> None:
        eventually(lambda: self.wanted == replicas, 60, f"{replicas} pods to be wanted")
        eventually(
            lambda: self._router.get()["status"].get("readyReplicas") == replicas,
            60,
            f"{replicas} ready pods in the status",
        )


@pytest.fixture
def pods(router: SemanticRouter) -> Pods:
    router.create_service()
    return Pods(router)


def autoscaled(router: SemanticRouter, pods: Pods, replicas: int, scaled_to: int) -> None:
    """A router whose number of pods its autoscaler has changed."""
    router.spec.update(replicas=replicas, autoscaling=AUTOSCALING)
    router.apply()
    router.wait_for("Ready")
    pods.scale(scaled_to)
    pods.wait_for(scaled_to)
    eventually(lambda: not pods.is_ours, 60, "the operator to leave the number alone")


def run_again(router: SemanticRouter) -> None:
    """A run of the operator that has seen everything up to now, and replaces no pod."""
    generation = str(router.get()["metadata"]["generation"])
    router.spec["ingress"] = {"enabled": False, "annotations": {"run": generation}}
    router.apply()
    router.wait_for("Ready")


def test_an_autoscaled_router_starts_and_the_number_of_pods_is_the_autoscalers(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec.update(
        replicas=1, autoscaling={**AUTOSCALING, "targetMemoryUtilizationPercentage": 80}
    )
    router.apply()
    router.wait_for_phase("Running")
    found = router.read("horizontalpodautoscaler", router.name)["spec"]
    assert found["scaleTargetRef"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": router.name,
    }
    assert (found["minReplicas"], found["maxReplicas"]) == (2, 8)
    targets = {
        metric["resource"]["name"]: metric["resource"]["target"]["averageUtilization"]
        for metric in found["metrics"]
    }
    assert targets == {"cpu": 80, "memory": 80}
    assert not pods.is_ours


def test_switching_autoscaling_on_never_scales_down(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec["replicas"] = 3
    router.apply()
    router.wait_for("Ready")
    router.spec["autoscaling"] = AUTOSCALING
    router.apply()
    eventually(lambda: f"HorizontalPodAutoscaler/{router.name}" in router.objects(), 60, "it")
    run_again(router)
    assert pods.wanted == 3
    pods.scale(5)
    pods.wait_for(5)
    run_again(router)
    assert pods.wanted == 5
    assert pods.numbers == {3, 5}


def test_a_stopped_router_that_is_to_scale_itself_gets_its_fewest_pods(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec["replicas"] = 0
    router.apply()
    router.wait_for("Ready")
    router.spec["autoscaling"] = AUTOSCALING
    router.apply()
    pods.wait_for(2)


def test_what_the_autoscaler_does_makes_the_operator_write_nothing(
    operator: Operator, router: SemanticRouter, pods: Pods, control_plane: ControlPlane
) -> None:
    autoscaled(router, pods, replicas=1, scaled_to=4)
    run_again(router)
    offset = control_plane.audit_log.stat().st_size
    for number in (6, 3):
        pods.scale(number)
        pods.wait_for(number)
    written = [
        request
        for request in audit.writes(control_plane.audit_log, offset)
        if request.namespace == router.namespace
        and request.agent.startswith("semantic-router-operator")
        and request.resource not in ("semanticrouters/status", "events")
    ]
    assert written == []


@pytest.mark.parametrize(
    "damage",
    [
        ("patch", "--type=merge", '-p={"spec": {"maxReplicas": 99}}'),
        ("label", "app.kubernetes.io/managed-by-"),
        ("patch", "--type=json", '-p=[{"op": "remove", "path": "/metadata/ownerReferences"}]'),
        ("delete",),
    ],
    ids=["spec", "label", "owner", "deletion"],
)
def test_an_autoscaler_that_somebody_damages_is_put_right(
    operator: Operator, router: SemanticRouter, pods: Pods, damage: tuple[str, ...]
) -> None:
    left_alone(operator, router)
    right = autoscaler(router)
    verb, *arguments = damage
    router.kubectl(verb, "hpa", router.name, "-n", router.namespace, *arguments)
    eventually(lambda: autoscaler(router) == right, BY_EVENT, "the damage to be undone")


def test_what_an_autoscaler_measures_starts_no_run_and_no_write(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    left_alone(operator, router)
    before, rung = operator.jobs(router.namespace), doorbell(router)
    for replicas in (3, 2):
        status = {"status": {"currentReplicas": replicas, "desiredReplicas": replicas}}
        router.patch("hpa", router.name, status, "--subresource=status")
    # A run for it would begin in a tenth of a second, and so before this one.
    assert operator.writes_of_another_run(router) == []
    assert doorbell(router) == rung
    # The stock engine also runs it for what an earlier run has asked for.
    if operator.engine == "embedded":
        assert len(operator.jobs(router.namespace) - before) == 1


def doorbell(router: SemanticRouter) -> str | None:
    """By which the stock engine's companion starts a run."""
    found = router.read("configmap", f"{router.name}-config")["metadata"].get("annotations") or {}
    value: str | None = found.get("vllm.ai/doorbell")
    return value


def left_alone(operator: Operator, router: SemanticRouter) -> None:
    """An autoscaled router of which nothing calls for another run."""
    router.spec["autoscaling"] = AUTOSCALING
    router.apply()
    router.wait_for_phase("Running")
    # Whatever was about to start one has it then.
    eventually(
        lambda: operator.writes_of_another_run(router) == [], 60, "a run to find nothing to do"
    )


def autoscaler(router: SemanticRouter) -> dict[str, Any]:
    """Labels, owners and bounds; AssertionError as long as there is none."""
    found = router.objects().get(f"HorizontalPodAutoscaler/{router.name}")
    assert found, "there is no autoscaler"
    metadata, spec = found["metadata"], found["spec"]
    owners = [owner["uid"] for owner in metadata.get("ownerReferences", [])]
    return {"labels": metadata["labels"], "owners": owners, "max": spec["maxReplicas"]}


def test_the_number_of_somebody_elses_autoscaler_is_left_alone_and_told(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec["replicas"] = 1
    router.apply()
    router.wait_for("Ready")
    foreign_autoscaler(router)
    pods.scale(4)
    pods.wait_for(4)
    eventually(lambda: not pods.is_ours, 60, "the operator to leave the number alone")
    run_again(router)
    assert pods.wanted == 4
    message = router.condition("Available")["message"]
    assert "HorizontalPodAutoscaler keda-hpa of somebody else sets this number" in message

    router.spec["autoscaling"] = AUTOSCALING
    router.apply()
    assert router.wait_for("Degraded")["reason"] == "PodsScaledAlready"
    assert f"HorizontalPodAutoscaler/{router.name}" not in router.objects()
    assert (pods.wanted, pods.numbers) == (4, {1, 4})


def foreign_autoscaler(router: SemanticRouter) -> None:
    """As KEDA makes one."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": router.name}
    manifest = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "keda-hpa"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 8},
    }
    router.kubectl("create", "-n", router.namespace, "-f", "-", stdin=json.dumps(manifest))


def test_the_scale_subresource_sets_the_replicas_and_says_which_pods_to_measure(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.apply()
    router.wait_for("Ready")
    path = f"/apis/vllm.ai/v1alpha1/namespaces/{router.namespace}/semanticrouters/{router.name}"
    found = json.loads(router.kubectl("get", "--raw", f"{path}/scale"))
    names = {name for name, _ in router.pods()}
    listed = router.kubectl(
        "get", "pods", "-n", router.namespace, f"-l={found['status']['selector']}", "-o", "name"
    )  # fmt: skip
    assert {line.removeprefix("pod/") for line in listed.splitlines()} == names != set()
    router.kubectl(
        "scale", "semanticrouter", router.name, "--replicas=3", "-n", router.namespace
    )  # fmt: skip
    pods.wait_for(3)


def test_switching_autoscaling_off_keeps_the_pods_until_replicas_is_changed(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    autoscaled(router, pods, replicas=1, scaled_to=5)
    router.spec["autoscaling"] = {"enabled": False}
    router.apply()
    eventually(
        lambda: f"HorizontalPodAutoscaler/{router.name}" not in router.objects(), 60, "it to go"
    )
    run_again(router)
    assert pods.wanted == 5
    assert "Autoscaling left this number" in router.condition("Available")["message"]

    pods.scale(4)
    pods.wait_for(4)
    run_again(router)
    assert pods.wanted == 4, "while replicas does not count, kubectl scale does"

    router.spec["replicas"] = 2
    router.apply()
    pods.wait_for(2)
    router.wait_for("Ready")
    assert "Autoscaling" not in router.condition("Available")["message"]
    pods.scale(6)
    eventually(lambda: pods.wanted == 2, 60, "spec.replicas to count again")


def test_autoscaling_on_off_on_leaves_nothing_behind(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec["replicas"] = 1
    router.apply()
    router.wait_for("Ready")
    before = sorted(router.objects())
    for _ in range(2):
        router.spec.update(replicas=1, autoscaling=AUTOSCALING)
        router.apply()
        eventually(lambda: len(router.objects()) == len(before) + 2, 60, "autoscaler and budget")
        router.wait_for("Ready")
        router.spec.update(replicas=2, autoscaling={"enabled": False})
        router.apply()
        router.wait_for("Ready")
        router.spec["replicas"] = 1
        router.apply()
        eventually(lambda: sorted(router.objects()) == before, 60, "everything of it to go")
    annotations = router.read("deployment", router.name)["metadata"]["annotations"]
    assert "vllm.ai/replicas-set-aside" not in annotations


def test_a_container_without_a_request_is_told_to_the_user_of_an_autoscaler(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    router.spec.update(autoscaling=AUTOSCALING, resources={"requests": {"memory": "3Gi"}})
    router.apply()
    condition = router.wait_for("Degraded")
    assert condition["reason"] == "AutoscalerBlind"
    assert "spec.resources.requests.cpu" in condition["message"]
    router.wait_for("Ready")


def test_two_pods_have_a_budget_and_one_has_none(
    operator: Operator, router: SemanticRouter, pods: Pods
) -> None:
    budget = f"PodDisruptionBudget/{router.name}"
    router.spec["replicas"] = 2
    router.apply()
    router.wait_for("Ready")
    assert router.objects()[budget]["spec"]["maxUnavailable"] == 1
    router.spec["podDisruptionBudget"] = {"minAvailable": "50%"}
    router.apply()
    eventually(
        lambda: router.objects()[budget]["spec"].get("minAvailable") == "50%", 60, "the new bound"
    )
    assert "maxUnavailable" not in router.objects()[budget]["spec"]
    router.spec["podDisruptionBudget"] = {"enabled": False}
    router.apply()
    eventually(lambda: budget not in router.objects(), 60, "the budget to go")
    router.spec["podDisruptionBudget"] = {}
    router.apply()
    eventually(lambda: budget in router.objects(), 60, "the budget to come back")
    router.spec["replicas"] = 1
    router.apply()
    eventually(lambda: budget not in router.objects(), 60, "the budget to go")


def evict(router: SemanticRouter) -> dict[str, Any]:
    """Asks for the eviction of one pod, as a node drain does; what the API server answers."""
    name = router.kubectl(
        "get", "pods", "-n", router.namespace, "-o", "jsonpath={.items[0].metadata.name}"
    )
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{router.namespace}/pods/{name}/eviction?dryRun=All"
    answer: dict[str, Any] = json.loads(
        router.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    )
    return answer


def test_a_budget_of_the_users_own_takes_the_place_of_ours_and_pods_can_be_evicted(
    operator: Operator, router: SemanticRouter, pods: Pods, kubectl: Kubectl
) -> None:
    budget = f"PodDisruptionBudget/{router.name}"
    router.spec["replicas"] = 3
    router.apply()
    router.wait_for("Ready")
    kubectl("apply", "-n", router.namespace, "-f", "-", stdin=DOCUMENTS_BUDGET)
    run_again(router)
    eventually(lambda: budget not in router.objects(), 60, "our budget to make room")

    def allowed() -> bool:
        theirs = yaml.safe_load(DOCUMENTS_BUDGET)["metadata"]["name"]
        return router.read("pdb", theirs)["status"].get("disruptionsAllowed") == 1

    eventually(allowed, 60, "the budget to allow a disruption")
    eventually(lambda: evict(router)["status"] == "Success", 60, "an eviction to be granted")

    router.spec["podDisruptionBudget"] = {"enabled": True}
    router.apply()
    condition = router.wait_for("Degraded")
    assert condition["reason"] == "PodsCoveredAlready"
    assert "my-router-pdb" in condition["message"]
    kubectl("delete", "pdb", "my-router-pdb", "-n", router.namespace)
    router.wait_for("Degraded", "False")
    assert budget in router.objects()
