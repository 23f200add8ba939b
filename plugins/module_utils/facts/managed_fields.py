# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which fields of a live object we have applied and nobody has taken from us since."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    FIELD_MANAGER,
    Manifest,
)


def applied(manifest: Manifest) -> list[dict[str, Any]]:
    """``fieldsV1`` of our entries: one at most, unless the kind has changed versions."""
    return [
        entry.get("fieldsV1") or {}
        for entry in manifest["metadata"].get("managedFields") or []
        if entry.get("manager") == FIELD_MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    ]
