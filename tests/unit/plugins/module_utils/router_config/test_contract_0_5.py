"""What router release 0.5 has no more, and what it gets in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    CONTRACTS,
    problems,
    render,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

MakeRouter = Callable[..., Router]

EMBEDDINGS = ("global", "model_catalog", "embeddings", "semantic")
MODULES = ("global", "model_catalog", "modules")
CACHE = ("global", "stores", "response_cache")


def told(router: Router) -> dict[str, bool]:
    return {problem.field: problem.blocking for problem in problems(router, Facts())}


@pytest.mark.parametrize(
    ("config", "place", "written", "field"),
    [
        ({"bert_model": {"model_id": "m"}}, (*EMBEDDINGS, "bert_model_path"), None,
         "bert_model.model_id"),
        ({"embedding_models": {"gemma_model_path": "m"}}, (*EMBEDDINGS, "gemma_model_path"), None,
         "embedding_models.gemma_model_path"),
        ({"embedding_models": {"embedding_config": {"model_type": "gemma"}}},
         (*EMBEDDINGS, "embedding_config", "model_type"), "mmbert",
         "embedding_models.embedding_config.model_type"),
        ({"embedding_models": {"embedding_config": {"backend": "candle"}}},
         (*EMBEDDINGS, "embedding_config", "backend"), None,
         "embedding_models.embedding_config.backend"),
        ({"response_cache": {"embedding_model": "bert"}}, (*CACHE, "embedding_model"), "mmbert",
         "response_cache.embedding_model"),
        ({"response_cache": {"redis": {"index": {"vector_field": {"dimension": 384}}}}},
         (*CACHE, "redis", "index", "vector_field", "dimension"), 768,
         "response_cache.redis.index.vector_field.dimension"),
        ({"prompt_guard": {"variant": "candle"}}, (*MODULES, "prompt_guard", "variant"), None,
         "prompt_guard.variant"),
        ({"prompt_guard": {"model_id": "models/prompt-guard/"}},
         (*MODULES, "prompt_guard", "model_id"), "models/Vela-1.0-Encoder-307M-Guard",
         "prompt_guard.model_id"),
        ({"classifier": {"pii_model": {"model_id": "pii-detector",
                                       "pii_mapping_path": "pii-detector/labels.json"}}},
         (*MODULES, "classifier", "pii", "pii_mapping_path"), None,
         "classifier.pii_model.pii_mapping_path"),
    ],
)  # fmt: skip
def test_what_the_release_has_no_more_is_replaced_and_told_of(
    config: dict[str, Any],
    place: tuple[str, ...],
    written: Any,
    field: str,
    make_router: MakeRouter,
) -> None:
    older = make_router({"contract": "0.4", **config})
    router = make_router({"contract": "0.5", **config})
    assert at(render(older, Facts()), place) not in (None, written)
    assert at(render(router, Facts()), place) == written
    assert told(router).get(f"spec.config.{field}") is False


def test_a_model_of_somebodys_own_keeps_its_name_and_its_labels(make_router: MakeRouter) -> None:
    own = {"model_id": "/models/mine", "pii_mapping_path": "/models/mine/labels.json"}
    router = make_router({"contract": "0.5", "classifier": {"pii_model": own}})
    assert at(render(router, Facts()), (*MODULES, "classifier", "pii")) == own
    assert not [field for field in told(router) if "pii_model" in field]


@pytest.mark.parametrize("length", [768, 64])
def test_a_length_that_the_release_makes_stays(length: int, make_router: MakeRouter) -> None:
    index = {"index": {"vector_field": {"dimension": length}}}
    router = make_router({"contract": "0.5", "response_cache": {"valkey": index}})
    vectors = (*CACHE, "valkey", "index", "vector_field")
    assert at(render(router, Facts()), vectors)["dimension"] == length


def test_the_router_asks_models_itself_without_an_endpoint(
    make_router: MakeRouter, endpoint: Callable[..., dict[str, Any]]
) -> None:
    written = {}
    for contract in CONTRACTS:
        router = make_router({"contract": contract}, vllmEndpoints=[endpoint("a", "one")])
        looper = at(render(router, Facts()), ("global", "integrations", "looper"))
        written[contract] = "endpoint" in looper
    assert written == {"0.3": True, "0.4": True, "0.5": False}


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"global": {"router": {"auto_model_name": "house"}}}, "global.router.auto_model_name"),
        ({"global": {"model_catalog": {"modules": {"prompt_guard": {"use_mmbert_32k": True}}}}},
         "global.model_catalog.modules.prompt_guard.use_mmbert_32k"),
        ({"global": {"stores": {"semantic_cache": {"enabled": True}}}},
         "global.stores.semantic_cache"),
    ],
)  # fmt: skip
def test_a_key_of_an_older_document_is_refused_with_what_to_write(
    config: dict[str, Any], field: str, make_router: MakeRouter
) -> None:
    assert told(make_router({"contract": "0.5", **config}))[f"spec.config.{field}"] is True
