# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which of the objects that not every router has does a spec ask for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    is_api_open,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    models_claim_name,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def claim(spec: Mapping[str, Any]) -> bool:
    """A volume claim of the router's own for the models."""
    return bool(spec["persistence"]["enabled"]) and not existing_claim(spec)


def existing_claim(spec: Mapping[str, Any]) -> str:
    """The user's own claim for the models; "" when there is none, or no volume is wanted."""
    persistence = spec["persistence"]
    return str(persistence.get("existingClaim") or "") if persistence["enabled"] else ""


def claim_name(router: Router) -> str:
    """The volume claim that the pods use, their own or the user's; "" when they use none."""
    own = models_claim_name(router.name) if claim(router.spec) else ""
    return existing_claim(router.spec) or own


def route(spec: Mapping[str, Any]) -> bool:
    """A Route, which is asked for where it would not hand out the router's management API."""
    return bool(spec["openshift"]["routes"]["enabled"]) and not is_api_open(spec)


def ingress(spec: Mapping[str, Any]) -> bool:
    """An Ingress, with the same reservation."""
    return bool(spec["ingress"]["enabled"]) and not is_api_open(spec)
