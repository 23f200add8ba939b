# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is there room for what was built? Asked before anything of it is written."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.checks.finding import (
    Problems,
    Spec,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    CONFIG_MAP_LIMIT_BYTES,
    size_of,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import nesting
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import (
    field_path,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import invalid

_GROWS_WITH = {"envoy.yaml": "spec.vllmEndpoints", "tools_db.json": "spec.toolsDb"}


def deep(spec: Spec) -> Problems:
    """What is nested deeper than all who read it can follow; what is below was not looked at."""
    where = nesting.too_deep(spec)
    if where:
        yield invalid(
            field_path(where[:4]),
            f"it is nested deeper than {nesting.MOST} levels",
            "Write it flatter: no router reads so deep",
        )


def hopeless(spec: Spec) -> Problems:
    """What is too large however it is written, before anybody spends seconds on writing it."""
    tools = spec.get("toolsDb")
    size = size_of(json.dumps(tools, separators=(",", ":"), ensure_ascii=False)) if tools else 0
    if size > CONFIG_MAP_LIMIT_BYTES:
        yield invalid(
            "spec.toolsDb",
            f"it has {size:,} bytes, and a ConfigMap has room for {CONFIG_MAP_LIMIT_BYTES:,}",
            "Spread it over several SemanticRouters",
        )


def check(manifests: Iterable[Manifest]) -> Problems:
    """What no API server would take, by the field that makes it so large."""
    seen: list[dict[str, str]] = []
    for manifest in manifests:
        data = manifest.get("data") or {}
        # One content may have two names.
        if manifest["kind"] != "ConfigMap" or data in seen:
            continue
        seen.append(data)
        sizes = {name: size_of(text) for name, text in data.items()}
        if sum(sizes.values()) > CONFIG_MAP_LIMIT_BYTES:
            largest = max(sizes, key=lambda name: sizes[name])
            yield invalid(
                _GROWS_WITH.get(largest, "spec.config"),
                f"{largest} would have {sizes[largest]:,} bytes, and ConfigMap "
                f"{manifest['metadata']['name']} has room for {CONFIG_MAP_LIMIT_BYTES:,}",
                "Spread it over several SemanticRouters",
            )
