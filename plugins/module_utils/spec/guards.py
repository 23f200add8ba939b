# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the SemanticRouter ask for prompts to be checked (attacks, personal data)?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at

_GUARD_MODULE = ("global", "model_catalog", "modules", "prompt_guard")
_SIGNALS = ("jailbreak", "pii")


def checks_prompts(spec: Mapping[str, Any]) -> bool:
    """Then no path may lead around the router, which is what checks."""
    config = spec.get("config") or {}
    guards = (at(config, ("prompt_guard",)), at(config, _GUARD_MODULE))
    return (
        any(isinstance(guard, Mapping) and guard.get("enabled") for guard in guards)
        or bool(at(config, ("classifier", "pii_model")))
        or any(at(config, ("routing", "signals", kind)) for kind in _SIGNALS)
        or _looks_at_prompts(at(config, ("decisions",)))
        or _looks_at_prompts(at(config, ("routing", "decisions")))
    )


def _looks_at_prompts(node: Any) -> bool:
    """Decisions, or a part of the rules of one, go by such a signal."""
    if isinstance(node, list):
        return any(_looks_at_prompts(item) for item in node)
    if not isinstance(node, Mapping):
        return False
    parts = (node.get("rules"), node.get("conditions"))
    return node.get("type") in _SIGNALS or any(_looks_at_prompts(part) for part in parts)
