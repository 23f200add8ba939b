# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names in decisions that nothing declares: the router refuses such a file at start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.identities import (
    role_names,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path

# Type of a condition -> where routing.signals declares the names. A domain needs no declaration as
# long as none is declared; the router makes those up from the decisions.
_SIGNALS = {
    "keyword": "keywords",
    "embedding": "embeddings",
    "domain": "domains",
    "fact_check": "fact_check",
    "user_feedback": "user_feedbacks",
    "reask": "reasks",
    "preference": "preferences",
    "language": "language",
    "context": "context",
    "structure": "structure",
    "modality": "modality",
    "jailbreak": "jailbreak",
    "pii": "pii",
    "kb": "kb",
    "conversation": "conversation",
    "event": "events",
}
_COMPLEXITY_LEVELS = ("easy", "medium", "hard")

Unknown = tuple[Path, str, list[str]]


def adapters(routing: dict[str, Any]) -> dict[str, str]:
    """LoRA adapter -> the model that has it, by the model cards."""
    listed = [
        (lora, str(card["name"]))
        for card in routing.get("modelCards") or []
        if isinstance(card.get("loras"), list)
        for lora in card["loras"]
    ]
    return {
        lora["name"]: model
        for lora, model in listed
        if isinstance(lora, dict) and isinstance(lora.get("name"), str)
    }


def unknown_references(document: dict[str, Any]) -> Iterator[Unknown]:
    """Place in the document, what it names, and what it could name instead."""
    routing = document.get("routing") or {}
    providers = document.get("providers") or {}
    models = [model["name"] for model in providers.get("models") or []]
    # A router without models of its own may route for a gateway that has them.
    defaults = (providers.get("defaults") or {}) if models else {}
    for key in ("model", "default_model"):
        name = defaults.get(key)
        if name and name not in [*models, *adapters(routing)]:
            yield ("providers", "defaults", key), f"the model {name}", models
            # The decisions that go by it are told of with it.
            models = [*models, name]
    for index, decision in enumerate(routing.get("decisions") or []):
        place: Path = ("routing", "decisions", index)
        for number, ref in enumerate(decision.get("modelRefs") or []):
            if not isinstance(ref, dict):
                continue
            if models and ref.get("model") not in models:
                yield (
                    (*place, "modelRefs", number, "model"),
                    f"the model {ref.get('model')}",
                    models,
                )
        rules = decision.get("rules") or {}
        yield from _unknown_signals(rules, (*place, "rules"), routing)


def _unknown_signals(node: Any, place: Path, routing: dict[str, Any]) -> Iterator[Unknown]:
    if not isinstance(node, dict):
        return
    for index, condition in enumerate(node.get("conditions") or []):
        yield from _unknown_signals(condition, (*place, "conditions", index), routing)
    kind, name = str(node.get("type") or ""), str(node.get("name") or "")
    declared = _declared(kind, routing)
    # A label after the name picks one outcome of a signal, except where every outcome is listed.
    bare = name if kind == "complexity" else name.split(":", 1)[0]
    if declared is not None and bare not in declared:
        yield (*place, "name"), f"the {kind} signal {name}", declared


def _declared(kind: str, routing: dict[str, Any]) -> list[str] | None:
    """Names that a condition of this type may use; None when any may."""
    signals = routing.get("signals") or {}
    if kind == "complexity":
        rules = [rule.get("name", "") for rule in signals.get("complexity") or []]
        return [f"{rule}:{level}" for rule in rules for level in _COMPLEXITY_LEVELS]
    if kind == "projection":
        mappings = (routing.get("projections") or {}).get("mappings") or []
        return [str(o["name"]) for m in mappings for o in m.get("outputs") or [] if "name" in o]
    if kind == "authz":
        return role_names(routing)
    if kind not in _SIGNALS:
        return None
    names = [signal.get("name", "") for signal in signals.get(_SIGNALS[kind]) or []]
    return None if kind == "domain" and not names else names
