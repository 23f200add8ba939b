"""Whether somebody uses this operator in a cluster already, who must not be disturbed."""

from __future__ import annotations

import json

from control_plane import Kubectl

OPERATOR_NAMESPACE = "semantic-router-operator-system"
CRD = "semanticrouters.vllm.ai"


def is_known(kubectl: Kubectl) -> bool:
    """Whether the cluster has the CRD."""
    return kubectl.run("get", "crd", CRD).returncode == 0


def why_not(kubectl: Kubectl, ours: str) -> str:
    """What is in the cluster of somebody else; "" if there is nothing. ours: a label."""
    theirs = kubectl("get", "namespaces", "-l", f"!{ours}", "-o", "name").split()
    if f"namespace/{OPERATOR_NAMESPACE}" in theirs:
        return f"Somebody's operator is in {OPERATOR_NAMESPACE}: name another cluster."
    if not is_known(kubectl):
        return ""
    found = json.loads(kubectl("get", CRD, "--all-namespaces", "-o", "json"))["items"]
    used = {item["metadata"]["namespace"] for item in found}
    used = {name for name in used if f"namespace/{name}" in theirs}
    if used:
        return f"SemanticRouters are in {', '.join(sorted(used))}: name another cluster."
    return ""
