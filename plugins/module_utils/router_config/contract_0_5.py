# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contract "0.5": the config.yaml of router release 0.5, and of `latest`.

What 0.4 has, but for the local models: here all of them run in one runtime of the router's, which
has fewer families and finds out by itself what a model is. The release's `config migrate` says what
became of the others, and a test holds us to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    contract_0_4,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Gone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    at,
    field_path,
    replaced,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

_BY_ITSELF = "Remove it; the model's own files say what it is"
_ONE_EMBEDDING = (
    "Remove it, or name an embedding model of this release (mmbert_model_path, qwen3_model_path) "
    "or a server that embeds"
)
_ENTRYPOINTS = "Write entrypoints: [{model_names: [that name], recipe: default}]"
_MODULES = "global.model_catalog.modules"

# What 0.4 has not, and this release has.
_BACK = ("decisions.*.reliability", "decisions.*.fallback")

_GONE = (
    # The router takes neither of them, and falls back to its own embedding model.
    Gone("embedding_models.bert_model_path", _ONE_EMBEDDING),
    Gone("embedding_models.gemma_model_path", _ONE_EMBEDDING),
    Gone("prompt_guard.variant", _BY_ITSELF),
    Gone("category_model.use_modernbert", _BY_ITSELF),
    Gone("pii_model.use_mmbert_32k", _BY_ITSELF),
)

_MOVED = (
    Gone("global.router.auto_model_name", _ENTRYPOINTS, blocking=True),
    Gone("global.router.auto_model_names", _ENTRYPOINTS, blocking=True),
    Gone(
        "global.router.include_config_models_in_list", "Call it list_backend_models", blocking=True
    ),
    Gone("global.integrations.looper.endpoint", "Remove it; the router asks models' backends"),
    Gone("global.model_catalog.embeddings.semantic.bert_model_path", _ONE_EMBEDDING, blocking=True),
    Gone(
        "global.model_catalog.embeddings.semantic.gemma_model_path", _ONE_EMBEDDING, blocking=True
    ),
    *(
        Gone(f"{_MODULES}.{module}.{key}", _BY_ITSELF, blocking=True)
        for module in (
            "prompt_guard",
            "classifier.domain",
            "classifier.pii",
            "hallucination_mitigation.fact_check",
            "feedback_detector",
        )
        for key in ("variant", "use_modernbert", "use_mmbert_32k")
    ),
    Gone(
        f"{_MODULES}.hallucination_mitigation.explainer",
        "Remove it; this release explains none",
        blocking=True,
    ),
    Gone(
        "global.stores.response_cache.polarity_guard",
        "Remove it; this release has no model for it",
        blocking=True,
    ),
)

# Models by the names that releases before had for them, and who does their work here: with the same
# labels, so that what rules match stays as it is.
_VELA = "models/Vela-1.0-Encoder-307M-"
_NAMES = {
    f"{_VELA}Domain": (
        "mom-domain-classifier domain-classifier intent-classifier category-classifier "
        "category_classifier_modernbert-base_model lora_intent_classifier_bert-base-uncased_model "
        "mmbert32k-intent-classifier-lora mmbert32k-intent mmbert-32k-intent intent-classifier-32k "
        "mmbert32k-intent-classifier-merged mmbert32k-intent-merged intent-classifier-32k-merged"
    ),
    f"{_VELA}PII": (
        "mom-pii-classifier pii-detector pii-classifier privacy-guard mom-mmbert-pii-detector "
        "lora_pii_detector_bert-base-uncased_model mmbert-pii-detector mmbert-pii-detector-merged "
        "pii_classifier_modernbert-base_presidio_token_model pii_classifier_modernbert-base_model "
        "pii_classifier_modernbert_model pii_classifier_modernbert_ai4privacy_token_model "
        "mmbert32k-pii-detector-merged mmbert32k-pii-merged pii-detector-32k-merged "
        "mmbert32k-pii-detector-lora mmbert32k-pii mmbert-32k-pii pii-detector-32k"
    ),
    f"{_VELA}Guard": (
        "mom-jailbreak-classifier jailbreak-detector prompt-guard safety-classifier "
        "jailbreak_classifier_modernbert-base_model jailbreak_classifier_modernbert_model "
        "lora_jailbreak_classifier_bert-base-uncased_model mmbert32k-jailbreak-detector-lora "
        "mmbert32k-jailbreak mmbert-32k-jailbreak jailbreak-detector-32k prompt-guard-32k "
        "mmbert32k-jailbreak-detector-merged mmbert32k-jailbreak-merged "
        "jailbreak-detector-32k-merged"
    ),
    f"{_VELA}Embedding": (
        "mom-embedding-ultra mmbert-embed-32k-2d-matryoshka mmbert-embedding embedding-mmbert "
        "embedding-ultra mom-embedding-flash embeddinggemma-300m embedding-flash "
        "mom-embedding-light all-MiniLM-L12-v2 embedding-light bert-light "
        "google/embeddinggemma-300m sentence-transformers/all-MiniLM-L12-v2"
    ),
}
SUCCESSORS = {name: successor for successor, names in _NAMES.items() for name in names.split()}

_MODELS = {
    "embedding_models": (("mmbert_model_path",), ("qwen3_model_path",)),
    "category_model": (("model_id",),),
    "pii_model": (("model_id",),),
    "prompt_guard": (("model_id",),),
}
_LABELS = ("category_mapping_path", "pii_mapping_path", "jailbreak_mapping_path")
_OLD_FAMILIES = ("bert", "gemma")
_NEW_FAMILY = "mmbert"
# Lengths of vectors that the family's model makes; the router refuses a store of another length.
_LENGTHS = (768, 512, 256, 128, 64)
_LENGTH_PATHS: tuple[Path, ...] = (
    ("redis", "index", "vector_field", "dimension"),
    ("valkey", "index", "vector_field", "dimension"),
    ("milvus", "collection", "vector_field", "dimension"),
)


@dataclass(frozen=True)
class _Change:
    """A value that this release has no more. value: what takes its place; None: nothing does."""

    path: Path
    value: Any
    found: str
    remedy: str


def _changes(section: Section) -> Iterator[_Change]:
    yield from _models(section)
    if section.name == "embedding_models":
        yield from _embeddings(section.value)
    if section.name == "response_cache":
        yield from _cache(section.value)


def _models(section: Section) -> Iterator[_Change]:
    for path in _MODELS.get(section.name, ()):
        asked = at(section.value, path)
        successor = _successor(asked)
        if not successor:
            continue
        yield _Change(
            path, successor, f"this release has {successor} for it", f"Name {successor}, or none"
        )
        for key in _LABELS:
            file = section.value.get(key)
            if isinstance(file, str) and file.startswith(f"{asked.strip().rstrip('/')}/"):
                yield _Change(
                    (key,), None, "it tells of labels of a model that is not used", "Remove it"
                )


def _successor(name: Any) -> str:
    if not isinstance(name, str):
        return ""
    plain = name.strip().rstrip("/")
    return SUCCESSORS.get(plain) or SUCCESSORS.get(plain.removeprefix("models/")) or ""


def _embeddings(value: dict[str, Any]) -> Iterator[_Change]:
    settings = ("embedding_config",)
    if at(value, (*settings, "backend")) in ("candle", "openvino"):
        yield _Change(
            (*settings, "backend"), None, "local models have one runtime here", "Remove it"
        )
    family = at(value, (*settings, "model_type"))
    if family in _OLD_FAMILIES:
        path = (*settings, "model_type")
        yield _Change(path, _NEW_FAMILY, *_words(str(family)))
        if not value.get("mmbert_model_path"):
            yield _Change(("mmbert_model_path",), f"{_VELA}Embedding", *_words(str(family)))


def _cache(value: dict[str, Any]) -> Iterator[_Change]:
    family = value.get("embedding_model") or _NEW_FAMILY
    if family in _OLD_FAMILIES:
        yield _Change(("embedding_model",), _NEW_FAMILY, *_words(family))
        family = _NEW_FAMILY
    for path in _LENGTH_PATHS:
        length = at(value, path)
        if family == _NEW_FAMILY and isinstance(length, int) and length not in _LENGTHS:
            yield _Change(
                path,
                _LENGTHS[0],
                f"{_NEW_FAMILY} makes vectors of {', '.join(map(str, _LENGTHS))}, so the index has "
                f"{_LENGTHS[0]}",
                "Give one of them, and make an index that is there already anew",
            )


def _words(family: str) -> tuple[str, str]:
    return (
        f"this release has no {family}, and takes {_NEW_FAMILY}",
        f"Give {_NEW_FAMILY}, look at thresholds again, and make stored vectors anew",
    )


def _adapt(section: Section, config: RouterConfig) -> Any:
    value = section.value
    for change in _changes(section):
        value = _with(value, change)
    return contract_0_4.CONTRACT.adapt(replace(section, value=value), config)


def _with(value: dict[str, Any], change: _Change) -> dict[str, Any]:
    if change.value is not None:
        return dict(replaced(value, change.path, change.value))
    *above, key = change.path
    part = at(value, tuple(above))
    rest = {name: child for name, child in part.items() if name != key}
    return dict(replaced(value, tuple(above), rest))


def _check(config: RouterConfig) -> list[Problem]:
    return [
        *contract_0_4.CONTRACT.check(config),
        *(
            Problem(
                "PartlyInEffect",
                field_path(section.written_at(change.path)),
                change.found,
                change.remedy,
                blocking=False,
            )
            for section in config.sections.values()
            for change in _changes(section)
        ),
    ]


CONTRACT = replace(
    contract_0_4.CONTRACT,
    name="0.5",
    gone=(*(gone for gone in contract_0_4.CONTRACT.gone if gone.path not in _BACK), *_GONE),
    moved=(*contract_0_4.CONTRACT.moved, *_MOVED),
    # It asks models at the addresses of backend_refs, and looks at no endpoint of a looper.
    calling_algorithms=frozenset(),
    serves_alone=True,
    adapt=_adapt,
    check=_check,
)
