# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Contract "0.4": the config.yaml of router release 0.4.

The release has a JSON schema that refuses every key it does not know (schema.py reads it where it
is installed); what is gone is listed here as well, because only we can say what to do instead.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    contract_0_3,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
    Gone,
    backend_refs,
    model_card,
    with_plugin_type,
    with_priority,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.families import (
    ALWAYS_ON,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    Model,
    ReasoningFamily,
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    field_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

_RELEASE_0_5 = "Remove it, or use an image of release 0.5 or later"
_OWN_POOL = "Remove it; this router release keeps its own connections"

_GONE = (
    Gone("response_cache.hnsw", "Remove it; this release sizes its index by itself"),
    Gone("response_cache.redis.development.verbose_errors", "Remove it", harmless=(True,)),
    Gone("response_cache.valkey.development.verbose_errors", "Remove it", harmless=(True,)),
    Gone("response_cache.milvus.development.verbose_errors", "Remove it", harmless=(True,)),
    Gone("response_cache.milvus.performance", _OWN_POOL),
    Gone(
        "response_cache.milvus.data_management",
        "Remove it; ttl_seconds of the cache is in force, and Milvus compacts by its own settings",
    ),
    Gone(
        "pii_model.use_modernbert",
        "Remove it; the model's own files say what it is (use_mmbert_32k picks that kind)",
        harmless=(False,),
    ),
    Gone("decisions.*.reliability", _RELEASE_0_5),
    Gone("decisions.*.fallback", _RELEASE_0_5),
    Gone(
        "decisions.*.preferred_endpoints",
        "Remove it; weights in spec.vllmEndpoints decide among the endpoints of a model",
    ),
)

_MOVED = (
    Gone("providers.defaults.default_model", "Call it model", blocking=True),
    Gone("providers.defaults.default_reasoning_effort", "Call it reasoning_effort", blocking=True),
    Gone(
        "providers.defaults.reasoning_families",
        "Define them in spec.config.reasoning_families, or give each of providers.models its own "
        "reasoning",
        blocking=True,
    ),
    Gone(
        "providers.models.*.reasoning_family",
        "Write reasoning with the family in it: {family: qwen3}",
        blocking=True,
    ),
    Gone("global.stores.semantic_cache", "Call it response_cache", blocking=True),
)

# Efforts that the router's catalog knows for the families we supply; the others are on or off. A
# test compares them.
EFFORTS: dict[str, tuple[str, ...]] = {
    "deepseek": ("low", "high", "max"),
    "gpt": ("minimal", "low", "medium", "high", "xhigh", "max"),
    "gpt-oss": ("low", "medium", "high"),
}
# A family given in the SemanticRouter says how to ask for thinking, not that a model may be asked
# not to think, or which efforts there are; the releases before took any.
_STANDARD_EFFORTS = ("low", "medium", "high")


def _providers(config: RouterConfig) -> dict[str, Any]:
    defaults: dict[str, Any] = {}
    if config.default_model:
        defaults["model"] = config.default_model
    if config.default_reasoning_effort:
        defaults["reasoning_effort"] = config.default_reasoning_effort
    providers: dict[str, Any] = {"defaults": defaults} if defaults else {}
    if config.models:
        providers["models"] = [_model(model, config) for model in config.models]
    return providers


def _model(model: Model, config: RouterConfig) -> dict[str, Any]:
    return {
        "name": model.name,
        **({"catalog": model.catalog} if model.catalog else {}),
        **_thinking(model, config),
        "backend_refs": [
            {"name": ref["name"], "provider": "vllm", **ref}
            for ref in backend_refs(_alike(model.endpoints), model.providers)
        ],
    }


def _thinking(model: Model, config: RouterConfig) -> dict[str, Any]:
    # A name alone may be of a family that this SemanticRouter defines.
    if model.reasoning and not (model.family and set(model.reasoning) == {"family"}):
        return {"reasoning": model.reasoning}
    return {"reasoning": _reasoning(model.family, config)} if model.family else {}


def _alike(endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints that go with the first one whose backend has been found.

    This release wants the backends of a model to have one scheme and, with https, one host, because
    its own tooling would put them into one Envoy cluster of one TLS server name. Ours need not
    agree: which backend gets a request is decided in envoy.yaml, and there all of them are.
    """
    found = [endpoint for endpoint in endpoints if endpoint.address]
    return tuple(one for one in found if _server(one) == _server(found[0])) or endpoints


def _server(endpoint: Endpoint) -> tuple[str, str]:
    name = endpoint.server_name or endpoint.host
    return endpoint.scheme, name if endpoint.scheme == "https" else ""


def _reasoning(family: ReasoningFamily, config: RouterConfig) -> dict[str, Any]:
    if not family.given:
        return {"family": family.name}
    reasoning: dict[str, Any] = {"type": family.type, "parameter": family.parameter}
    efforts = _efforts(family, config)
    if efforts:
        reasoning["levels"] = list(efforts)
    return {**reasoning, "modes": ["enabled", "disabled"], "default_mode": "enabled"}


def _efforts(family: ReasoningFamily, config: RouterConfig) -> tuple[str, ...]:
    """Efforts that models of the family understand, () when thinking is only on or off."""
    if not family.given:
        return EFFORTS.get(family.name, ())
    if family.type not in ("reasoning_effort", "top_level_reasoning_effort"):
        return ()
    asked = [
        ref["reasoning_effort"] for _, ref in _model_refs(config) if ref.get("reasoning_effort")
    ]
    return tuple(dict.fromkeys((*_STANDARD_EFFORTS, *asked)))


def _model_refs(config: RouterConfig) -> list[tuple[Path, dict[str, Any]]]:
    """Every model of every decision, and where it stands below spec."""
    section = config.sections.get("decisions")
    return [
        (("config", "decisions", index, "modelRefs", number), ref)
        for index, decision in enumerate(section.value if section else [])
        for number, ref in enumerate(decision.get("modelRefs") or [])
    ]


def _pointless_effort(ref: dict[str, Any], config: RouterConfig) -> str:
    """Why the router would refuse the effort asked for here, "" when it would not."""
    effort = ref.get("reasoning_effort")
    model = next((model for model in config.models if model.name == ref["model"]), None)
    family = model.family if model else None
    if not effort or not model or not family:
        return ""
    if not ref.get("use_reasoning"):
        return "use_reasoning is not true"
    efforts = tuple(model.reasoning.get("levels") or ()) or _efforts(family, config)
    if not efforts:
        return f"models of the reasoning family {family.name} think or do not, without degrees"
    known = ", ".join(efforts)
    return "" if effort in efforts else f"the reasoning family {family.name} has {known}"


def _model_cards(config: RouterConfig) -> list[dict[str, Any]]:
    # The card of a model that the catalog has is the catalog's, by its name there.
    return [
        {**model_card(model), **({"name": model.catalog} if model.catalog else {})}
        for model in config.models
    ]


def _adapt(section: Section, config: RouterConfig) -> Any:
    if section.name == "prompt_guard" and section.value.get("protocol"):
        rest = {key: value for key, value in section.value.items() if key != "protocol"}
        server = _guard_server(config)
        return {**rest, "backend": _guard_backend(section.value["protocol"], server)}
    return _decisions(section.value, config) if section.name == "decisions" else section.value


def _decisions(decisions: list[dict[str, Any]], config: RouterConfig) -> list[dict[str, Any]]:
    older = dict.fromkeys(("semantic-cache", "semantic_cache", "response-cache"), "response_cache")
    return [
        {**decision, "modelRefs": [_model_ref(ref, config) for ref in decision["modelRefs"]]}
        if decision.get("modelRefs")
        else decision
        for decision in with_priority(with_plugin_type(decisions, older))
    ]


def _model_ref(ref: dict[str, Any], config: RouterConfig) -> dict[str, Any]:
    if not _pointless_effort(ref, config):
        return ref
    return {key: value for key, value in ref.items() if key != "reasoning_effort"}


def _guard_backend(protocol: str, server: str) -> dict[str, Any]:
    contract = "label_decision.v1" if protocol == "http_chat" else "label_distribution.v1"
    return {"protocol": protocol, "contract": contract, "model": server}


def _guard_server(config: RouterConfig) -> str:
    """Name of the one external model with the role guardrail, "" unless there is exactly one."""
    catalog = (config.canonical.get("global") or {}).get("model_catalog") or {}
    section = config.sections.get("external_models")
    listed = catalog.get("external") or (section.value if section else [])
    names = [
        external.get("name") or ""
        # Of another shape, the schema says so.
        for external in (listed if isinstance(listed, list) else [])
        if isinstance(external, dict) and external.get("model_role") == "guardrail"
    ]
    return names[0] if len(names) == 1 else ""


def _check(config: RouterConfig) -> list[Problem]:
    problems = [*_always_on(config), *_pointless_efforts(config)]
    guard = config.sections.get("prompt_guard")
    if guard and guard.value.get("protocol") and not _guard_server(config):
        where = "spec.config.prompt_guard.protocol"
        found = "no external model with a name and model_role guardrail says which server guards"
        remedy = "Describe that one server in spec.config.global.model_catalog.external"
        problems.append(Problem("InvalidConfig", where, found, remedy))
    return problems


def _always_on(config: RouterConfig) -> list[Problem]:
    """The router refuses a decision that takes thinking from a model that always thinks."""
    always = {
        model.name: model.family.name
        for model in config.models
        if model.family and not model.family.given and model.family.name in ALWAYS_ON
    }
    return [
        Problem(
            "InvalidConfig",
            field_path((*path, "use_reasoning")),
            f"models of the reasoning family {always[ref['model']]} always reason",
            f"Set it to true, or define spec.config.reasoning_families.{always[ref['model']]}",
        )
        for path, ref in _model_refs(config)
        if ref["model"] in always and not ref.get("use_reasoning")
    ]


def _pointless_efforts(config: RouterConfig) -> list[Problem]:
    return [
        Problem(
            "InvalidConfig",
            field_path((*path, "reasoning_effort")),
            f"{_pointless_effort(ref, config)}, so it is left out",
            "Remove it, or choose an effort that the model has and set use_reasoning to true",
            blocking=False,
        )
        for path, ref in _model_refs(config)
        if _pointless_effort(ref, config)
    ]


def _complete(document: dict[str, Any]) -> None:
    """Nothing: the validator knows what this release makes up by itself."""


CONTRACT = Contract(
    name="0.4",
    top_level=(
        "version",
        "listeners",
        "providers",
        "evaluation",
        "routing",
        "entrypoints",
        "recipes",
        "global",
    ),
    layout={
        **contract_0_3.CONTRACT.layout,
        "response_cache": ("global", "stores", "response_cache"),
    },
    gone=_GONE,
    moved=_MOVED,
    expands_environment=True,
    calling_algorithms=frozenset(
        {"confidence", "fusion", "prompt", "ratings", "remom", "workflows"}
    ),
    loads_tools=True,
    decides_for_named_models=False,
    plugins={
        "tools": {"type": "tools", "configuration": {"enabled": True}},
        # Any other scope wants identity headers, and keeps nothing of requests without.
        "response_cache": {
            "type": "response_cache",
            "configuration": {"enabled": True, "scope": "global"},
        },
    },
    reasoning_types=frozenset(
        {"chat_template_kwargs", "reasoning_effort", "reasoning_mode", "top_level_reasoning_effort"}
    ),
    has_schema=True,
    has_catalog=True,
    serves_alone=False,
    caches_by_model=True,
    shows_replays=False,
    providers=_providers,
    model_cards=_model_cards,
    adapt=_adapt,
    complete=_complete,
    check=_check,
)
