# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The models that a spec asks for: which names are served by which model, and the default one.

The router's configuration, Envoy's and the Gateway's ask here, so that they give one answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.field_path import at
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_routes_of_ours,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.hosted import model_entries

# Contract 0.4 and contract 0.3; each of them refuses the other's key.
_GIVEN_AS = ("model", "default_model")


def served_by(spec: Mapping[str, Any]) -> dict[str, str]:
    """Every name that the router may select, a model or a LoRA adapter of one -> the model."""
    entries = model_entries(spec)
    found = {entry["model"]: entry["model"] for entry in entries}
    for entry in entries:
        for lora in entry.get("loras") or []:
            found.setdefault(lora["name"], entry["model"])
    return found


def names_by_model(spec: Mapping[str, Any]) -> dict[str, list[str]]:
    """Model -> the names that it serves, its own first."""
    grouped: dict[str, list[str]] = {}
    for name, model in served_by(spec).items():
        grouped.setdefault(model, []).append(name)
    return grouped


def without_route(spec: Mapping[str, Any]) -> list[str]:
    """Models that the router may select and the operator builds no way to: requests get a 503.

    spec.config.providers names them without saying where they are, and no entry of
    spec.vllmEndpoints serves them. None where the routes to all models are somebody else's.
    """
    if not has_routes_of_ours(spec):
        return []
    listed = at(spec, ("config", "providers", "models"))
    named = [at(item, ("name",)) for item in listed] if isinstance(listed, list) else []
    known = served_by(spec)
    return [name for name in dict.fromkeys(filter(_is_text, named)) if name not in known]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def default_model(spec: Mapping[str, Any]) -> str:
    """What gets the requests for which nothing else is chosen; "" when there is no model.

    It is the one that spec.config.providers.defaults names. A name that nothing in the spec
    serves does not count: Envoy and the Gateway could send nothing there.
    """
    given = _given(spec)
    return given if given in served_by(spec) else _heaviest(spec)


def _given(spec: Mapping[str, Any]) -> str:
    names = (at(spec, ("config", "providers", "defaults", key)) for key in _GIVEN_AS)
    # Nobody has looked at the shape of this part yet.
    return next((name for name in names if isinstance(name, str)), "")


def _heaviest(spec: Mapping[str, Any]) -> str:
    """The model with the highest total weight, the first listed of equals.

    Whether their backends are there does not count: a default that followed them would change the
    router's configuration, and so its pods, each time that one comes or goes.
    """
    totals: dict[str, int] = {}
    # What is paid for by the request is the default only where there is nothing else.
    for entry in spec.get("vllmEndpoints") or model_entries(spec):
        totals[entry["model"]] = totals.get(entry["model"], 0) + entry["weight"]
    return max(totals, key=lambda model: totals[model], default="")
