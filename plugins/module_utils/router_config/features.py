# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What makes the guard, the tools and the cache act, once they are switched on.

The router goes by nothing but its decisions: `prompt_guard.enabled` loads a model that nobody asks
until a decision has a jailbreak signal in its rules, and tools and cache are plugins of the one
decision that a request falls under. So a document that switches a feature on gets

- `prompt_guard`, a signal and a decision before all others that answers instead of a model, unless
  a decision of the user's goes by a jailbreak signal already;
- the plugins of tools and cache in every decision that has none of their kind, so that a decision
  is left out by a plugin with `enabled: false`;
- `every_request`, a decision after all others with these plugins, unless one of the user's matches
  every request already. It names the default model, where the request would have gone anyway.

A decision or signal of the user's with one of these names stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.references import (
    adapters,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.tools import (
    TOOLS_DB_PATH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at

GUARD = "prompt_guard"
EVERY_REQUEST = "every_request"
REFUSAL = "The prompt guard takes this request for an attack on the model, so no model was asked."

FEATURES = ("prompt_guard", "tools", "response_cache")

# The router's own, for a guard without one.
_THRESHOLD = 0.7
_FIRST = 1000
# Sections by the plugins that do the same in one decision, in the words of all releases.
_PLUGINS = {
    "tools": ("tools", "tool_selection"),
    "response_cache": ("response_cache", "semantic_cache"),
}
# An answer made with one user's data is not kept for others, so the router takes no cache there.
_PERSONAL = ("memory", "rag")


@dataclass(frozen=True)
class _Wanted:
    """Features to put into effect in each of a document's routings.

    threshold: of the guard; None when it is off.
    plugins: section to the plugin that makes it act.
    fallback: the model of requests that no decision is for.
    """

    threshold: Any
    plugins: dict[str, dict[str, Any]]
    fallback: list[dict[str, Any]]
    strategy: str


def put_into_effect(document: dict[str, Any], contract: Contract, config: RouterConfig) -> None:
    """Adds the signal, the decisions and the plugins that the document's features act through."""
    on = [name for name in FEATURES if _acts(document, contract, config, name)]
    if not on:
        return
    guard = at(document, contract.layout["prompt_guard"]) or {}
    wanted = _Wanted(
        threshold=guard.get("threshold", _THRESHOLD) if "prompt_guard" in on else None,
        plugins={name: contract.plugins[name] for name in _PLUGINS if name in on},
        fallback=_fallback(document),
        strategy=at(document, ("global", "router", "strategy")) or "",
    )
    recipes = document.get("recipes") or []
    # A recipe of this name takes the place of the document's own routing.
    if not any(recipe.get("name") == "default" for recipe in recipes):
        document["routing"] = _with_features(document.get("routing") or {}, wanted)
    if recipes:
        document["recipes"] = [
            {**recipe, "routing": _with_features(recipe.get("routing") or {}, wanted)}
            for recipe in recipes
        ]


def limits(
    document: dict[str, Any], contract: Contract, config: RouterConfig
) -> Iterator[tuple[Path, str, str]]:
    """Features that do less than they say: where they are switched on, why, and what to do."""
    for name in FEATURES:
        place = (*contract.layout[name], "enabled")
        if name == "response_cache" and _embeds_elsewhere(document, contract):
            if at(document, place) is True:
                yield (
                    place,
                    "the router's cache compares requests by models inside the router only, and "
                    "with remote embeddings none is loaded, so that every look-up fails",
                    "Set it to false, or embed in the router",
                )
        elif _acts(document, contract, config, name):
            if not contract.decides_for_named_models:
                yield (
                    place,
                    f"routers of contract {contract.name} apply it to requests that leave the "
                    "choice of a model to them, and to none that names a model",
                    "Have clients ask for the model auto",
                )
        elif at(document, place) is True and not contract.loads_tools:
            yield (
                place,
                f"routers of contract {contract.name} never load them, and to a request with "
                "tool_choice auto they would leave none of its own",
                "Set it to false, or use an image of release 0.4 or later",
            )
        elif at(document, place) is True:
            yield (
                place,
                "there are no tools that a request could be given",
                "List them in spec.toolsDb, or set it to false",
            )


def _acts(document: dict[str, Any], contract: Contract, config: RouterConfig, name: str) -> bool:
    section = at(document, contract.layout[name]) or {}
    if section.get("enabled") is not True:
        return False
    if name == "response_cache":
        return not _embeds_elsewhere(document, contract)
    if name != "tools":
        return True
    # Without any the router would take away the tools that a client brings itself.
    has_some = config.has_tools or section.get("tools_db_path") != TOOLS_DB_PATH
    return contract.loads_tools and has_some


def _embeds_elsewhere(document: dict[str, Any], contract: Contract) -> bool:
    settings = at(document, (*contract.layout["embedding_models"], "embedding_config")) or {}
    return settings.get("backend") == "openai_compatible" or settings.get("model_type") == "remote"


def _fallback(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The default model, thinking if it is one of those that think unless they are told not to.

    A decision always tells them one or the other, and an adapter by the name of its model.
    """
    providers = document.get("providers") or {}
    defaults = providers.get("defaults") or {}
    name = defaults.get("model") or defaults.get("default_model")
    if not name or not isinstance(name, str):
        return []
    base = adapters(document.get("routing") or {}).get(name, "")
    adapter, name = ({"lora_name": name}, base) if base else ({}, name)
    thinks = any(
        model.get("reasoning") or model.get("reasoning_family")
        for model in providers.get("models") or []
        if model.get("name") == name
    )
    return [{"model": name, **adapter, "use_reasoning": thinks}]


def _with_features(routing: dict[str, Any], wanted: _Wanted) -> dict[str, Any]:
    own = [decision for decision in routing.get("decisions") or [] if isinstance(decision, dict)]
    decisions = [_with_plugins(decision, wanted.plugins) for decision in own]
    signals = routing.get("signals") or {}
    names = {decision.get("name") for decision in own}
    ranks_by_confidence = _ranks_by_confidence(routing, own, wanted)
    if wanted.threshold is not None and GUARD not in names and not _is_guarded(routing, own):
        signals = {**signals, "jailbreak": _with_guard_signal(signals.get("jailbreak"), wanted)}
        decisions.insert(0, _guard(own, ranks_by_confidence))
    if wanted.plugins and EVERY_REQUEST not in names and not any(map(_always_matches, own)):
        decisions.append(_every_request(own, wanted))
    return {**routing, **({"signals": signals} if signals else {}), "decisions": decisions}


def _ranks_by_confidence(
    routing: dict[str, Any], own: list[dict[str, Any]], wanted: _Wanted
) -> bool:
    """Of several decisions that match, the surest wins, and not the one of highest priority."""
    strategy = routing.get("strategy") or wanted.strategy
    return strategy == "confidence" or any(decision.get("tier") for decision in own)


def _with_guard_signal(signals: Any, wanted: _Wanted) -> list[dict[str, Any]]:
    own = list(signals or [])
    if any(signal.get("name") == GUARD for signal in own):
        return own
    return [*own, {"name": GUARD, "threshold": wanted.threshold}]


def _guard(own: list[dict[str, Any]], ranks_by_confidence: bool) -> dict[str, Any]:
    attack: dict[str, Any] = {"type": "jailbreak", "name": GUARD}
    rules: dict[str, Any] = {"operator": "AND", "conditions": [attack]}
    if ranks_by_confidence:
        # What is not so is certain to the router, and no decision is surer than certain.
        rules = {"operator": "NOT", "conditions": [{"operator": "NOT", "conditions": [attack]}]}
    return {
        "name": GUARD,
        "description": "Answers attacks on the model",
        "priority": max(_FIRST, max(map(_priority, own), default=0) + 1),
        "rules": rules,
        "modelRefs": [],
        "plugins": [{"type": "fast_response", "configuration": {"message": REFUSAL}}],
    }


def _every_request(own: list[dict[str, Any]], wanted: _Wanted) -> dict[str, Any]:
    rules: dict[str, Any] = {"operator": "AND", "conditions": []}
    if any(decision.get("tier") for decision in own):
        # No tier is after all others without changing how these are ranked among themselves.
        others = {"operator": "OR", "conditions": [d["rules"] for d in own if d.get("rules")]}
        rules = {"operator": "NOT", "conditions": [others]}
    return {
        "name": EVERY_REQUEST,
        "description": "Requests that no other decision is for",
        "priority": min(0, min(map(_priority, own), default=0)) - 1,
        "rules": rules,
        "modelRefs": wanted.fallback,
        "plugins": list(wanted.plugins.values()),
    }


def _with_plugins(decision: dict[str, Any], plugins: dict[str, dict[str, Any]]) -> dict[str, Any]:
    own = list(decision.get("plugins") or [])
    kinds = {_kind(plugin): plugin for plugin in own if isinstance(plugin, dict)}
    if "fast_response" in kinds:
        return decision
    missing = [
        plugin
        for section, plugin in plugins.items()
        if not kinds.keys() & set(_PLUGINS[section])
        and not (section == "response_cache" and any(_is_on(kinds.get(k)) for k in _PERSONAL))
    ]
    return {**decision, "plugins": [*own, *missing]} if missing else decision


def _kind(plugin: dict[str, Any]) -> str:
    return str(plugin.get("type")).replace("-", "_")


def _is_on(plugin: dict[str, Any] | None) -> bool:
    return plugin is not None and (plugin.get("configuration") or {}).get("enabled", True) is True


def _priority(decision: dict[str, Any]) -> int:
    priority = decision.get("priority")
    return priority if isinstance(priority, int) else 0


def _always_matches(decision: dict[str, Any]) -> bool:
    rules = decision.get("rules") or {}
    return str(rules.get("operator")).upper() == "AND" and not rules.get("conditions")


def _is_guarded(routing: dict[str, Any], own: list[dict[str, Any]]) -> bool:
    """A decision of the user's goes by a jailbreak signal, itself or by way of a projection."""
    scores = at(routing, ("projections", "scores"))
    listed = [at(score, ("inputs",)) for score in scores] if isinstance(scores, list) else []
    inputs = [entry for found in listed if isinstance(found, list) for entry in found]
    return any(_names_jailbreak(node) for node in [*inputs, *(d.get("rules") for d in own)])


def _names_jailbreak(node: Any) -> bool:
    if not isinstance(node, dict):
        return False
    return node.get("type") == "jailbreak" or any(
        _names_jailbreak(child) for child in node.get("conditions") or []
    )
