# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Everything in spec.config that its contract's router would refuse, ignore or misread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    document,
    effects,
    features,
    identities,
    places,
    sections,
    shapes,
    signals,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.families import (
    KNOWN,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.numbers import (
    bad_numbers,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.origin import (
    origin,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.references import (
    unknown_references,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.schema import (
    NO_SUCH_KEY,
    violations,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import credentials
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.duration import seconds
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    at,
    field_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    BODY_LIMIT_BYTES,
    MIB,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

Document = dict[str, Any]

# What a signal of complexity goes by: examples, or scores of one direction.
_TWO_SIDES = ({"hard", "easy"}, {"hard_above", "easy_below"}, {"hard_below", "easy_above"})

REASON = "InvalidConfig"
PARTLY = "PartlyInEffect"
PLAIN_TEXT = "PlainTextCredential"

_RELEASE_0_4 = "use an image of release 0.4 or later"


def problems(spec: dict[str, Any], facts: Facts, contract: Contract) -> list[Problem]:
    """All problems, those that a user can act on first."""
    config = sections.given(spec)
    found = [
        *_unknown_keys(config, contract),
        *shapes.mistakes(config),
        *_numbers(config),
        *_credentials(config, contract),
        *_family_definitions(config, contract),
        *_families(spec, config),
        *_reasoning(spec, config, contract),
        *_complexity(config),
    ]
    if any(problem.blocking for problem in found):
        # The document would be made of values already known to be wrong.
        return found
    model = sections.read(spec, facts)
    found += [*_moved(model, contract), *_gone(model, contract), *contract.check(model)]
    # The schema refuses what has moved too, and cannot say where it went.
    told = {problem.field for problem in found}
    found += [item for item in _document(model, contract) if item.field not in told]
    found += _by_other_names(spec, facts, model)
    told = {problem.field for problem in found}
    unread = _unread(model, contract)
    return [*found, *(item for item in unread if not told & _field_and_above(item.field))]


def _field_and_above(field: str) -> set[str]:
    steps = field.split(".")
    # spec.config itself is told of when nothing more exact is known.
    return {field, *(".".join(steps[:end]) for end in range(3, len(steps)))}


def _problem(path: Path, found: str, remedy: str, blocking: bool = True) -> Problem:
    return Problem(REASON, field_path(path), found, remedy, blocking=blocking)


def _remark(path: Path, found: str, remedy: str) -> Problem:
    """Of what is understood and does less than it says."""
    return Problem(PARTLY, field_path(path), found, remedy, blocking=False)


def _unknown_keys(config: dict[str, Any], contract: Contract) -> Iterator[Problem]:
    for key in config:
        if key not in sections.FLAT_KEYS and key not in contract.top_level:
            yield _problem(
                ("config", key),
                f"neither the SemanticRouter nor router contract {contract.name} has this key",
                f"Remove it; a whole document has {', '.join(contract.top_level)}",
            )
    version = config.get("version", document.VERSION)
    if version != document.VERSION:
        yield _problem(
            ("config", "version"),
            f"{version!r} is not a layout that any supported router reads",
            f"Give {document.VERSION}, or leave it out",
        )


def _numbers(config: dict[str, Any]) -> Iterator[Problem]:
    for key in sorted(sections.FLAT_KEYS & config.keys()):
        for path, value, expected in bad_numbers(config[key], ("config", key)):
            yield _problem(path, f"{value!r} is not {expected}", 'Give one, such as 0.7 or "0.7"')


def _credentials(config: dict[str, Any], contract: Contract) -> Iterator[Problem]:
    plain = dict(credentials.plain_credentials(config))
    for path, credential in plain.items():
        if _is_expanded(path, contract):
            yield _plain_credential(path, credential)
    from_variables = [*credentials.environment_credentials(config), *plain]
    from_secrets = [
        (*path[:-1], f"{path[-1]}{credentials.REFERENCE_SUFFIX}")
        for path, _ in credentials.secret_references(config)
    ]
    references = (reference for _, reference in credentials.secret_references(config))
    for path, reference in zip(from_secrets, references, strict=True):
        for key in ("name", "key"):
            if not isinstance(reference.get(key), str) or not reference[key]:
                found = f"it says no {key}" if reference.get(key) is None else "it is not text"
                yield _problem(("config", *path, key), found, "Give name and key of a Secret")
    for path in [*from_variables, *from_secrets]:
        if not _is_expanded(path, contract):
            yield _problem(
                ("config", *path),
                "a ConfigMap is no place for it, and this router release reads config.yaml as it "
                "stands, without passwords from the environment",
                f"Use a store without a password, or {_RELEASE_0_4}",
            )


def _is_expanded(path: Path, contract: Contract) -> bool:
    """The router replaces ${NAME} here. Every release does so for its providers."""
    return contract.expands_environment or path[0] == "providers"


def _plain_credential(path: Path, credential: str) -> Problem:
    if credentials.has_reference(credential):
        return _problem(
            ("config", *path),
            "it mixes text with a reference to the environment, which stays text where a "
            "credential is kept",
            f"Write $$ for a dollar that is part of it, or: {_credential_remedy(path)}",
        )
    return Problem(
        PLAIN_TEXT,
        field_path(("config", *path)),
        "it is in plain text: it works, and everybody who may read this SemanticRouter or its "
        "Deployment reads it",
        _credential_remedy(path),
        blocking=False,
    )


def _credential_remedy(path: Path) -> str:
    if isinstance(path[-1], str) and path[-1] == "password":
        return "Keep it in a Secret and name that in password_secret_ref (name, key) instead"
    if isinstance(path[-1], str):
        reference = f"{path[-1]}{credentials.REFERENCE_SUFFIX}"
        return f"Keep it in a Secret and name that in {reference} (name, key) instead"
    return "Keep it in a Secret, name that in spec.env and write ${NAME} of that entry here"


def _family_definitions(config: dict[str, Any], contract: Contract) -> Iterator[Problem]:
    for name, family in (config.get("reasoning_families") or {}).items():
        path = ("config", "reasoning_families", name)
        if family.get("type") not in contract.reasoning_types:
            found = f"{family.get('type')!r} is not a way to ask a model to think"
            choices = ", ".join(sorted(contract.reasoning_types))
            yield _problem((*path, "type"), found, f"Give one of {choices}")
        if not family.get("parameter"):
            found = "nothing says which parameter of the request asks for thinking"
            yield _problem((*path, "parameter"), found, "Give its name, e.g. enable_thinking")


def _families(spec: dict[str, Any], config: dict[str, Any]) -> Iterator[Problem]:
    known = {**KNOWN, **(config.get("reasoning_families") or {})}
    first: dict[str, str] = {}
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        family = endpoint.get("reasoningFamily")
        if not family or endpoint.get("reasoning"):
            continue
        path = ("vllmEndpoints", index, "reasoningFamily")
        used = first.setdefault(endpoint["model"], family)
        if family not in known:
            yield _problem(
                path,
                f"{family!r} is not a known reasoning family ({', '.join(sorted(known))})",
                f"Choose one of them, or define spec.config.reasoning_families.{family}",
            )
        elif used != family:
            yield _problem(
                path,
                f"another endpoint of the model {endpoint['model']} says {used}, which is used",
                "Give all endpoints of a model the same family",
                blocking=False,
            )


def _reasoning(
    spec: dict[str, Any], config: dict[str, Any], contract: Contract
) -> Iterator[Problem]:
    """Of the router's own words in an endpoint."""
    known = {**KNOWN, **(config.get("reasoning_families") or {})}
    for index, endpoint in enumerate(spec.get("vllmEndpoints") or []):
        place = ("vllmEndpoints", index)
        if endpoint.get("catalog") and not contract.has_catalog:
            yield _remark(
                (*place, "catalog"),
                "this router release has no catalog of models",
                f"Remove it, or {_RELEASE_0_4}",
            )
        reasoning = endpoint.get("reasoning") or {}
        kind, family = reasoning.get("type"), reasoning.get("family")
        if kind and kind not in contract.reasoning_types:
            found = f"{kind!r} is not a way to ask a model to think"
            choices = ", ".join(sorted(contract.reasoning_types))
            yield _problem((*place, "reasoning", "type"), found, f"Give one of {choices}")
        if family and not kind and not contract.has_catalog and family not in known:
            yield _problem(
                (*place, "reasoning", "family"),
                f"{family!r} is not a known reasoning family ({', '.join(sorted(known))})",
                f"Give type and parameter, or {_RELEASE_0_4}",
            )
        asked = endpoint.get("reasoningFamily")
        if asked and reasoning and family not in (None, asked):
            yield _problem(
                (*place, "reasoningFamily"),
                f"reasoning says {family}, which is used",
                "Remove one of the two",
                blocking=False,
            )


def _complexity(config: dict[str, Any]) -> Iterator[Problem]:
    for index, rule in enumerate(config.get("complexity_rules") or []):
        has = {key for key, value in rule.items() if value is not None}
        if not any(pair <= has for pair in _TWO_SIDES):
            yield _problem(
                ("config", "complexity_rules", index),
                "nothing tells hard from easy",
                "Give examples in hard and easy, or the scores hard_above and easy_below",
            )


def _moved(model: RouterConfig, contract: Contract) -> Iterator[Problem]:
    for path, gone in document.moved(model.canonical, contract):
        found = f"routers of contract {contract.name} have no such key"
        yield _problem(("config", *path), found, gone.instead, blocking=gone.blocking)


def _gone(model: RouterConfig, contract: Contract) -> Iterator[Problem]:
    for section in model.sections.values():
        for path, gone, _value in document.leftovers(section, contract):
            found = f"routers of contract {contract.name} have no such key"
            found += "" if gone.blocking else "; it is left out"
            yield (_problem if gone.blocking else _remark)(path, found, gone.instead)


def _looper(built: Document, model: RouterConfig, contract: Contract) -> Iterator[Problem]:
    place = contract.layout["looper"]
    looper: Any = built
    for step in place:
        looper = looper.get(step) if isinstance(looper, dict) else None
    if not isinstance(looper, dict):
        return
    limit = looper.get("grpc_max_msg_size_mb")
    if isinstance(limit, int) and limit * MIB < BODY_LIMIT_BYTES:
        yield _remark(
            origin((*place, "grpc_max_msg_size_mb"), built, contract, model),
            f"prompts and answers above {limit} MiB fail, as the router refuses them",
            f"Give at least {BODY_LIMIT_BYTES // MIB}, or leave it out",
        )
    if looper.get("endpoint"):
        return
    for index, decision in enumerate((built.get("routing") or {}).get("decisions") or []):
        algorithm = decision.get("algorithm") if isinstance(decision, dict) else None
        kind = algorithm.get("type") if isinstance(algorithm, dict) else None
        if kind in contract.calling_algorithms:
            yield _remark(
                origin(("routing", "decisions", index, "algorithm"), built, contract, model),
                f"with {kind} the router itself asks models, through an Envoy in its own pod, and "
                "in gateway mode there is none, so that requests of this decision fail",
                "Set spec.config.global.integrations.looper.endpoint to an URL at which the pods "
                "reach the Gateway, e.g. http://gateway.example.com/v1/chat/completions",
            )


def _document(model: RouterConfig, contract: Contract) -> Iterator[Problem]:
    built = document.build(contract, model)
    for place, what, choices in unknown_references(built):
        known = ", ".join(choices) or "none"
        where = origin(place, built, contract, model)
        yield _problem(
            where, f"{what} is not declared", f"Declare it, or use a declared one: {known}"
        )
    for place, found, remedy in signals.refused(built):
        yield _problem(origin(place, built, contract, model), found, remedy)
    yield from _looper(built, model, contract)
    for section, key, choice, blocking in places.missing(built):
        say = _problem if blocking else _remark
        yield say(
            (*origin(section, built, contract, model), *key),
            f"{choice} but it is missing, and the router would look beside itself",
            "Give it, or choose another",
        )
    yield from _config_source(built, model, contract)
    yield from _route_cache(built, model, contract)
    for place, found, remedy in _limits(built, model, contract):
        yield _remark(origin(place, built, contract, model), found, remedy)
    # Tests show that the router takes what we make up ourselves; and loading costs time.
    if contract.has_schema and (
        model.sections or model.canonical or any(one.reasoning for one in model.models)
    ):
        for place, message, meant in violations(built, contract.name):
            where = origin(place, built, contract, model)
            remedy = f"Correct it for router contract {contract.name}"
            if message == NO_SUCH_KEY:
                remedy = (
                    "Remove it, or use a release that has it: this one's contract is "
                    f"{contract.name}"
                )
            yield _problem(
                where, message, f"Did you mean {meant}? Otherwise remove it" if meant else remedy
            )


def _by_other_names(spec: dict[str, Any], facts: Facts, model: RouterConfig) -> Iterator[Problem]:
    """Backends that want another name in Host than their address, which only Envoy gives."""
    numbers = {entry["name"]: index for index, entry in enumerate(spec.get("vllmEndpoints") or [])}
    for endpoint in facts.endpoints if model.door else []:
        if endpoint.server_name and not endpoint.is_outside and endpoint.name in numbers:
            yield _remark(
                ("vllmEndpoints", numbers[endpoint.name], "backend"),
                f"{endpoint.address} answers requests for the host {endpoint.server_name} only, "
                "and a router that serves alone asks for the address",
                "Name a Service that needs no host, or set spec.gateway.mode to envoy",
            )


def _unread(model: RouterConfig, contract: Contract) -> Iterator[Problem]:
    """What no router and no Envoy of ours would act on."""
    for place, found, remedy, blocking in effects.remarks(
        model.canonical, contract, alone=contract.serves_alone and model.door is not None
    ):
        say = _problem if blocking else _remark
        yield say(("config", *place), found, remedy)
    for index, listener in enumerate(model.canonical.get("listeners") or []):
        place = ("config", "listeners", index)
        if index:
            yield _problem(place, "there is one way in, and this is another", "Remove it")
        elif isinstance(listener, dict):
            yield from _listener(listener, place, model)


def _listener(listener: dict[str, Any], place: Path, model: RouterConfig) -> Iterator[Problem]:
    timeout = listener.get("timeout")
    if timeout is not None and seconds(timeout) is None:
        found = f"{timeout!r} is not a duration"
        yield _problem((*place, "timeout"), found, "Give one, such as 30s or 1m30s")
    elif timeout is not None and model.behind_gateway:
        found = "the Gateway is where requests come in, and its HTTPRoute has no such limit"
        yield _remark((*place, "timeout"), found, "Remove it")
    if listener.get("port") not in (None, model.listener_port):
        yield _remark(
            (*place, "port"),
            f"the way in is spec.service.api.targetPort of the pod, which is {model.listener_port}",
            "Change that instead, or remove it",
        )


def _config_source(
    built: dict[str, Any], model: RouterConfig, contract: Contract
) -> Iterator[Problem]:
    place = ("global", "router", "config_source")
    if at(built, place) == "kubernetes":
        yield _problem(
            origin(place, built, contract, model),
            "the router would read its models and decisions from the API server, for which its "
            "pods have neither a token nor rights, and start with none",
            "Give them in spec.vllmEndpoints and spec.config, and remove it",
        )


def _route_cache(
    built: dict[str, Any], model: RouterConfig, contract: Contract
) -> Iterator[Problem]:
    place = ("global", "router", "clear_route_cache")
    if at(built, place) is False:
        yield _problem(
            origin(place, built, contract, model),
            "with false, what looks for backends is not told that the router has chosen a model, "
            "and sends every request to that of the default model",
            "Set it to true, or remove it",
        )


def _limits(
    built: dict[str, Any], model: RouterConfig, contract: Contract
) -> Iterator[tuple[Path, str, str]]:
    """What is in config.yaml and does less than it says."""
    yield from features.limits(built, contract, model)
    place = ("global", "router", "streamed_body", "enabled")
    if at(built, place) is True and not model.behind_gateway:
        yield place, "Envoy hands prompts over whole, so that nothing is streamed", "Remove it"
    if not (model.behind_gateway or model.knows_users):
        yield from identities.unknown_users(built, contract)
    cache = (*contract.layout["response_cache"], "enabled")
    if not contract.caches_by_model and at(built, cache) is True:
        yield (
            cache,
            "the cache of this router release does not tell models apart, so that a request that "
            "names one may get what another has answered, and it gives an error that a model "
            "answered again, with status 200",
            f"Switch it off, or {_RELEASE_0_4}",
        )
