# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose object is it? What is somebody else's is never seized, changed or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def described(manifest: Mapping[str, Any]) -> str:
    """``Service my-router``: how messages name an object."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


# Selects what no router has.
OTHERS = f"{metadata.LABEL_MANAGED_BY}!={metadata.FIELD_MANAGER}"


def label_selector(router_names: Sequence[str]) -> str:
    """Selects all objects of these routers."""
    instance = (
        f"{metadata.LABEL_INSTANCE}={router_names[0]}"
        if len(router_names) == 1
        else f"{metadata.LABEL_INSTANCE} in ({','.join(router_names)})"
    )
    return f"{instance},{metadata.LABEL_MANAGED_BY}={metadata.FIELD_MANAGER}"


def is_of_a_router(live: Manifest) -> bool:
    """Of whichever."""
    labels = live["metadata"].get("labels") or {}
    return bool(labels.get(metadata.LABEL_MANAGED_BY) == metadata.FIELD_MANAGER)


def is_controlled_by(live: Manifest, router: Router) -> bool:
    """The object goes when the router goes."""
    controller = _controller(live)
    return controller is not None and controller.get("uid") == router.uid


def takes_no_owner(live: Manifest | None) -> bool:
    """Nobody controls the object, and the router may use it and not make itself the owner.

    OwnerReferencesPermissionEnforcement lets only those become an owner who may delete the object,
    and the operator has no right to delete what it never prunes. Such an object was orphaned or
    restored: it was meant to outlive its router, and goes on to.
    """
    return live is not None and not resources.resource_of(live).prune and _controller(live) is None


def objection(live: Manifest, router: Router) -> Problem | None:
    """Why the router must not write to an existing object; None when it may.

    An object with our labels and no controller is ours: a backup was restored.
    """
    if live["metadata"].get("deletionTimestamp"):
        return _terminating(live)
    if is_controlled_by(live, router):
        return None
    controller = _controller(live)
    if controller is None and metadata.is_labelled(live, router.name):
        return None
    return _foreign(live, router, controller)


def _controller(live: Manifest) -> dict[str, Any] | None:
    references = live["metadata"].get("ownerReferences") or []
    return next((reference for reference in references if reference.get("controller")), None)


def _terminating(live: Manifest) -> Problem:
    finalizers = ", ".join(live["metadata"].get("finalizers") or []) or "none"
    return Problem(
        reason="Conflict",
        field="",
        found=f"{described(live)} is being deleted (its finalizers: {finalizers})",
        remedy="Wait until it is gone: the operator creates it anew",
        retry=True,
        # A claim goes only when its last pod goes; that must not hold up everything else.
        blocking=False,
    )


def _foreign(live: Manifest, router: Router, controller: dict[str, Any] | None) -> Problem:
    if controller is None:
        managers = {entry.get("manager") for entry in live["metadata"].get("managedFields") or []}
        made = ", ".join(sorted(str(manager) for manager in managers if manager))
        owner = f"belongs to nobody (written by {made})" if made else "belongs to nobody"
    elif (controller.get("kind"), controller.get("name")) == (metadata.KIND, router.name):
        owner = "belongs to an earlier SemanticRouter of this name and is about to be collected"
    else:
        owner = f"is controlled by {controller.get('kind')} {controller.get('name')}"
    found = f"{described(live)} exists already in namespace {router.namespace} and {owner}"
    if live["kind"] == "ServiceAccount" and (router.spec.get("serviceAccount") or {}).get("name"):
        return Problem(
            reason="Conflict",
            field="spec.serviceAccount.name",
            found=found,
            remedy="To use that one, set spec.serviceAccount.create to false, or choose a name "
            "that nobody has",
            retry=True,
        )
    return Problem(
        reason="Conflict",
        field="metadata.name",
        found=found,
        remedy="Rename or remove that object, or give the SemanticRouter another name",
        retry=True,
    )
