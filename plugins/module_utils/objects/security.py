# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Security contexts: the platform's, unless the user gives their own, which then stand alone."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import compact
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

USER = 1000
GROUP = 1000


def pod_security_context(router: Router, facts: Facts) -> dict[str, Any]:
    """The pod's ``securityContext`` field; no field at all where it would be empty."""
    override = router.spec.get("podSecurityContext")
    if override is not None:
        return {"securityContext": compact(override)}
    if facts.is_openshift:
        # The SCC that admits the pod gives it UID, groups and seccomp profile. Naming any of them
        # here, the profile included, makes the `restricted` SCC refuse the pod.
        return {}
    return {
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": GROUP,
            # Else every start walks through gigabytes of models to set their group again.
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
    }


def container_security_context(router: Router, facts: Facts) -> dict[str, Any]:
    """``securityContext`` of one container, fit for the "restricted" Pod Security Standard."""
    override = router.spec.get("securityContext")
    if override is not None:
        return dict(compact(override))
    context: dict[str, Any] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    if facts.is_openshift:
        return context
    return {**context, "runAsNonRoot": True, "runAsUser": USER}
