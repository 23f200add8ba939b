"""The code of each finding of `kubectl sr doctor`: what pipelines suppress, and pages link to.

What the operator says too has the operator's reason as its code, and its row in the troubleshooting
chapter. The others are here. One that was released stays: somebody suppresses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from ansible_collections.vllm.semantic_router.plugins.module_utils.status.reasons import REASONS

# Of the documentation's pages.
OWN_PAGE, REASONS_PAGE = "findings.md", "troubleshooting.md"


@dataclass(frozen=True)
class Code:
    """page: of docs/, with its anchor."""

    means: str
    remedy: str
    page: str


def _own(name: str, means: str, remedy: str) -> tuple[str, Code]:
    return name, Code(means, remedy, f"{OWN_PAGE}#{name.lower()}")


OWN = dict(
    (
        _own(
            "KubernetesTooOld",
            "The API server is older than the oldest Kubernetes that the operator runs on.",
            "Use a newer Kubernetes",
        ),
        _own(
            "CRDNotInstalled", "The API server does not serve SemanticRouters.", "Install the CRD"
        ),
        _own(
            "CRDUnreadable",
            "You may not read the CRD: whether it has every field stays open.",
            "Ask somebody who may read CustomResourceDefinitions",
        ),
        _own(
            "CRDOfAnotherVersion",
            "The installed CRD lacks fields that this version has.",
            "Install the CRD of this version",
        ),
        _own(
            "OperatorMissing",
            "There is no operator in the cluster, and nobody looks after routers.",
            "Install the operator",
        ),
        _own(
            "OperatorOutside",
            "Routers are looked after, by an operator that is not a Deployment of the cluster.",
            "Fine while you develop; in production install it",
        ),
        _own(
            "OperatorUnreadable",
            "You may not look for the operator's Deployment.",
            "Ask somebody who may read Deployments in the operator's namespace",
        ),
        _own(
            "OperatorBehind",
            "The operator has not looked at a router's current spec.",
            "See the operator's log",
        ),
        _own(
            "OperatorElsewhere",
            "The operator watches some namespaces only, and not that of a router.",
            "Add the namespace to its WATCH_NAMESPACE",
        ),
        _own("OperatorScaledToZero", "The operator has no pods, as asked.", "Scale it to one"),
        _own(
            "OperatorNotAvailable",
            "The operator's pods are not all there, or not of its current version.",
            "See its pods",
        ),
        _own(
            "OperatorOfAnotherVersion",
            "Operator and plugin are of different versions.",
            "Install the plugin of the operator's version",
        ),
        _own(
            "PlatformMistaken",
            "The operator takes the cluster for another platform than it is.",
            "Restart the operator",
        ),
        _own(
            "BeingDeleted",
            "The router, or an object of it, is being deleted.",
            "See what its finalizers wait for",
        ),
        _own(
            "GatewayModeNotReported",
            "The spec asks for gateway mode, and the status does not say so.",
            "See the operator's log",
        ),
        _own(
            "WayInNotReported",
            "Nothing is known yet of the Route or HTTPRoute.",
            "Wait, then see the operator's log",
        ),
        _own(
            "ModelsNotWritable",
            "The router may not write its models: the directory of its volume is root's.",
            "Give it to user 1000 on the node, or take a StorageClass of another type",
        ),
        _own(
            "SecretUnreadable",
            "You may not know whether a Secret exists that the spec names.",
            "Ask somebody who may: kubectl get secret",
        ),
        _own(
            "ObjectsUnreadable",
            "You may not read objects of the router.",
            "Ask for the right to get and list them",
        ),
    )
)


def codes() -> dict[str, Code]:
    """Every one that there is."""
    told = {
        reason: Code(means, "As the finding says", f"{REASONS_PAGE}#every-reason")
        for reason, means in REASONS.items()
    }
    return {**told, **OWN}


def unknown(given: list[str]) -> dict[str, str]:
    """Those that no finding can have, each with the one that may be meant, or ""."""
    known = codes()
    return {
        code: next(iter(get_close_matches(code, known, 1)), "")
        for code in given
        if code not in known
    }
