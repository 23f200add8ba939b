# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads spec.config and spec.vllmEndpoints into the neutral model.

Values come out as numbers, without credentials, and under one name where users know two. Which keys
a router release understands is the writers' business, not this file's.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint, Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.backends import unresolved
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.families import (
    KNOWN,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    Door,
    Model,
    Provider,
    ReasoningFamily,
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.numbers import (
    with_numbers,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    auth,
    credentials,
    listener,
    ports,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
    is_gateway_mode,
    serves_alone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import is_external
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.models import default_model

# Section of the neutral model -> where the SemanticRouter has it, below spec.config. response_cache
# has an older name too; classifier is two sections.
SOURCES: dict[str, tuple[Path, ...]] = {
    "embedding_models": (("embedding_models",),),
    "response_cache": (("response_cache",), ("semantic_cache",)),
    "tools": (("tools",),),
    "prompt_guard": (("prompt_guard",),),
    "category_model": (("classifier", "category_model"),),
    "pii_model": (("classifier", "pii_model"),),
    "api": (("api",),),
    "observability": (("observability",),),
    "strategy": (("strategy",),),
    "complexity_rules": (("complexity_rules",),),
    "decisions": (("decisions",),),
    "model_deployments": (("model_deployments",),),
    "model_admission": (("model_admission",),),
    "complexity_model": (("complexity_model",),),
    "external_models": (("external_models",),),
    "streamed_body": (("streamed_body",),),
}

# Keys of spec.config that are the SemanticRouter's own, in no contract's document.
FLAT_KEYS = frozenset(
    {str(path[0]) for paths in SOURCES.values() for path in paths}
    | {"contract", "bert_model", "reasoning_families"}
    | {"default_reasoning_effort", "reasoning_effort"}
)


_BERT_KEYS: dict[Path, str] = {
    ("bert_model_path",): "model_id",
    ("use_cpu",): "use_cpu",
    ("embedding_config", "min_score_threshold"): "threshold",
}


def given(spec: dict[str, Any]) -> dict[str, Any]:
    """spec.config without its nulls: a key with nothing behind it, or only comments, asks for
    nothing. The API server keeps them, and the router reads them as left out."""
    config: dict[str, Any] = _without_nulls(spec.get("config") or {})
    return config


def _without_nulls(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}


def read(spec: dict[str, Any], facts: Facts) -> RouterConfig:
    """The neutral model of one router."""
    config = given(spec)
    return RouterConfig(
        listener_port=ports.pod_ports(spec).listener,
        looper_endpoint=_looper_endpoint(spec),
        models=_models(spec, facts, config),
        default_model=default_model(spec),
        families=tuple(_given_families(config).values()),
        default_reasoning_effort=config.get("reasoning_effort")
        or config.get("default_reasoning_effort")
        or "",
        has_tools=bool(spec.get("toolsDb")),
        behind_gateway=is_gateway_mode(spec),
        knows_users=_knows_users(spec),
        door=_door(spec),
        sections=_sections(config),
        canonical=credentials.without_credentials(
            {key: value for key, value in config.items() if key not in FLAT_KEYS}
        ),
    )


def _knows_users(spec: dict[str, Any]) -> bool:
    if not serves_alone(spec):
        return auth.is_wanted(spec)
    # It knows a key, and not whose; but it can be told to believe a proxy.
    return at(listener.given(spec), ("identity", "trust_headers")) is True


def _door(spec: dict[str, Any]) -> Door | None:
    if not serves_alone(spec):
        return None
    files = {"cert_file": listener.CERTIFICATE_FILE, "key_file": listener.KEY_FILE}
    return Door(
        address=listener.any_address(spec),
        api_keys=tuple(f"${{{entry['name']}}}" for entry in auth.key_environment(spec)),
        tls=files if listener.tls_secret(spec) else {},
    )


def _looper_endpoint(spec: dict[str, Any]) -> str:
    # Not the Gateway: nobody tells the address at which the pods reach it, and it may want a Host
    # that a router 0.3 or 0.4 cannot send.
    if not has_envoy(spec):
        return ""
    return f"http://127.0.0.1:{ports.pod_ports(spec).looper}/v1/chat/completions"


def _models(spec: dict[str, Any], facts: Facts, config: dict[str, Any]) -> tuple[Model, ...]:
    resolved = {endpoint.name: endpoint for endpoint in facts.endpoints}
    families = _given_families(config)
    listed = spec.get("vllmEndpoints") or []
    names = dict.fromkeys(entry["model"] for entry in listed)
    return tuple(
        _model(name, [entry for entry in listed if entry["model"] == name], resolved, families)
        for name in names
    )


def _model(
    name: str,
    entries: list[dict[str, Any]],
    resolved: dict[str, Endpoint],
    families: dict[str, ReasoningFamily],
) -> Model:
    wanted = next(
        (entry["reasoningFamily"] for entry in entries if entry.get("reasoningFamily")), ""
    )
    reasoning = next((dict(entry["reasoning"]) for entry in entries if entry.get("reasoning")), {})
    if reasoning and wanted and not reasoning.keys() & {"family", "type"}:
        reasoning = {"family": wanted, **reasoning}
    loras = {lora["name"]: lora for entry in entries for lora in entry.get("loras") or []}
    return Model(
        name=name,
        endpoints=tuple(resolved.get(entry["name"]) or unresolved(entry) for entry in entries),
        loras=tuple(dict(lora) for lora in loras.values()),
        family=(
            _family_of(reasoning, name, families)
            if reasoning
            else families.get(wanted) or _known_family(wanted)
        ),
        reasoning=reasoning,
        catalog=next((entry["catalog"] for entry in entries if entry.get("catalog")), ""),
        providers={entry["name"]: _provider(entry) for entry in entries if is_external(entry)},
    )


def _provider(entry: dict[str, Any]) -> Provider:
    wanted = entry["backend"].get("external") or {}
    return Provider(
        name=wanted.get("provider") or "",
        base_url=wanted.get("url") or "",
        api_key_env=credentials.endpoint_variable(entry) if wanted.get("apiKeySecretRef") else "",
        version=wanted.get("apiVersion") or "",
        headers=dict(wanted.get("headers") or {}),
    )


def _given_families(config: dict[str, Any]) -> dict[str, ReasoningFamily]:
    return {
        name: ReasoningFamily(
            name, family.get("type") or "", family.get("parameter") or "", given=True
        )
        for name, family in (config.get("reasoning_families") or {}).items()
    }


def _family_of(
    reasoning: dict[str, Any], model: str, families: dict[str, ReasoningFamily]
) -> ReasoningFamily | None:
    """What the router's own form says, as a family: one by its name, or of this model alone."""
    name = reasoning.get("family") or ""
    if reasoning.get("type"):
        parameter = reasoning.get("parameter") or ""
        return ReasoningFamily(name or model, reasoning["type"], parameter, given=True)
    return families.get(name) or _known_family(name)


def _known_family(name: str) -> ReasoningFamily | None:
    return ReasoningFamily(name, *KNOWN[name], given=False) if name in KNOWN else None


def _sections(config: dict[str, Any]) -> dict[str, Section]:
    sections = {}
    for name, sources in SOURCES.items():
        for source in sources:
            value = at(config, source)
            if value is not None and name not in sections:
                read_value = with_numbers(credentials.without_credentials(value, source))
                sections[name] = Section(name, ("config", *source), _one_name(name, read_value))
    return _with_bert_model(sections, config.get("bert_model"))


def _one_name(section: str, value: Any) -> Any:
    """Two leaves of tracing have two names; the CRD defaults the second, so the first wins."""
    tracing = value.get("tracing") if section == "observability" else None
    if tracing:
        for group, alias, name in (
            ("sampling", "probability", "rate"),
            ("resource", "environment", "deployment_environment"),
        ):
            if alias in (tracing.get(group) or {}):
                tracing[group][name] = tracing[group].pop(alias)
    return value


def _with_bert_model(sections: dict[str, Section], bert: Any) -> dict[str, Section]:
    """bert_model is the embedding model of older SemanticRouters; embedding_models wins over it."""
    if not bert:
        return sections
    older: dict[str, Any] = {}
    if "model_id" in bert:
        older["bert_model_path"] = bert["model_id"]
    if "use_cpu" in bert:
        older["use_cpu"] = bert["use_cpu"]
    if "threshold" in bert:
        older["embedding_config"] = {"min_score_threshold": with_numbers(bert)["threshold"]}
    elsewhere: dict[Path, Path] = {
        path: ("config", "bert_model", key) for path, key in _BERT_KEYS.items()
    }
    newer = sections.get("embedding_models")
    if not newer:
        source = ("config", "bert_model")
        return {
            "embedding_models": Section("embedding_models", source, older, elsewhere),
            **sections,
        }
    settings = {**older.get("embedding_config", {}), **newer.value.get("embedding_config", {})}
    value = {**older, **newer.value, **({"embedding_config": settings} if settings else {})}
    elsewhere = {path: place for path, place in elsewhere.items() if at(newer.value, path) is None}
    merged = Section("embedding_models", newer.source, value, elsewhere)
    return {**sections, "embedding_models": merged}
