# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Hosts, ports, paths and stores that the router takes for granted, and what they are in a pod.

The router's defaults are made for upstream's compose stack, where a redis, a postgres and a jaeger
run beside it. This is the one list of the keys that name such a place:

- SETTINGS are written when nobody has: the default would point at something that is not there.
- NEEDS are of a store that the user has chosen: the router would look for it on localhost, so the
  address that is missing is asked for.
- OTHERS have no such default, or somebody else says what they are.

A test walks the router's schema: a key that names a place and stands in none of them fails it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    Path,
    at,
    replaced,
)

# A directory of the router's container that it may write to, and loses with the pod.
STATE_DIRECTORY = "/app/.vllm-sr"

_EVERY = ("0.3", "0.4", "0.5")


@dataclass(frozen=True)
class Setting:
    """A value that is right in a pod, where the router's own default is not.

    unless: keys with which the user has said where the place is, so that all stays theirs.
    only_with: a key that has to be true for the router to look at this one.
    """

    path: str
    value: Any
    unless: tuple[str, ...] = ()
    only_with: str = ""
    contracts: tuple[str, ...] = _EVERY


@dataclass(frozen=True)
class Need:
    """An address without which the router would look on its own host, or on that of a stack.

    section: its part of the document. keys: one of them is enough.
    key, choice: the choice that needs them, which is also the router's own if is_default.
    switch: a key that has to be true, which it is unasked if is_on.
    blocking: nothing is written without. Where the router does its work all the same, it is only
    told of.
    """

    section: str
    key: str
    choice: str
    keys: tuple[str, ...]
    switch: str = ""
    is_default: bool = False
    is_on: bool = False
    blocking: bool = True


_SERVICES = "global.services"
_STORES = "global.stores"
_TRACING = f"{_SERVICES}.observability.tracing"
_RESPONSES = f"{_SERVICES}.response_api"
_REPLAY = f"{_SERVICES}.router_replay"
_MEMORY = f"{_STORES}.memory"
_VECTORS = f"{_STORES}.vector_store"
_CACHE = f"{_STORES}.semantic_cache"

SETTINGS = (
    # To vllm-sr-jaeger:4317, unasked.
    Setting(f"{_TRACING}.enabled", False, (f"{_TRACING}.exporter",)),
    # On a redis without address, so that /v1/responses is not there at all.
    Setting(f"{_RESPONSES}.store_backend", "memory", (f"{_RESPONSES}.redis",)),
    # On a postgres on localhost, for every request.
    Setting(f"{_REPLAY}.enabled", False, (f"{_REPLAY}.postgres",), contracts=("0.3",)),
    Setting(f"{_REPLAY}.store_backend", "memory", (f"{_REPLAY}.postgres",), contracts=("0.3",)),
    # In memory, unasked, for all models alike; and a model's 503 is kept as an answer with 200.
    Setting(f"{_CACHE}.enabled", False, (_CACHE,), contracts=("0.3",)),
    # In a directory that the pod's user may not write to.
    Setting(
        f"{_VECTORS}.file_storage_dir",
        f"{STATE_DIRECTORY}/vector-store",
        only_with=f"{_VECTORS}.enabled",
    ),
)

_CACHE_HOSTS = (
    ("redis", "redis.connection.host"),
    ("valkey", "valkey.connection.host"),
    ("milvus", "milvus.connection.host"),
    ("hybrid", "milvus.connection.host"),
    ("qdrant", "qdrant.host"),
)

NEEDS = (
    Need(
        _TRACING,
        "exporter.type",
        "otlp",
        ("exporter.endpoint",),
        "enabled",
        is_default=True,
        is_on=True,
        blocking=False,
    ),
    Need(
        _RESPONSES,
        "store_backend",
        "redis",
        ("redis.address", "redis.cluster_addresses", "redis.config_path"),
    ),
    Need(_REPLAY, "store_backend", "redis", ("redis.address",)),
    Need(_REPLAY, "store_backend", "postgres", ("postgres.host",)),
    Need(_REPLAY, "store_backend", "milvus", ("milvus.address",)),
    Need(_REPLAY, "store_backend", "qdrant", ("qdrant.host",)),
    Need(f"{_SERVICES}.startup_status", "store_backend", "redis", ("redis.address",)),
    Need(_MEMORY, "backend", "milvus", ("milvus.address",), "enabled", is_default=True),
    Need(_MEMORY, "backend", "valkey", ("valkey.host",), "enabled"),
    Need(_MEMORY, "backend", "qdrant", ("qdrant.host",), "enabled"),
    Need(f"{_MEMORY}.redis_cache", "", "", ("address",), "enabled"),
    Need(_VECTORS, "backend_type", "milvus", ("milvus.connection.host",), "enabled"),
    Need(_VECTORS, "backend_type", "valkey", ("valkey.host",), "enabled"),
    Need(_VECTORS, "backend_type", "qdrant", ("qdrant.host",), "enabled"),
    Need(_VECTORS, "backend_type", "llama_stack", ("llama_stack.endpoint",), "enabled"),
    Need(_VECTORS, "metadata_store", "postgres", ("metadata_postgres.host",), "enabled"),
    *(
        Need(f"{_STORES}.{name}", "backend_type", choice, (host,), "enabled")
        for name in ("response_cache", "semantic_cache")
        for choice, host in _CACHE_HOSTS
    ),
    Need(f"{_STORES}.tool_sessions", "backend", "redis", ("redis.address",)),
    Need("global.router.learning.state_store", "backend", "redis", ("redis.address",)),
    Need("global.integrations.looper.flow.state", "store_backend", "redis", ("redis.address",)),
)

# "*": any key or index, and "**": anything below. Why the default is right, or what it is.
OTHERS = {
    "listeners.**": "ours is written, and Envoy's",
    "providers.**": "backends are only those that are given",
    "routing.**": "given by the user, file or server, for what names it",
    "global.router.model_selection.ml.**": "trained models are only those that are given",
    "global.router.learning.state_store.backend": "memory",
    "global.services.management_api.*": "arguments of the container say it",
    "global.services.observability.profiling.port": "off, and on 127.0.0.1",
    "global.services.ratelimit.providers.**": "only those that are given",
    "global.services.response_api.redis.tls_*_path": "given with a redis",
    "global.services.router_replay.*.port": "the port that such a store has",
    "global.services.router_replay.store_backend": "memory in 0.4",
    "global.services.startup_status.store_backend": "a file where the pod may write",
    "global.stores.response_cache.backend_type": "memory",
    "global.stores.response_cache.*.connection.port": "the port that such a store has",
    "global.stores.response_cache.qdrant.port": "the port that such a store has",
    "global.stores.memory.auto_store": "a switch",
    "global.stores.memory.*.port": "the port that such a store has",
    "global.stores.memory.valkey.tls_ca_path": "given with a valkey",
    "global.stores.tool_sessions.backend": "memory",
    "global.stores.memory.backend": "off, and asked for its address when it is on",
    "global.stores.vector_store.**": "off, and asked for its address when it is on",
    "global.integrations.tools.tools_db_path": "the file made of spec.toolsDb",
    "global.integrations.looper.endpoint": "Envoy's way in for the router; asked for without Envoy",
    "global.integrations.looper.flow.state.store_backend": "a file where the pod may write",
    "global.integrations.looper.flow.state.file.directory": "below HOME",
    "global.model_catalog.**": "models and files of the image, or those that are given",
}


def filled(document: dict[str, Any], contract: str) -> dict[str, Any]:
    """The document with the settings that it leaves to the router."""
    for setting in SETTINGS:
        if _is_wanted(setting, document, contract):
            document = replaced(document, _path(setting.path), setting.value)
    return document


def missing(document: dict[str, Any]) -> Iterator[tuple[Path, Path, str, bool]]:
    """Sections, which key each of them lacks, the choice that needs it, and whether it blocks."""
    for need in NEEDS:
        section = _path(need.section)
        value = at(document, section)
        if not isinstance(value, dict) or not _is_chosen(need, value):
            continue
        if not any(at(value, _path(key)) for key in need.keys):
            what = f"{need.key} is {need.choice}" if need.key else f"{need.switch} is true"
            yield section, _path(need.keys[0]), what, need.blocking


def _is_wanted(setting: Setting, document: dict[str, Any], contract: str) -> bool:
    return (
        contract in setting.contracts
        and at(document, _path(setting.path)) is None
        and not any(at(document, _path(key)) for key in setting.unless)
        and (not setting.only_with or at(document, _path(setting.only_with)) is True)
    )


def _is_chosen(need: Need, section: dict[str, Any]) -> bool:
    if need.switch and section.get(need.switch, need.is_on) is not True:
        return False
    if not need.key:
        return True
    choice = at(section, _path(need.key))
    return choice == need.choice or (need.is_default and not choice)


def _path(text: str) -> Path:
    return tuple(text.split("."))
