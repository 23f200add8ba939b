# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Models that somebody else serves, outside of the cluster.

A spec names them in two places: in spec.vllmEndpoints, with a backend of type external, and in the
router's own words, as base_url or endpoint of spec.config.providers.models[].backend_refs. Behind a
Gateway nothing leads to the latter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_gateway_mode,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import parsed

TYPE_EXTERNAL = "external"

_PROVIDERS = ("config", "providers", "models")

# An entry of spec.vllmEndpoints, or what stands for one.
Entry = dict[str, Any]


def is_external(entry: Mapping[str, Any]) -> bool:
    return bool(entry["backend"]["type"] == TYPE_EXTERNAL)


def provider_entries(spec: Mapping[str, Any]) -> list[Entry]:
    """What spec.config.providers says of such models, in the form of spec.vllmEndpoints."""
    listed = None if is_gateway_mode(spec) else at(spec, _PROVIDERS)
    return [
        entry
        for model in (listed if isinstance(listed, list) else [])
        if isinstance(model, Mapping) and isinstance(model.get("name"), str)
        for entry in _entries_of(model)
    ]


def model_entries(spec: Mapping[str, Any]) -> list[Entry]:
    """spec.vllmEndpoints, then what spec.config.providers adds to it."""
    return [*(spec.get("vllmEndpoints") or []), *provider_entries(spec)]


def _entries_of(model: Mapping[str, Any]) -> Iterator[Entry]:
    references = model.get("backend_refs")
    for index, reference in enumerate(references if isinstance(references, list) else []):
        # Nobody has looked at the shape of this part yet.
        url = _url_of(reference) if isinstance(reference, Mapping) else ""
        if parsed(url):
            weight = reference.get("weight")
            yield {
                "name": f"{model['name']}/{reference.get('name') or index}",
                "model": model["name"],
                # The router takes 0 for unset.
                "weight": weight if isinstance(weight, int) and weight > 0 else 1,
                "backend": {"type": TYPE_EXTERNAL, "external": {"url": url}},
            }


def _url_of(reference: Mapping[str, Any]) -> str:
    if reference.get("base_url"):
        return str(reference["base_url"])
    endpoint = reference.get("endpoint")
    return f"{reference.get('protocol') or 'http'}://{endpoint}" if endpoint else ""
