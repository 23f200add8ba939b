# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a file contract_X_Y.py has to say, and the little that all contracts share.

A router release that moves keys gets a new contract file: a table of where sections go, a table of
what is gone, and two or three functions. Nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Endpoint
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    Model,
    Provider,
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem

# For a backend that has not been found yet. RFC 2606 keeps .invalid from ever resolving, so nobody
# else can answer for it; Envoy answers 503 for such a model without looking at this.
UNRESOLVED_ADDRESS = "unresolved.invalid:80"


@dataclass(frozen=True)
class Gone:
    """A key that the contract's router does not have.

    path: section and keys, "*" for any list index: "decisions.*.preferred_endpoints". For a key of
        the whole document, its place there: "providers.defaults.default_model". A section as a
        whole is blocking.
    instead: what to do, an imperative sentence without a trailing dot.
    blocking: leaving it out would change what the user relies on, so nothing may be written.
    harmless: values that say what this router does anyway; they need no words.
    """

    path: str
    instead: str
    blocking: bool = False
    harmless: tuple[Any, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The path in parts, the section first."""
        return tuple(self.path.split("."))


@dataclass(frozen=True)
class Contract:
    """One layout of config.yaml.

    top_level: keys of the document, in the order people read them.
    layout: section -> where it goes.
    gone: keys of the SemanticRouter that have no place.
    moved: keys that other contracts have in the whole document, and what this one has instead.
    expands_environment: the router replaces ${NAME} in every string of config.yaml.
    calling_algorithms: those of a decision for which the router asks models at an endpoint of its
        own, which is Envoy; none where it asks their backends.
    loads_tools: the router reads its file of tools, so that it has some to offer.
    decides_for_named_models: a request that names a model falls under a decision as well.
    plugins: section -> the plugin of a decision through which the section acts.
    reasoning_types: ways of asking a model to think that the router knows.
    has_schema: the package vllm-sr brings a JSON schema of it.
    has_catalog: the router knows models, and families of them, by name.
    serves_alone: the router can take clients' requests itself, without an Envoy or a Gateway.
    caches_by_model: an answer of one model is kept from those who ask another.
    shows_replays: whoever asks for them through ext_proc is told what everybody has asked.
    providers, model_cards: write the models.
    adapt: rewrites the content of one section for this contract.
    complete: adds to the whole document what the router would otherwise make up by itself.
    check: problems that no table can tell.
    """

    name: str
    top_level: tuple[str, ...]
    layout: dict[str, tuple[str, ...]]
    gone: tuple[Gone, ...]
    moved: tuple[Gone, ...]
    expands_environment: bool
    calling_algorithms: frozenset[str]
    loads_tools: bool
    decides_for_named_models: bool
    plugins: dict[str, dict[str, Any]]
    reasoning_types: frozenset[str]
    has_schema: bool
    has_catalog: bool
    serves_alone: bool
    caches_by_model: bool
    shows_replays: bool
    providers: Callable[[RouterConfig], dict[str, Any]]
    model_cards: Callable[[RouterConfig], list[dict[str, Any]]]
    adapt: Callable[[Section, RouterConfig], Any]
    complete: Callable[[dict[str, Any]], None]
    check: Callable[[RouterConfig], list[Problem]]


def backend_refs(
    endpoints: tuple[Endpoint, ...], providers: Mapping[str, Provider]
) -> list[dict[str, Any]]:
    """Endpoints in the words that all contracts share.

    One whose backend has not been found yet is left out, unless there is no other: every contract
    wants a backend of a model that it is to serve, and the model must stay known.
    """
    found = [endpoint for endpoint in endpoints if endpoint.address] or endpoints[:1]
    return [
        _hosted_ref(endpoint, providers[endpoint.name])
        if endpoint.name in providers
        else {
            "name": endpoint.name,
            "endpoint": endpoint.address or UNRESOLVED_ADDRESS,
            "protocol": endpoint.scheme,
            "weight": endpoint.weight,
        }
        for endpoint in found
    ]


def _hosted_ref(endpoint: Endpoint, provider: Provider) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "provider": provider.name,
        "base_url": provider.base_url,
        **({"api_key_env": provider.api_key_env} if provider.api_key_env else {}),
        **({"api_version": provider.version} if provider.version else {}),
        **({"extra_headers": provider.headers} if provider.headers else {}),
        "weight": endpoint.weight,
    }


def model_card(model: Model) -> dict[str, Any]:
    """What the router may know of a model to route by."""
    card: dict[str, Any] = {"name": model.name}
    if model.loras:
        card["loras"] = list(model.loras)
    return card


def with_plugin_type(
    decisions: list[dict[str, Any]], names: dict[str, str]
) -> list[dict[str, Any]]:
    """The cache plugin has had several names: a copy with the contract's own."""
    return [
        {**decision, "plugins": [_renamed(plugin, names) for plugin in decision["plugins"]]}
        if decision.get("plugins")
        else decision
        for decision in decisions
    ]


def _renamed(plugin: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    kind = plugin.get("type")
    return {**plugin, "type": names[kind]} if isinstance(kind, str) and kind in names else plugin


def with_priority(decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every contract wants a priority; a decision without one comes last, as in the router."""
    return [{"name": d["name"], "priority": 0, **d} for d in decisions]
