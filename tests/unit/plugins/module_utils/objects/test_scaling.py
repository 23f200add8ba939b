from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts, Scale
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.scaling import (
    deployment_annotations,
    deployment_replicas,
    horizontal_pod_autoscaler,
    pod_disruption_budget,
)
from examples import router

ON = {"enabled": True, "minReplicas": 2, "maxReplicas": 8}
SET_ASIDE = "vllm.ai/replicas-set-aside"


def live(replicas: int, *, ours: bool, set_aside: str = "") -> Facts:
    return Facts(scale=Scale(replicas=replicas, ours=ours, set_aside=set_aside))


def replicas(facts: Facts | None = None, **wanted: Any) -> int | None:
    return deployment_replicas(router(**wanted), facts or Facts()).get("replicas")


def annotations(facts: Facts | None = None, **wanted: Any) -> dict[str, str]:
    return deployment_annotations(router(**wanted), facts or Facts())


class TestReplicas:
    def test_without_an_autoscaler_the_spec_decides(self):
        assert replicas(replicas=3) == 3
        assert replicas(live(7, ours=False), replicas=3) == 3
        assert annotations(live(7, ours=False), replicas=3) == {}

    def test_a_new_deployment_leaves_the_number_to_its_autoscaler(self):
        assert replicas(autoscaling=ON) is None

    @pytest.mark.parametrize(("found", "kept"), [(0, 2), (1, 2), (3, 3), (9, 8)])
    def test_a_number_of_ours_stays_within_bounds_until_the_autoscaler_takes_over(
        self, found: int, kept: int
    ):
        assert replicas(live(found, ours=True), replicas=found, autoscaling=ON) == kept

    @pytest.mark.parametrize("found", [0, 1, 5, 20])
    def test_a_number_of_the_autoscalers_is_left_alone(self, found: int):
        assert replicas(live(found, ours=False, set_aside="1"), autoscaling=ON) is None

    def test_the_spec_that_does_not_count_is_noted(self):
        assert annotations(live(5, ours=False), replicas=3, autoscaling=ON) == {SET_ASIDE: "3"}

    def test_what_the_autoscaler_leaves_is_kept_until_the_spec_changes(self):
        left = live(5, ours=False, set_aside="3")

        assert replicas(left, replicas=3) is None
        assert annotations(left, replicas=3) == {SET_ASIDE: "3"}
        assert replicas(left, replicas=4) == 4
        assert annotations(left, replicas=4) == {}

    def test_a_number_that_the_autoscaler_never_changed_is_kept_too(self):
        assert replicas(live(2, ours=True, set_aside="1"), replicas=1) == 2


class TestAnAutoscalerOfSomebodyElse:
    @staticmethod
    def beside(facts: Facts) -> Facts:
        return replace(facts, foreign_autoscalers=["theirs"])

    def test_its_number_is_left_alone_and_the_spec_is_noted(self):
        found = self.beside(live(5, ours=False))

        assert replicas(found, replicas=3) is None
        assert annotations(found, replicas=3) == {SET_ASIDE: "3"}

    @pytest.mark.parametrize("wanted", [{}, {"autoscaling": ON}])
    def test_until_it_has_said_one_the_number_stays(self, wanted: dict[str, Any]):
        assert replicas(self.beside(live(1, ours=True)), replicas=1, **wanted) == 1

    def test_it_stays_the_only_one(self):
        assert horizontal_pod_autoscaler(router(autoscaling=ON), self.beside(Facts())) == []

    def test_its_pods_have_a_budget(self):
        (budget,) = pod_disruption_budget(router(), self.beside(live(2, ours=False)))

        assert budget["spec"]["maxUnavailable"] == 1


class TestAutoscaler:
    def test_there_is_none_unless_asked_for(self):
        assert horizontal_pod_autoscaler(router(), Facts()) == []

    def test_it_scales_the_deployment_by_cpu_and_memory(self):
        wanted = {
            **ON,
            "targetCPUUtilizationPercentage": 70,
            "targetMemoryUtilizationPercentage": 85,
        }

        (built,) = horizontal_pod_autoscaler(router(autoscaling=wanted), Facts())

        assert built["apiVersion"] == "autoscaling/v2"
        assert built["spec"]["scaleTargetRef"]["name"] == "my-router"
        assert (built["spec"]["minReplicas"], built["spec"]["maxReplicas"]) == (2, 8)
        assert [
            (m["resource"]["name"], m["resource"]["target"]["averageUtilization"])
            for m in built["spec"]["metrics"]
        ] == [("cpu", 70), ("memory", 85)]

    def test_memory_is_not_looked_at_by_default(self):
        (built,) = horizontal_pod_autoscaler(router(autoscaling=ON), Facts())

        assert [m["resource"]["name"] for m in built["spec"]["metrics"]] == ["cpu"]


class TestBudget:
    def budget(self, facts: Facts | None = None, **wanted: Any) -> dict[str, Any] | None:
        built = pod_disruption_budget(router(**wanted), facts or Facts())
        return built[0]["spec"] if built else None

    def test_it_is_there_from_two_pods_on(self):
        assert self.budget(replicas=1) is None
        assert self.budget(replicas=2) == {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {
                "matchLabels": {
                    "app.kubernetes.io/name": "semantic-router",
                    "app.kubernetes.io/instance": "my-router",
                }
            },
        }

    def test_an_autoscalers_fewest_pods_count(self):
        assert self.budget(replicas=5, autoscaling={**ON, "minReplicas": 1}) is None
        assert self.budget(replicas=1, autoscaling=ON) is not None

    def test_so_do_the_pods_that_an_autoscaler_left(self):
        assert self.budget(live(5, ours=False, set_aside="1"), replicas=1) is not None

    @pytest.mark.parametrize("bound", [{"minAvailable": 2}, {"maxUnavailable": "25%"}])
    def test_the_users_bound_is_the_only_one(self, bound: dict[str, Any]):
        built = self.budget(replicas=3, podDisruptionBudget=bound)

        assert built is not None
        bounds = ("minAvailable", "maxUnavailable")
        assert {name: value for name, value in built.items() if name in bounds} == bound

    def test_pods_that_cannot_start_do_not_hold_up_a_drain_unless_asked_to(self):
        policy = "unhealthyPodEvictionPolicy"
        asked = self.budget(replicas=3, podDisruptionBudget={policy: "IfHealthyBudget"})
        unasked = self.budget(replicas=3)

        assert asked is not None
        assert unasked is not None
        assert (asked[policy], unasked[policy]) == ("IfHealthyBudget", "AlwaysAllow")

    def test_a_bound_of_zero_is_a_bound(self):
        built = self.budget(replicas=3, podDisruptionBudget={"maxUnavailable": 0})

        assert built is not None
        assert built["maxUnavailable"] == 0

    def test_the_user_may_switch_it_on_and_off(self):
        assert self.budget(replicas=1, podDisruptionBudget={"enabled": True}) is not None
        assert self.budget(replicas=3, podDisruptionBudget={"enabled": False}) is None

    def test_there_is_none_beside_one_of_the_users_own(self):
        found = Facts(foreign_budgets=["prod-router-pdb"])

        assert self.budget(found, replicas=3) is None
        assert self.budget(found, replicas=3, podDisruptionBudget={"enabled": True}) is None
