# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contract "0.3": the config.yaml of router releases 0.2 and 0.3.

Read off the release's own parser, which is stricter than its validator in one way (a
reasoning_family must be defined) and looser in another (it only warns of keys it does not know, so
what is gone is listed here).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    UNRESOLVED_ADDRESS,
    Contract,
    Gone,
    backend_refs,
    model_card,
    with_plugin_type,
    with_priority,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# The validator wants a default model even of a router that serves none. The name shows up in the
# answer to a client, so it says what is wrong.
NO_MODEL = "no-model-configured"

_UPGRADE = "use an image of release 0.4 or later"

_GONE = (
    Gone("embedding_models.endpoint", f"Embed in the router, or {_UPGRADE}", blocking=True),
    Gone("response_cache.hnsw", "Remove it; this release sizes its index by itself"),
    Gone("prompt_guard.positive_labels", f"Remove it, or {_UPGRADE}", blocking=True),
    Gone(
        "prompt_guard.on_error",
        f"Remove it (this release lets requests pass when the guard fails), or {_UPGRADE}",
        blocking=True,
        harmless=("allow",),
    ),
    Gone(
        "pii_model.use_modernbert",
        "Remove it; the model's own files say what it is (use_mmbert_32k picks that kind)",
        harmless=(False,),
    ),
    Gone("decisions.*.reliability", "Remove it, or use an image of release 0.5 or later"),
    Gone("decisions.*.fallback", "Remove it, or use an image of release 0.5 or later"),
    *(
        Gone(f"complexity_rules.*.{key}", f"Give examples, or {_UPGRADE}", blocking=True)
        for key in ("hard_above", "easy_below", "hard_below", "easy_above")
    ),
    Gone("model_deployments", f"Remove it, or {_UPGRADE}", blocking=True),
    Gone("model_admission", f"Remove it, or {_UPGRADE}", blocking=True),
    Gone("complexity_model.backend", f"Remove it, or {_UPGRADE}", blocking=True),
    Gone(
        "decisions.*.preferred_endpoints",
        "Remove it; weights in spec.vllmEndpoints decide among the endpoints of a model",
    ),
)
# The router only warns of them in its log, so none of them may pass.
_MOVED = (
    Gone("providers.defaults.model", f"Call it default_model, or {_UPGRADE}", blocking=True),
    Gone(
        "providers.defaults.reasoning_effort",
        f"Call it default_reasoning_effort, or {_UPGRADE}",
        blocking=True,
    ),
    Gone(
        "providers.models.*.reasoning",
        f"Name one of providers.defaults.reasoning_families in reasoning_family, or {_UPGRADE}",
        blocking=True,
    ),
    Gone("global.stores.response_cache", f"Call it semantic_cache, or {_UPGRADE}", blocking=True),
)


def _providers(config: RouterConfig) -> dict[str, Any]:
    defaults: dict[str, Any] = {"default_model": config.default_model or NO_MODEL}
    if config.default_reasoning_effort:
        defaults["default_reasoning_effort"] = config.default_reasoning_effort
    used = [model.family for model in config.models if model.family]
    families = {family.name: family for family in (*config.families, *used)}
    if families:
        defaults["reasoning_families"] = {
            family.name: {"type": family.type, "parameter": family.parameter}
            for family in families.values()
        }
    return {"defaults": defaults, "models": _models(config)}


def _models(config: RouterConfig) -> list[dict[str, Any]]:
    if not config.models:
        return [{"name": NO_MODEL, "backend_refs": [{"endpoint": UNRESOLVED_ADDRESS}]}]
    return [
        {
            "name": model.name,
            **({"reasoning_family": model.family.name} if model.family else {}),
            "backend_refs": backend_refs(model.endpoints, model.providers),
        }
        for model in config.models
    ]


def _model_cards(config: RouterConfig) -> list[dict[str, Any]]:
    return [model_card(model) for model in config.models] or [{"name": NO_MODEL}]


def _adapt(section: Section, _config: RouterConfig) -> Any:
    if section.name == "prompt_guard":
        return _prompt_guard(section.value)
    if section.name == "decisions":
        names = {"response_cache": "semantic-cache", "response-cache": "semantic-cache"}
        return with_priority(with_plugin_type(section.value, names))
    return section.value


def _prompt_guard(guard: dict[str, Any]) -> dict[str, Any]:
    """variant and protocol are switches in this release."""
    switches: dict[str, Any] = {}
    if guard.get("variant"):
        switches["use_mmbert_32k"] = guard["variant"] == "mmbert32k"
    if guard.get("protocol") == "http_chat":
        switches["use_vllm"] = True
    rest = {key: value for key, value in guard.items() if key not in ("variant", "protocol")}
    return {**rest, **switches}


def _complete(document: dict[str, Any]) -> None:
    """What the router makes up by itself, and its validator wants to see: a description of every
    decision, and the domains that decisions name, when none is declared.
    """
    routing = document["routing"]
    decisions = routing.get("decisions")
    if isinstance(decisions, list):
        routing["decisions"] = [
            {"name": d["name"], "description": d["name"], **d}
            if isinstance(d, dict) and "name" in d
            else d
            for d in decisions
        ]
    names = sorted(
        _domains({"conditions": [d.get("rules") for d in routing.get("decisions") or []]})
    )
    if names and not (routing.get("signals") or {}).get("domains"):
        routing["signals"] = {
            **(routing.get("signals") or {}),
            "domains": [
                {"name": name, "description": name, "mmlu_categories": ["other"]} for name in names
            ],
        }


def _domains(node: Any) -> set[str]:
    if not isinstance(node, dict):
        return set()
    if node.get("type") == "domain" and isinstance(node.get("name"), str):
        return {node["name"]}
    return {name for child in node.get("conditions") or [] for name in _domains(child)}


def _check(config: RouterConfig) -> list[Problem]:
    problems = []
    embeddings = config.sections.get("embedding_models")
    settings = (embeddings.value.get("embedding_config") or {}) if embeddings else {}
    for key, remote in (("backend", "openai_compatible"), ("model_type", "remote")):
        if settings.get(key) == remote:
            where = f"spec.config.embedding_models.embedding_config.{key}"
            found = f"{remote} is not in this router release"
            problems.append(
                Problem("InvalidConfig", where, found, f"Embed in the router, or {_UPGRADE}")
            )
    guard = config.sections.get("prompt_guard")
    if guard and guard.value.get("protocol") == "http_classify":
        problems.append(
            Problem(
                "InvalidConfig",
                "spec.config.prompt_guard.protocol",
                "http_classify is not in this router release",
                f"Give http_chat, or {_UPGRADE}",
            )
        )
    return problems


CONTRACT = Contract(
    name="0.3",
    top_level=("version", "listeners", "providers", "routing", "global", "setup"),
    layout={
        "embedding_models": ("global", "model_catalog", "embeddings", "semantic"),
        "response_cache": ("global", "stores", "semantic_cache"),
        "looper": ("global", "integrations", "looper"),
        "tools": ("global", "integrations", "tools"),
        "prompt_guard": ("global", "model_catalog", "modules", "prompt_guard"),
        "category_model": ("global", "model_catalog", "modules", "classifier", "domain"),
        "pii_model": ("global", "model_catalog", "modules", "classifier", "pii"),
        "api": ("global", "services", "api"),
        "observability": ("global", "services", "observability"),
        "strategy": ("global", "router", "strategy"),
        "complexity_rules": ("routing", "signals", "complexity"),
        "decisions": ("routing", "decisions"),
        "model_deployments": ("global", "model_catalog", "deployments"),
        "model_admission": ("global", "model_catalog", "admission"),
        "complexity_model": ("global", "model_catalog", "modules", "complexity"),
        "external_models": ("global", "model_catalog", "external"),
        "streamed_body": ("global", "router", "streamed_body"),
    },
    gone=_GONE,
    moved=_MOVED,
    expands_environment=False,
    calling_algorithms=frozenset({"confidence", "ratings", "remom"}),
    # It decides whether its embedding models are there to load tools with before it has tried.
    loads_tools=False,
    decides_for_named_models=True,
    plugins={
        "tools": {"type": "tools", "configuration": {"enabled": True}},
        "response_cache": {"type": "semantic-cache", "configuration": {"enabled": True}},
    },
    reasoning_types=frozenset({"chat_template_kwargs", "reasoning_effort"}),
    has_schema=False,
    has_catalog=False,
    serves_alone=False,
    caches_by_model=False,
    shows_replays=True,
    providers=_providers,
    model_cards=_model_cards,
    adapt=_adapt,
    complete=_complete,
    check=_check,
)
