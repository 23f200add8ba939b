"""Decisions of a router that need no model of its own: a word in the prompt is enough."""

from __future__ import annotations

from typing import Any

# Answered by the router itself.
BLOCKED = "blocked"
# The router wants to look something up first, and has nowhere to look: it answers 503.
UNFINDABLE = "unfindable"
# For a LoRA adapter.
MATHS = "maths"
# For several models, which the router asks itself.
EVERYONE = "everyone"

# With this header the router has no opinion, where its configuration allows it.
NO_OPINION = {"x-vsr-skip-processing": "true"}


def config(lora: tuple[str, str], everyone: tuple[str, ...], **more: Any) -> dict[str, Any]:
    """``spec.config``. lora: a model and its adapter; everyone: models that are asked together."""
    message = {"message": "This is not discussed here"}
    lookup = {"enabled": True, "backend": "vectorstore", "on_failure": "block"}
    base, adapter = lora
    decisions = [
        _decision(BLOCKED, base, plugins=[{"type": "fast_response", "configuration": message}]),
        _decision(UNFINDABLE, base, plugins=[{"type": "rag", "configuration": lookup}]),
        _decision(MATHS, base),
        _decision(EVERYONE, *everyone, algorithm={"type": "ratings"}),
    ]
    decisions[2]["modelRefs"][0]["lora_name"] = adapter
    words = [
        {"name": word, "operator": "OR", "keywords": [word]}
        for word in (BLOCKED, UNFINDABLE, MATHS, EVERYONE)
    ]
    return {
        "routing": {"signals": {"keywords": words}},
        "decisions": decisions,
        "global": {"router": {"skip_processing": {"enabled": True}}},
        **more,
    }


def _decision(word: str, *models: str, **more: Any) -> dict[str, Any]:
    return {
        "name": word,
        "priority": 1,
        "rules": {"operator": "OR", "conditions": [{"type": "keyword", "name": word}]},
        "modelRefs": [{"model": model, "use_reasoning": False} for model in models],
        **more,
    }
