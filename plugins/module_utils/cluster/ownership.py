# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose object is it? What is somebody else's is never seized, changed or deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import metadata
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def described(manifest: Mapping[str, Any]) -> str:
    """``Service my-router``: how messages name an object."""
    return f"{manifest['kind']} {manifest['metadata']['name']}"


# Kubernetes collects what a deleted router leaves within seconds. What still stands after this time
# it never collects: its garbage collector has heard of the next router of the name only.
_COLLECTED_WITHIN = timedelta(seconds=10)

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


def is_of_an_earlier_router(live: Manifest, router: Router) -> bool:
    """A SemanticRouter of this name controls the object, and it is another one."""
    controller = _controller(live)
    if controller is None or controller.get("uid") == router.uid:
        return False
    group = str(controller.get("apiVersion")).partition("/")[0]
    found = group, controller.get("kind"), controller.get("name")
    return found == (metadata.API_GROUP, metadata.KIND, router.name)


def is_left_behind(live: Manifest, router: Router, now: str) -> bool:
    """An earlier router of this name controls the object, and Kubernetes does not collect it.

    Its owner is gone for ever, if this router has the name still. now: RFC 3339; "" when nobody
    looks at the time, and then nothing is left behind.
    """
    made = router.resource["metadata"].get("creationTimestamp")
    if not (now and made) or live["metadata"].get("deletionTimestamp"):
        return False
    if not is_of_an_earlier_router(live, router):
        return False
    return datetime.fromisoformat(now) - datetime.fromisoformat(made) >= _COLLECTED_WITHIN


def takes_no_owner(live: Manifest | None, router: Router) -> bool:
    """The router may use the object, and not make itself its owner.

    OwnerReferencesPermissionEnforcement lets only those become an owner who may delete the object,
    and the operator has no right to delete what it never prunes. Such an object was orphaned,
    restored or left behind: it outlives the router.
    """
    if live is None or resources.resource_of(live).prune:
        return False
    return _controller(live) is None or is_of_an_earlier_router(live, router)


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
    if is_of_an_earlier_router(live, router):
        return not_yet_collected(live)
    return _foreign(live, router, controller)


def not_yet_collected(live: Manifest) -> Problem:
    """An earlier router's object that is not left behind, or not yet."""
    return Problem(
        reason="Conflict",
        field="metadata.name",
        found=f"{described(live)} belongs to an earlier SemanticRouter of this name, and "
        "Kubernetes has not deleted it yet",
        remedy="Wait: when it is gone, the operator creates it anew, and when it stands after "
        f"{_COLLECTED_WITHIN.seconds} seconds, the operator takes it over",
        retry=True,
    )


def held_by_the_past(live: Manifest) -> Problem:
    """A claim that an earlier router has left, and whose owner the operator may not take off."""
    name, namespace = live["metadata"]["name"], live["metadata"]["namespace"]
    freed = json.dumps({"metadata": {"ownerReferences": None}})
    return Problem(
        reason="Conflict",
        field="metadata.name",
        found=f"{described(live)} still has an earlier SemanticRouter of this name as its owner, "
        "with which Kubernetes may delete it at any time, and the operator has no right to change "
        "that",
        remedy=f"To keep the models: kubectl patch pvc {name} --namespace {namespace} --type=merge "
        f"--patch='{freed}'; otherwise delete the claim: the operator creates it anew",
        retry=True,
        # The router runs with it meanwhile.
        blocking=False,
    )


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
