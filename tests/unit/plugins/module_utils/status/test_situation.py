"""What follows from what a run found."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)
from seen import INVALID, NOT_BUILT, ROLLED_OUT, STARTING, UNREADABLE, router


def annotated(**annotations: str) -> Router:
    resource = router().resource
    named = {f"vllm.ai/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return Router({**resource, "metadata": {**resource["metadata"], "annotations": named}})


def test_who_cannot_read_the_cluster_is_blind() -> None:
    assert Situation(router(), Facts(), [INVALID, UNREADABLE]).is_blind
    assert not Situation(router(), Facts(), [INVALID]).is_blind


def test_only_some_problems_keep_everything_from_being_written() -> None:
    assert Situation(router(), Facts(), [NOT_BUILT, INVALID]).blocking == [INVALID]


@pytest.mark.parametrize(
    ("annotations", "may_write"),
    [({}, True), ({"paused": "true"}, False), ({"dry_run": "true"}, False)],
)
def test_an_annotation_keeps_the_operators_hands_off(
    annotations: dict[str, Any], may_write: bool
) -> None:
    assert Situation(annotated(**annotations), Facts()).may_write is may_write


def test_before_anybody_looked_nothing_runs_and_nothing_is_wrong() -> None:
    situation = Situation(router(), Facts())
    assert (situation.is_rolled_out, situation.troubles) == (False, [])
    assert Situation(router(), Facts(), [], ROLLED_OUT).is_rolled_out
    assert not Situation(router(), Facts(), [], STARTING).is_rolled_out
