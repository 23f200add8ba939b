"""Numbers of pods that are right, or in effect without doing what they are meant for."""

from __future__ import annotations

from typing import Any

import pytest
from bad_input import problems, with_spec

ENOUGH = {"requests": {"cpu": "1"}}


def test_a_disabled_autoscaler_may_hold_any_numbers() -> None:
    found = problems(with_spec(autoscaling={"minReplicas": 5, "maxReplicas": 2}))
    assert {one.reason for one in found} == {"FieldsIgnored"}


def test_an_autoscaler_may_have_one_number() -> None:
    autoscaling = {"enabled": True, "minReplicas": 2, "maxReplicas": 2}
    assert problems(with_spec(autoscaling=autoscaling)) == []


@pytest.mark.parametrize(
    ("spec", "blamed"),
    [
        ({"resources": {"requests": {"memory": "3Gi"}}}, ["spec.resources.requests.cpu"]),
        ({"resources": {"limits": {"cpu": "1"}}}, []),
        ({"resources": ENOUGH}, []),
        (
            {"extraContainers": [{"name": "a", "image": "a"}]},
            ["spec.extraContainers[0].resources.requests.cpu"],
        ),
        ({"extraContainers": [{"name": "a", "image": "a", "resources": ENOUGH}]}, []),
        ({"envoy": {"resources": {}}}, ["spec.envoy.resources.requests.cpu"]),
        ({}, []),
    ],
)
def test_an_autoscaler_that_would_measure_nothing_is_said_but_no_obstacle(
    spec: dict[str, Any], blamed: list[str]
) -> None:
    found = problems(with_spec(autoscaling={"enabled": True}, **spec))
    assert [(p.field, p.reason, p.blocking) for p in found] == [
        (field, "AutoscalerBlind", False) for field in blamed
    ]
    assert problems(with_spec(**spec)) == []


@pytest.mark.parametrize(
    ("spec", "is_blocked"),
    [
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": 3}}, True),
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": "100%"}}, True),
        ({"replicas": 3, "podDisruptionBudget": {"minAvailable": 2}}, False),
        ({"replicas": 3, "podDisruptionBudget": {"maxUnavailable": 0}}, False),
        ({"replicas": 1, "podDisruptionBudget": {"minAvailable": 1}}, False),
        ({"replicas": 1, "podDisruptionBudget": {"minAvailable": 1, "enabled": True}}, True),
        (
            {
                "autoscaling": {"enabled": True, "minReplicas": 2},
                "podDisruptionBudget": {"minAvailable": 2},
            },
            True,
        ),
    ],
)
def test_a_budget_that_blocks_every_drain_is_said_but_no_obstacle(
    spec: dict[str, Any], is_blocked: bool
) -> None:
    found = problems(with_spec(**spec))
    assert [(p.reason, p.blocking) for p in found] == (
        [("DrainBlocked", False)] if is_blocked else []
    )
