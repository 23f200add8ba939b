from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.guards import (
    checks_prompts,
)


def deciding_on(kind: str) -> dict[str, Any]:
    inner = {"operator": "NOT", "conditions": [{"type": kind, "name": "any"}]}
    return {"rules": {"operator": "AND", "conditions": [inner]}}


@pytest.mark.parametrize(
    "config",
    [
        {"prompt_guard": {"enabled": True}},
        {"classifier": {"pii_model": {"threshold": 0.7}}},
        {"routing": {"signals": {"jailbreak": [{"name": "any"}]}}},
        {"routing": {"signals": {"pii": [{"name": "any"}]}}},
        {"global": {"model_catalog": {"modules": {"prompt_guard": {"enabled": True}}}}},
        {"decisions": [deciding_on("domain"), deciding_on("jailbreak")]},
        {"routing": {"decisions": [deciding_on("pii")]}},
    ],
)
def test_whatever_looks_at_prompts_counts(config: dict[str, Any]) -> None:
    assert checks_prompts({"config": config})


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"prompt_guard": {"enabled": False}, "classifier": {"category_model": {}}},
        {"routing": {"signals": {"jailbreak": [], "keywords": [{"name": "any"}]}}},
        {"routing": None, "global": {"model_catalog": []}},
        {"decisions": [deciding_on("domain")], "routing": {"decisions": ["?"]}},
    ],
)
def test_what_only_chooses_a_model_does_not(config: dict[str, Any] | None) -> None:
    assert not checks_prompts({"config": config})
