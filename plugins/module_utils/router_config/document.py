# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts config.yaml together: the generated parts, then what the user gave in canonical form.

The user's own words win: mappings are merged key by key; providers.models, routing.modelCards,
routing.decisions and the lists of routing.signals entry by entry, by name; any other list is taken
as it stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config import (
    features,
    identities,
    places,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.contract import (
    Contract,
    Gone,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.model import (
    RouterConfig,
    Section,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.order import (
    ordered,
    tidy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.router_config.tools import (
    ROUTER_TOOLS_DB_PATH,
    TOOLS_DB_PATH,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import Path, at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import (
    MIB,
    ROUTER_MESSAGE_LIMIT_BYTES,
)

VERSION = "v0.3"

_TIMEOUT = "300s"
# Of a router that serves alone, where the other one would be the end of a long answer.
_ALONE_TIMEOUT = "24h"
_ROUTING = ("modelCards", "signals", "projections", "decisions")
_GLOBAL = ("router", "services", "stores", "integrations", "model_catalog")
# A listener is Envoy's, not a list to add to: who lists them means exactly those.
_MERGED_BY_NAME = frozenset(
    {("providers", "models"), ("routing", "modelCards"), ("routing", "decisions")}
)


def build(contract: Contract, config: RouterConfig) -> dict[str, Any]:
    """The canonical document."""
    document = _merged(_generated(contract, config), config.canonical)
    if contract.serves_alone:
        _open_door(document, config)
    document = places.filled(document, contract.name)
    _find_tools_database(document)
    identities.with_roles(document)
    features.put_into_effect(document, contract, config)
    contract.complete(document)
    _give_priorities(document["routing"])
    document = tidy(document)
    _order(document, "routing", _ROUTING)
    _order(document, "global", _GLOBAL)
    return ordered(document, contract.top_level)


def leftovers(section: Section, contract: Contract) -> list[tuple[Path, Gone, Any]]:
    """What the section has and the contract has not: where below spec, the rule, the value."""
    found = []
    for gone in contract.gone:
        if gone.steps[0] == section.name:
            for path, value in _matches(section.value, gone.steps[1:]):
                if value not in gone.harmless:
                    found.append((section.written_at(path), gone, value))
    return found


def moved(canonical: dict[str, Any], contract: Contract) -> list[tuple[Path, Gone]]:
    """Keys of another contract in what the user gave in canonical form: where below spec.config."""
    return [(path, gone) for gone in contract.moved for path, _ in _matches(canonical, gone.steps)]


def _generated(contract: Contract, config: RouterConfig) -> dict[str, Any]:
    port = config.listener_port
    document: dict[str, Any] = {
        "version": VERSION,
        "listeners": [
            {"name": f"http-{port}", "address": "0.0.0.0", "port": port, "timeout": _TIMEOUT}  # noqa: S104
        ],
    }
    providers = contract.providers(config)
    if providers:
        document["providers"] = providers
    cards = contract.model_cards(config)
    # The router takes a file without routing and global for one of the layout before this one.
    document["routing"] = {"modelCards": cards} if cards else {}
    _place(document, contract.layout["looper"], _looper(contract, config))
    for name, path in contract.layout.items():
        if name in config.sections:
            section = _without_gone(config.sections[name], contract)
            _place(document, path, contract.adapt(section, config))
    return document


def _looper(contract: Contract, config: RouterConfig) -> dict[str, Any]:
    """What the router does as a client of models, and with it the size of its own gRPC messages."""
    wanted = config.looper_endpoint and contract.calling_algorithms
    endpoint = {"endpoint": config.looper_endpoint} if wanted else {}
    return {**endpoint, "grpc_max_msg_size_mb": ROUTER_MESSAGE_LIMIT_BYTES // MIB}


def _open_door(document: dict[str, Any], config: RouterConfig) -> None:
    """A router that serves alone reads its listener, so all that the pod goes by is ours."""
    listed = config.canonical.get("listeners") or [{}]
    if not config.door or not isinstance(listed, list) or not isinstance(listed[0], dict):
        return
    first = {
        "name": f"http-{config.listener_port}",
        "timeout": _ALONE_TIMEOUT,
        **listed[0],
        "address": config.door.address,
        "port": config.listener_port,
        **({"tls": config.door.tls} if config.door.tls else {}),
        **({"api_keys": list(config.door.api_keys)} if config.door.api_keys else {}),
    }
    document["listeners"] = [first, *listed[1:]]


def _find_tools_database(document: dict[str, Any]) -> None:
    """Points the tools at our file, unless the user points them elsewhere than the router does."""
    tools = at(document, ("global", "integrations", "tools"))
    if isinstance(tools, dict) and tools.get("tools_db_path") in (None, ROUTER_TOOLS_DB_PATH):
        tools["tools_db_path"] = TOOLS_DB_PATH


def _give_priorities(routing: dict[str, Any]) -> None:
    """What the router takes a missing priority for: its validator wants to see one."""
    decisions = routing.get("decisions")
    if isinstance(decisions, list):
        routing["decisions"] = [
            {"priority": 0, **item} if isinstance(item, dict) else item for item in decisions
        ]


def _without_gone(section: Section, contract: Contract) -> Section:
    value = section.value
    for gone in contract.gone:
        if gone.steps[0] == section.name and len(gone.steps) > 1:
            value = _without(value, gone.steps[1:])
    return replace(section, value=value)


def _matches(value: Any, steps: tuple[str, ...], path: Path = ()) -> list[tuple[Path, Any]]:
    if not steps:
        return [(path, value)]
    if steps[0] == "*":
        items = enumerate(value) if isinstance(value, list) else ()
        return [hit for index, item in items for hit in _matches(item, steps[1:], (*path, index))]
    if isinstance(value, dict) and steps[0] in value:
        return _matches(value[steps[0]], steps[1:], (*path, steps[0]))
    return []


def _without(value: Any, steps: tuple[str, ...]) -> Any:
    if steps[0] == "*":
        return [_without(item, steps[1:]) for item in value]
    if not isinstance(value, dict) or steps[0] not in value:
        return value
    if len(steps) == 1:
        return {key: child for key, child in value.items() if key != steps[0]}
    return {**value, steps[0]: _without(value[steps[0]], steps[1:])}


def _place(document: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = value


def _merged(generated: Any, given: Any, path: tuple[str, ...] = ()) -> Any:
    if isinstance(generated, dict) and isinstance(given, dict):
        merged = dict(generated)
        for key, value in given.items():
            merged[key] = (
                _merged(generated[key], value, (*path, key)) if key in generated else value
            )
        return merged
    if isinstance(generated, list) and isinstance(given, list) and _is_merged_by_name(path):
        return _merged_by_name(generated, given, path)
    return given


def _is_merged_by_name(path: tuple[str, ...]) -> bool:
    return path in _MERGED_BY_NAME or path[:2] == ("routing", "signals")


def _merged_by_name(generated: list[Any], given: list[Any], path: tuple[str, ...]) -> list[Any]:
    theirs = {
        entry["name"]: entry for entry in given if isinstance(entry, dict) and "name" in entry
    }
    known = {entry["name"] for entry in generated}
    merged = [
        _merged(entry, theirs[entry["name"]], (*path, "*")) if entry["name"] in theirs else entry
        for entry in generated
    ]
    return merged + [e for e in given if not (isinstance(e, dict) and e.get("name") in known)]


def _order(document: dict[str, Any], key: str, order: tuple[str, ...]) -> None:
    if isinstance(document.get(key), dict):
        document[key] = ordered(document[key], order)
