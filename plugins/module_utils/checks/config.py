# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do the sections of spec.config, and spec.toolsDb, make sense?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ansible_collections.vllm.semantic_router.plugins.module_utils import router_config
from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid

# What a cache needs outside of memory: the section of its store with the host.
_CACHE_HOSTS = {
    "redis": ("redis", "connection", "host"),
    "valkey": ("valkey", "connection", "host"),
    "milvus": ("milvus", "connection", "host"),
    "hybrid": ("milvus", "connection", "host"),
    "qdrant": ("qdrant", "host"),
}


def _tools(spec: Spec) -> Problems:
    for index, entry in enumerate(spec.get("toolsDb") or []):
        if ("tool" in entry) == ("name" in entry):
            yield invalid(
                f"spec.toolsDb[{index}]",
                "it has both tool and name" if "tool" in entry else "it has neither tool nor name",
                "Keep tool (nested form) or name (flat form)",
            )


def _caches(spec: Spec) -> Problems:
    config = spec.get("config") or {}
    if "semantic_cache" in config and "response_cache" in config:
        yield invalid(
            "spec.config.semantic_cache",
            "response_cache is set too, which is the same section under its newer name",
            "Keep response_cache",
        )
    for name in ("semantic_cache", "response_cache"):
        cache = config.get(name)
        if cache is not None:
            yield from _cache(cache, f"spec.config.{name}")


def _cache(cache: Spec, path: str) -> Problems:
    where = _CACHE_HOSTS.get(cache["backend_type"])
    if cache["enabled"] and where and not at(cache, where):
        yield invalid(
            f"{path}.{'.'.join(where)}",
            f"backend_type is {cache['backend_type']} but it is missing",
            "Give the host, or choose backend_type memory",
        )
    for reference_path in (
        ("redis", "connection", "password_secret_ref"),
        ("valkey", "connection", "password_secret_ref"),
        ("milvus", "connection", "auth", "password_secret_ref"),
        ("qdrant", "api_key_secret_ref"),
    ):
        reference = at(cache, reference_path)
        if reference is not None and not reference.get("name"):
            field = ".".join((path, *reference_path, "name"))
            yield invalid(field, "it is missing", "Give the name of the Secret")


def _prompt_guard(spec: Spec) -> Problems:
    guard = (spec.get("config") or {}).get("prompt_guard") or {}
    if "variant" in guard and "protocol" in guard:
        yield invalid(
            "spec.config.prompt_guard.protocol",
            "variant is set too",
            "Keep variant for a model in the router or protocol for a guard server",
        )


def _embeddings(spec: Spec) -> Problems:
    models = (spec.get("config") or {}).get("embedding_models") or {}
    is_remote = at(models, ("embedding_config", "backend")) == "openai_compatible"
    if is_remote and not at(models, ("endpoint", "base_url")):
        yield invalid(
            "spec.config.embedding_models.endpoint.base_url",
            "embedding_config.backend is openai_compatible but it is missing",
            "Give the URL of the embedding server",
        )


def _unlisted(spec: Spec) -> Problems:
    """A key that the router does not know keeps it from starting."""
    config = spec.get("config")
    used = router_config.CONTRACTS[router_config.contract(spec)]
    if not config or (used.has_schema and router_config.schema_version(used.name)):
        # The router's own schema is at hand and knows better.
        return
    for problem in crd.unlisted_keys(config):
        advice = "write a key that only the router knows into spec.config.global"
        yield replace(problem, remedy=f"{problem.remedy}, or {advice}")


RULES: tuple[Callable[[Spec], Problems], ...] = (
    _tools,
    _caches,
    _prompt_guard,
    _embeddings,
    _unlisted,
)
