# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The reads behind spec.gateway; what they mean is ``facts/gateways.py``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import ApiError
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.reads import Reads
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.resources import segment
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import gateways
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateway_backends import (
    wants_verification,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts.gateways import (
    GatewayReading,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

_API = f"/apis/{apis.GATEWAY}"
_GRANTS = f"/apis/{apis.REFERENCE_GRANT}"

_Answer = TypeVar("_Answer")


def read_gateway(reads: Reads, router: Router, backend_namespaces: list[str]) -> GatewayReading:
    """The Gateway and what decides about routes to it; ApiError when the cluster does not answer.

    backend_namespaces: where ReferenceGrants are needed.
    """
    reference = router.spec["gateway"]["existingRef"]
    name, namespace = reference["name"], reference["namespace"]
    gateway, denied = _asked(
        # Its status counts the routes of all.
        lambda: reads.get(
            f"{_API}/namespaces/{segment(namespace)}/gateways/{segment(name)}", spec_only=True
        ),
        None,
    )
    if gateway is None:
        return GatewayReading(denied=denied, namesakes=_namesakes(reads, name, denied))
    class_name = gateway["spec"]["gatewayClassName"]
    gateway_class, class_denied = _asked(
        lambda: reads.get(f"{_API}/gatewayclasses/{segment(class_name)}", spec_only=True), None
    )
    return GatewayReading(
        gateway=gateway,
        gateway_class=gateway_class,
        class_denied=class_denied,
        namespace_labels=_labels(reads, router, gateway),
        grants=_grants(reads, backend_namespaces),
        verifies=_verifies(reads, router) if wants_verification(router.spec) else None,
    )


def _verifies(reads: Reads, router: Router) -> bool:
    """Older releases of the Gateway API have the group's version without this kind of it."""
    nowhere: list[Manifest] | None = None
    path = f"{_API}/namespaces/{router.namespace}/backendtlspolicies"
    found, denied = _asked(lambda: reads.own_named(path, router.name), nowhere)
    return found is not None or bool(denied)


def _namesakes(reads: Reads, name: str, denied: str) -> list[str]:
    if denied:
        return []
    nothing: list[Manifest] = []
    # Also where the Gateway API is not installed: then this is a 404 as well.
    found, _ = _asked(partial(reads.list, f"{_API}/gateways"), nothing)
    return sorted(
        item["metadata"]["namespace"] for item in found if item["metadata"]["name"] == name
    )


def _labels(reads: Reads, router: Router, gateway: Manifest) -> dict[str, str]:
    if not gateways.selects_namespaces(gateway):
        return {}
    found, _ = _asked(lambda: reads.get(f"/api/v1/namespaces/{router.namespace}"), None)
    return dict(((found or {}).get("metadata") or {}).get("labels") or {})


def _grants(reads: Reads, namespaces: list[str]) -> dict[str, list[Manifest]]:
    """Without the namespaces whose grants may not be read: the controller will judge."""
    nothing: list[Manifest] = []
    found = {}
    for namespace in namespaces:
        path = f"{_GRANTS}/namespaces/{segment(namespace)}/referencegrants"
        grants, denied = _asked(partial(reads.list, path), nothing)
        if not denied:
            found[namespace] = grants
    return found


def _asked(ask: Callable[[], _Answer], nothing: _Answer) -> tuple[_Answer, str]:
    """The answer, and why there is none: "no such object" is an answer, "you may not" a reason."""
    try:
        return ask(), ""
    except ApiError as error:
        if error.status == 404:
            return nothing, ""
        if error.status == 403:
            return nothing, error.message.strip().rstrip(".")
        raise
