"""What waiting may cure is looked at soon."""

from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils import (
    requeue_after,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.live_workload import Workload
from ansible_collections.vllm.semantic_router.plugins.module_utils.problem import Problem
from seen import (
    ALL_FOUND,
    FOUND,
    INVALID,
    LOST,
    NO_CLASS,
    NOT_BUILT,
    ROLLED_OUT,
    STARTING,
    UNREADABLE,
)


@pytest.mark.parametrize(
    ("facts", "problems", "workload", "after"),
    [
        (ALL_FOUND, [], ROLLED_OUT, "10m"),
        (ALL_FOUND, [], STARTING, "30s"),
        (ALL_FOUND, [], Workload(), "30s"),
        (Facts(endpoints=[FOUND, LOST]), [], ROLLED_OUT, "15s"),
        (ALL_FOUND, [NO_CLASS], Workload(), "15s"),
        (Facts(), [UNREADABLE], ROLLED_OUT, "15s"),
        # Only an edit cures it, and an edit wakes the operator.
        (ALL_FOUND, [INVALID], Workload(), "10m"),
        (ALL_FOUND, [NOT_BUILT], ROLLED_OUT, "10m"),
    ],
)
def test_what_waiting_may_cure_is_looked_at_soon(
    facts: Facts, problems: list[Problem], workload: Workload, after: str
) -> None:
    assert requeue_after.period(facts, problems, workload) == after
