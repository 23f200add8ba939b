# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who reads each key of config.yaml, and what makes it act: the one table of it.

A row is about a key and all that is below it, until a longer row says otherwise; "*" is any index
or name. Where a row is about the parts of a section one by one, a part that a router release adds
has no row, and a test that walks the router's schema fails. ConfigValid says "in effect" only of
keys with a row.

Sections of spec.config (prompt_guard, tools ...) have the rows of the place that they are written
to; what is the SemanticRouter's own is in _OWN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import sections
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import reliability
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    leaves,
)

ROUTER, ENVOY, OPERATOR, NOBODY = "the router", "Envoy", "the operator", "nobody"

_0_3, _0_4, _0_5 = "0.3", "0.4", "0.5"
_EVERY = (_0_3, _0_4, _0_5)
_SINCE_0_4 = (_0_4, _0_5)
_UNTIL_0_4 = (_0_3, _0_4)


@dataclass(frozen=True)
class Effect:
    """reader: who reads the key. acts: what makes it act.

    remedy: of a key that nobody reads, what to do instead. blocking: to leave it unread would give
    something up that the user relies on, so nothing may be written.
    alone: True for a router that serves alone, False for one that an Envoy or a Gateway asks; None
    for both.
    """

    paths: tuple[str, ...]
    reader: str
    acts: str
    contracts: tuple[str, ...] = _EVERY
    remedy: str = ""
    blocking: bool = False
    alone: bool | None = None


def _below(prefix: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}.{name}" for name in names)


_ASKED = "by itself, for each request that is sent to this model"
_DECIDED = (
    "when it is evaluated: from contract 0.4 on for requests that leave the model to the router"
)
_NAMED = "when the rules of a decision, or a projection, name it"
_STARTED = "by itself, from the router's start on"
_NATIVE_ONLY = (
    "idle_timeout",
    "first_byte_timeout",
    "retry_back_off_base",
    "retry_back_off_max",
    "retry_after_max",
)

EFFECTS = (
    Effect(("version",), OPERATOR, "names the layout; there is one"),
    Effect(
        ("setup",),
        NOBODY,
        "upstream's command line starts its dashboard by it",
        (_0_3,),
        remedy="Remove it",
    ),
    # What upstream's command line makes an Envoy of. Ours is made of the SemanticRouter.
    Effect(_below("listeners.*", "name"), OPERATOR, "names the listener in config.yaml"),
    Effect(
        _below("listeners.*", "address", "port"),
        OPERATOR,
        "Envoy listens on spec.service.api.targetPort, on all addresses of the pod",
        alone=False,
    ),
    Effect(
        _below("listeners.*", "timeout"),
        ENVOY,
        "by itself, for each answer of a model; unset, only silence of 20 minutes ends one",
        alone=False,
    ),
    Effect(
        _below("listeners.*", "api_keys"),
        NOBODY,
        "nothing checks the keys of clients, so that everybody would be let in",
        remedy="Say in spec.auth who may come in, and remove it",
        blocking=True,
        alone=False,
    ),
    Effect(
        _below("listeners.*", "tls", "models", "identity"),
        NOBODY,
        "a router that serves requests itself reads it, and here Envoy does, without TLS and for "
        "every model and client",
        (_0_5,),
        remedy="Do it in front of the router, or set spec.gateway.mode to router, or remove it",
        blocking=True,
        alone=False,
    ),
    Effect(
        _below("listeners.*", "systemone"),
        NOBODY,
        "a router that serves requests itself reads it, and here Envoy does",
        (_0_5,),
        remedy="Remove it, or set spec.gateway.mode to router",
        alone=False,
    ),
    Effect(
        _below("listeners.*", "address", "port"),
        OPERATOR,
        "the router listens on spec.service.api.targetPort, on all addresses of the pod",
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below("listeners.*", "timeout"),
        ROUTER,
        "by itself, for each answer of a model; unset, it is 24 hours",
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below("listeners.*", "api_keys", "tls", "models", "identity", "systemone"),
        ROUTER,
        "by itself, for each request of a client",
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below("providers.defaults", "model"),
        ROUTER,
        "for requests that no decision sends elsewhere",
        _SINCE_0_4,
    ),
    Effect(
        _below("providers.defaults", "default_model"),
        ROUTER,
        "for requests that no decision sends elsewhere",
        (_0_3,),
    ),
    Effect(
        _below("providers.defaults", "reasoning_effort"),
        ROUTER,
        "in decisions that switch reasoning on and name no effort",
        _SINCE_0_4,
    ),
    Effect(
        _below("providers.defaults", "default_reasoning_effort"),
        ROUTER,
        "in decisions that switch reasoning on and name no effort",
        (_0_3,),
    ),
    Effect(
        _below("providers.defaults", "reasoning_families"),
        ROUTER,
        "for models that name the family in reasoning_family",
        (_0_3,),
    ),
    Effect(_below("providers.models.*", "name"), ROUTER, "when a request or a decision names it"),
    Effect(
        _below("providers.models.*", "reasoning_family"),
        ROUTER,
        "in decisions: each tells such a model to think or not",
        (_0_3,),
    ),
    Effect(
        _below("providers.models.*", "reasoning"),
        ROUTER,
        "in decisions: each tells such a model to think or not",
        _SINCE_0_4,
    ),
    Effect(
        _below("providers.models.*", "provider_model_id", "api_format", "external_model_ids"),
        ROUTER,
        _ASKED,
    ),
    Effect(_below("providers.models.*", "catalog"), ROUTER, _STARTED, _SINCE_0_4),
    Effect(
        _below("providers.models.*", "pricing"),
        ROUTER,
        "in metrics, and in algorithms that weigh costs",
    ),
    Effect(
        _below("providers.models.*.reliability", *reliability.KEYS),
        ENVOY,
        "for each request that is sent to this model, as trafficPolicy of spec.vllmEndpoints does",
        _SINCE_0_4,
        alone=False,
    ),
    Effect(
        _below("providers.models.*.reliability", "retry_after_max"),
        NOBODY,
        "a router that serves requests itself reads it; Envoy waits as retry_back_off_base says",
        (_0_5,),
        remedy="Remove it",
        alone=False,
    ),
    Effect(
        _below("providers.models.*.reliability", *reliability.KEYS, "retry_after_max"),
        ROUTER,
        _ASKED,
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below("providers.models.*.backend_refs.*", "name", "endpoint", "protocol", "weight"),
        ROUTER,
        "for the form of a request; which backend gets it is Envoy's, by spec.vllmEndpoints",
        alone=False,
    ),
    Effect(
        _below("providers.models.*.backend_refs.*", "name", "endpoint", "protocol", "weight"),
        ROUTER,
        _ASKED,
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below(
            "providers.models.*.backend_refs.*",
            "base_url",
            "provider",
            "auth_header",
            "auth_prefix",
            "extra_headers",
            "api_version",
            "chat_path",
            "api_key",
            "api_key_env",
        ),
        ROUTER,
        _ASKED,
    ),
    Effect(_below("providers.models.*.backend_refs.*", "type"), ROUTER, _ASKED, (_0_3,)),
    Effect(
        _below("evaluation", "benchmarks", "indices", "records"),
        ROUTER,
        "when a selection by quality reads the index",
        _SINCE_0_4,
    ),
    Effect(
        _below(
            "routing.modelCards.*",
            "name",
            "param_size",
            "context_window_size",
            "description",
            "capabilities",
            "loras",
            "modality",
            "tags",
        ),
        ROUTER,
        "when an algorithm or a requirement of a decision goes by it",
    ),
    Effect(
        _below("routing.modelCards.*", "quality_score"),
        ROUTER,
        "when an algorithm of a decision goes by it",
        (_0_3,),
    ),
    Effect(
        _below(
            "routing.modelCards.*",
            "display_name",
            "publisher",
            "presentation",
            "distribution",
            "family",
            "revision",
            "released_at",
            "knowledge_cutoff",
            "lifecycle",
            "max_output_tokens",
            "modalities",
        ),
        ROUTER,
        "in what it tells of its models, and when a requirement of a decision goes by it",
        _SINCE_0_4,
    ),
    Effect(
        _below(
            "routing.signals",
            "keywords",
            "embeddings",
            "domains",
            "fact_check",
            "user_feedbacks",
            "reasks",
            "preferences",
            "language",
            "context",
            "structure",
            "complexity",
            "modality",
            "jailbreak",
            "pii",
            "kb",
            "conversation",
            "events",
        ),
        ROUTER,
        _NAMED,
    ),
    Effect(
        _below("routing.signals", "role_bindings"),
        ROUTER,
        "when a decision names the role, and something in front sets the identity headers",
    ),
    Effect(
        _below(
            "routing.signals",
            "safety",
            "hallucination",
            "metadata",
            "classifiers",
            "input_modality",
        ),
        ROUTER,
        _NAMED,
        _SINCE_0_4,
    ),
    Effect(
        _below("routing.projections", "partitions", "scores", "mappings"),
        ROUTER,
        "when the rules of a decision name an output",
    ),
    Effect(
        _below(
            "routing.decisions.*",
            "name",
            "description",
            "priority",
            "tier",
            "rules",
            "modelRefs",
            "candidateIterations",
            "emits",
        ),
        ROUTER,
        _DECIDED,
    ),
    Effect(
        _below(
            "routing.decisions.*",
            "output_contract",
            "output_contract_spec",
            "action",
            "adaptations",
            "annotations",
        ),
        ROUTER,
        _DECIDED,
        _SINCE_0_4,
    ),
    Effect(
        _below(
            "routing.decisions.*.algorithm",
            "type",
            "on_error",
            "router_dc",
            "automix",
            "hybrid",
            "latency_aware",
            "multi_factor",
        ),
        ROUTER,
        "when the decision matches and has several models",
    ),
    Effect(
        _below("routing.decisions.*.algorithm", "elo", "rl_driven", "gmtrouter", "session_aware"),
        ROUTER,
        "when the decision matches and has several models",
        (_0_3,),
    ),
    Effect(
        _below("routing.decisions.*.algorithm", "confidence", "ratings", "remom"),
        ROUTER,
        "when the decision matches; the router then asks models itself, through Envoy",
    ),
    Effect(
        _below(
            "routing.decisions.*.algorithm", "minimum_candidates", "fusion", "workflows", "prompt"
        ),
        ROUTER,
        "when the decision matches; the router then asks models itself, through Envoy",
        _SINCE_0_4,
    ),
    Effect(
        _below("routing.decisions.*.plugins.*", "type", "configuration"),
        ROUTER,
        "when the decision matches",
    ),
    Effect(
        _below(
            "routing",
            "candidate_requirements",
            "model_bindings",
            "strategy",
            "fallback",
        ),
        ROUTER,
        _DECIDED,
        _SINCE_0_4,
    ),
    Effect(
        _below("entrypoints.*", "model_names", "recipe"),
        ROUTER,
        "when a request names one of these models",
        _SINCE_0_4,
    ),
    Effect(
        _below("recipes.*", "name", "description"),
        ROUTER,
        "when a request names a model of one of its entrypoints",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.router", "config_source"),
        ROUTER,
        "file, always: kubernetes wants rights that the pods have not",
    ),
    Effect(_below("global.router", "strategy"), ROUTER, _DECIDED),
    Effect(
        _below("global.router", "auto_model_name"),
        ROUTER,
        "when a request names it, as with auto",
        _UNTIL_0_4,
    ),
    Effect(
        _below("global.router", "auto_model_names"),
        ROUTER,
        "when a request names one of them",
        (_0_4,),
    ),
    Effect(
        _below("global.router", "include_config_models_in_list"),
        ROUTER,
        "in the answer of /v1/models",
        _UNTIL_0_4,
    ),
    Effect(
        _below("global.router", "clear_route_cache"),
        ROUTER,
        "true, always: by it Envoy looks for a backend again once the router has chosen a model",
    ),
    Effect(
        _below("global.router", "streamed_body"),
        ROUTER,
        "when prompts come in parts, and Envoy hands over whole ones",
    ),
    Effect(_below("global.router", "skip_processing"), ROUTER, "by itself, for each request"),
    Effect(
        _below("global.router", "model_selection"),
        ROUTER,
        "in decisions with several models whose algorithm goes by it",
    ),
    Effect(
        _below("global.router.learning", "enabled", "adaptation", "protection", "state_store"),
        ROUTER,
        "when enabled, in decisions with several models",
        _SINCE_0_4,
    ),
    Effect(_below("global.router", "fallback"), ROUTER, _DECIDED, _SINCE_0_4),
    Effect(
        _below("global.services", "api"),
        ROUTER,
        "in its own HTTP API, when a client classifies many texts in one call",
    ),
    Effect(
        _below("global.services", "response_api"),
        ROUTER,
        "for requests to /v1/responses; unset, answers are kept in the memory of each pod",
    ),
    Effect(
        _below("global.services.observability", "tracing", "metrics"),
        ROUTER,
        _STARTED,
    ),
    Effect(
        _below("global.services.observability", "profiling"),
        ROUTER,
        "when enabled, inside the pod",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.services", "authz"),
        ROUTER,
        "when decisions go by roles, and something in front sets the identity headers",
    ),
    Effect(
        _below("global.services", "ratelimit"),
        ROUTER,
        "by itself, for each request; limits of a user want identity headers",
    ),
    Effect(
        _below("global.services.management_api", "auth", "remote_exposure"),
        ROUTER,
        "for its management API, which answers inside the pod only",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.services.management_api", "bind_address", "port"),
        NOBODY,
        "the arguments -api-bind and -api-port of the container win over it",
        _SINCE_0_4,
        remedy="Remove it; the port is the operator's to choose",
    ),
    Effect(
        _below("global.services", "router_replay"),
        ROUTER,
        "when enabled, or in decisions with the plugin router_replay",
    ),
    Effect(_below("global.services", "startup_status"), ROUTER, _STARTED),
    Effect(
        _below("global.stores", "response_cache"),
        ROUTER,
        "when enabled, by a plugin of each decision, which the operator writes",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.stores", "semantic_cache"),
        ROUTER,
        "when enabled, by a plugin of each decision, which the operator writes",
        (_0_3,),
    ),
    Effect(
        _below("global.stores", "memory"),
        ROUTER,
        "when enabled, for users that identity headers name",
    ),
    Effect(
        _below("global.stores", "vector_store"),
        ROUTER,
        "when enabled, by the plugin rag of a decision",
    ),
    Effect(
        _below("global.integrations", "tools"),
        ROUTER,
        "when enabled and spec.toolsDb has some: by a plugin of each decision, which the operator "
        "writes, for requests with tool_choice auto",
    ),
    Effect(
        _below(
            "global.integrations.looper",
            "endpoint",
            "grpc_max_msg_size_mb",
            "timeout_seconds",
            "headers",
        ),
        ROUTER,
        "when a decision's algorithm asks models itself; the size, for every request",
    ),
    Effect(
        _below("global.integrations.looper", "model_endpoints", "retry_count"),
        ROUTER,
        "when a decision's algorithm asks models itself",
        (_0_3,),
    ),
    Effect(
        _below("global.integrations.looper", "max_response_bytes_mb", "remom", "fusion", "flow"),
        ROUTER,
        "when a decision's algorithm asks models itself, or a request names the algorithm",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.model_catalog.embeddings", "semantic"),
        ROUTER,
        "when a signal, the tools or the cache compare texts",
    ),
    Effect(
        _below("global.model_catalog", "system", "external", "kbs"),
        ROUTER,
        "when a signal or a module names it",
    ),
    Effect(
        _below("global.model_catalog", "bindings", "deployments", "admission"),
        ROUTER,
        "when a signal or a module names it",
        _SINCE_0_4,
    ),
    Effect(
        _below("global.model_catalog.modules", "prompt_guard"),
        ROUTER,
        "when enabled, by a jailbreak signal and a decision, which the operator writes unless one "
        "of yours goes by such a signal",
    ),
    Effect(
        _below("global.model_catalog.modules.classifier", "domain", "mcp"),
        ROUTER,
        "when a decision names a domain",
    ),
    Effect(
        _below("global.model_catalog.modules.classifier", "pii"),
        ROUTER,
        "when a decision names a signal of personal data (routing.signals.pii)",
    ),
    Effect(
        _below("global.model_catalog.modules.classifier", "preference"),
        ROUTER,
        "when a decision names a preference",
    ),
    Effect(
        _below(
            "global.model_catalog.modules",
            "prompt_compression",
            "complexity",
            "hallucination_mitigation",
            "feedback_detector",
            "modality_detector",
        ),
        ROUTER,
        "when a signal or a plugin of a decision uses it",
    ),
    Effect(
        _below("global.model_catalog.modules", "safety"),
        ROUTER,
        "when a decision names a signal of safety",
        _SINCE_0_4,
    ),
    Effect(_below("routing", "data_policy"), ROUTER, _DECIDED, (_0_4,)),
    # What release 0.5 adds.
    Effect(
        _below("entrypoints.*", "api"),
        ROUTER,
        "when a request names one of these models",
        (_0_5,),
    ),
    Effect(
        _below("evaluation", "calibrations"),
        ROUTER,
        "when an algorithm of a decision names it",
        (_0_5,),
    ),
    Effect(
        (
            "providers.models.*.deployment",
            "providers.models.*.backend_refs.*.openai_compat_gateway",
        ),
        ROUTER,
        _ASKED,
        (_0_5,),
    ),
    Effect(
        _below("routing.signals", "actions", "decision", "topic_continuity"),
        ROUTER,
        _NAMED,
        (_0_5,),
    ),
    Effect(_below("routing.decisions.*", "fallback"), ROUTER, _DECIDED, (_0_5,)),
    Effect(
        _below("routing.decisions.*", "reliability"),
        ENVOY,
        "when the decision matches: the router names it in headers of the request",
        (_0_5,),
        alone=False,
    ),
    Effect(
        _below("routing.decisions.*", "reliability"),
        ROUTER,
        "when the decision matches",
        (_0_5,),
        alone=True,
    ),
    Effect(
        _below("routing.decisions.*.reliability", *_NATIVE_ONLY),
        NOBODY,
        "a router that serves requests itself reads it, and Envoy cannot do it for one request",
        (_0_5,),
        remedy="Remove it; per_try_timeout and total_timeout bound a request",
        alone=False,
    ),
    Effect(
        _below("routing.decisions.*.algorithm", "stages", "budget", "quality", "decision"),
        ROUTER,
        "when the decision matches; the router then asks models itself",
        (_0_5,),
    ),
    Effect(_below("global.router", "enabled"), ROUTER, _STARTED, (_0_5,)),
    Effect(
        _below("global.router", "list_backend_models"),
        ROUTER,
        "in the answer of /v1/models",
        (_0_5,),
    ),
    Effect(
        _below("global.stores", "tool_sessions"),
        ROUTER,
        "by the plugin tools of a decision that keeps tools for a conversation (sticky)",
        (_0_5,),
    ),
    Effect(
        _below("global.integrations", "kv_transfer"),
        ROUTER,
        "when enabled, for pairs of models that it lists",
        (_0_5,),
    ),
    Effect(
        _below("global.model_catalog", "signal_timeout_ms"),
        ROUTER,
        "when a signal of a decision is evaluated",
        (_0_5,),
    ),
)

# Keys of spec.config that are in no document.
_OWN = {
    "contract": Effect((), OPERATOR, "chooses the layout of config.yaml"),
    "bert_model": Effect((), OPERATOR, "becomes the semantic embedding model of the router"),
    "reasoning_families": Effect(
        (), OPERATOR, "for models whose entry in spec.vllmEndpoints names the family"
    ),
    **dict.fromkeys(
        ("default_reasoning_effort", "reasoning_effort"),
        Effect((), ROUTER, "in decisions that switch reasoning on and name no effort"),
    ),
}


def of(place: Path, contract: Contract, alone: bool = False) -> Effect | None:
    """The row of a key of config.yaml; None when nobody knows. alone: the router serves alone."""
    effect, _ = _row(place, contract, alone)
    return effect


def of_words(
    words: tuple[str, ...], contract: Contract, alone: bool = False
) -> Iterator[tuple[str, Effect]]:
    """The row of a key below spec.config, or the rows of its parts, which are named from there on.

    Lists have no index here, as people write.
    """
    if words[:1] and words[0] in _OWN:
        yield "", _OWN[words[0]]
        return
    for name, sources in sections.SOURCES.items():
        for source in sources:
            if words[: len(source)] == source:
                below = (name, *words[len(source) :])
                if any(_is_in(below, gone.steps) for gone in contract.gone):
                    yield "", Effect((), NOBODY, "its routers have no such key")
                    return
                words = (*contract.layout[name], *words[len(source) :])
    if words[:1] == ("recipes",) and words[1:2] == ("routing",):
        words = words[1:]
    rows = [
        (tuple(step for step in steps if step != "*"), effect)
        for steps, effect in _rows(contract.name, alone)
    ]
    over = [row for row in rows if words[: len(row[0])] == row[0]]
    if over:
        yield "", max(over, key=lambda row: len(row[0]))[1]
        return
    for steps, effect in rows:
        if words and steps[: len(words)] == words:
            yield ".".join(steps[len(words) :]), effect


def remarks(
    canonical: dict[str, Any], contract: Contract, alone: bool = False
) -> Iterator[tuple[Path, str, str, bool]]:
    """Keys of the document that a user gave and nobody reads: where, why, what to do, blocking."""
    told: set[tuple[Any, ...]] = set()
    for place, value in leaves(canonical):
        if not place or value in ({}, [], None):
            continue
        effect, shown = _row(place, contract, alone)
        # One remark for a section, not one for each of its keys.
        if shown in told:
            continue
        if effect is None:
            told.add(shown)
            yield (
                shown,
                f"nothing is known of what it does in a router of contract {contract.name}",
                "Remove it, or use an image whose contract has it",
                False,
            )
        elif effect.reader == NOBODY:
            told.add(shown)
            yield shown, effect.acts, effect.remedy, effect.blocking


def _row(place: Path, contract: Contract, alone: bool) -> tuple[Effect | None, Path]:
    """The longest row about a key, and which part of its path that is; of a key without one, the
    part from where on there is none."""
    # A recipe has the routing of a whole document.
    in_recipe = len(place) > 3 and place[0] == "recipes" and place[2] == "routing"
    start = 2 if in_recipe else 0
    found: Effect | None = None
    part = place
    reached = [_tree(contract.name, alone)]
    for end, step in enumerate(place[start:], start=start + 1):
        reached = [node[way] for node in reached for way in (step, "*") if way in node]
        row = next((node[_ROW] for node in reached if _ROW in node), None)
        if row is not None:
            found, part = row, place[:end]
        elif not reached:
            return (found, part) if found else (None, place[:end])
    return found, part


@cache
def _tree(contract: str, alone: bool) -> dict[Any, Any]:
    """The rows step by step: a document has as many keys as a megabyte has room for, and to try
    each row with each of them took half a minute."""
    tree: dict[Any, Any] = {}
    for steps, effect in _rows(contract, alone):
        node = tree
        for step in steps:
            node = node.setdefault(step, {})
        node.setdefault(_ROW, effect)
    return tree


def _rows(contract: str, alone: bool) -> Iterator[tuple[tuple[str, ...], Effect]]:
    for steps, effect in _ROWS:
        if contract in effect.contracts and effect.alone in (None, alone):
            yield steps, effect


def _is_in(words: tuple[str, ...], steps: tuple[str, ...]) -> bool:
    part = tuple(step for step in steps if step != "*")
    return words[: len(part)] == part


# In the tree of rows: no step of a path.
_ROW = None
_ROWS = tuple((tuple(path.split(".")), effect) for effect in EFFECTS for path in effect.paths)
