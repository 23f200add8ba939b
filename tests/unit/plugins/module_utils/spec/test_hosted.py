"""Where a spec names models that somebody else serves."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import (
    model_entries,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import default_model

LOCAL = {
    "name": "here",
    "model": "local",
    "weight": 1,
    "backend": {"type": "service", "service": {"name": "vllm", "port": 8000}},
}


def spec(*references: Any, endpoints: tuple[Any, ...] = (LOCAL,)) -> dict[str, Any]:
    models = [{"name": "hosted", "backend_refs": list(references)}]
    return {"vllmEndpoints": list(endpoints), "config": {"providers": {"models": models}}}


def test_what_the_routers_own_words_add_comes_after_the_endpoints() -> None:
    wanted = spec(
        {"name": "first", "base_url": "https://a.example/v1", "weight": 3},
        {"base_url": "https://b.example"},
        {"name": "third", "endpoint": "models.example:443", "protocol": "https"},
        {"name": "nowhere"},
        "nonsense",
    )
    here, first, second, third = model_entries(wanted)
    assert here == LOCAL
    assert (first["name"], first["model"], first["weight"]) == ("hosted/first", "hosted", 3)
    assert first["backend"] == {"type": "external", "external": {"url": "https://a.example/v1"}}
    assert (second["name"], second["weight"]) == ("hosted/1", 1)
    assert third["backend"]["external"] == {"url": "https://models.example:443"}
    gateway = {"existingRef": {"name": "public", "namespace": "default"}}
    assert model_entries({**wanted, "gateway": gateway}) == [LOCAL]


@pytest.mark.parametrize("models", [None, "nonsense", [None], [{"backend_refs": []}]])
def test_words_of_another_shape_add_nothing(models: Any) -> None:
    assert model_entries({"config": {"providers": {"models": models}}}) == []


def test_a_hosted_model_is_the_default_only_where_there_is_no_other() -> None:
    heavy = {"base_url": "https://a.example", "weight": 100}
    assert default_model(spec(heavy)) == "local"
    assert default_model(spec(heavy, endpoints=())) == "hosted"
