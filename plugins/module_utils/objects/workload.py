# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The pods that run the router and its Envoy, and the identity they run under.

What is in a pod is in containers.py and volumes.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    ROUTER,
    envoy_container,
    router_container,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.rollout import (
    seen_annotations,
    template_annotations,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.scaling import (
    deployment_annotations,
    deployment_replicas,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.security import (
    pod_security_context,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.volumes import volumes
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import (
    inherited,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.gateway_mode import (
    has_envoy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_INHERITED,
    Manifest,
    metadata,
    pod_labels,
    selector,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

# Beyond the time that the startup probe gives a pod: pulling the image, finding a node.
_SCHEDULING_SECONDS = 600
# Access modes of a volume that pods on several nodes can use.
_ON_MANY_NODES = frozenset({"ReadWriteMany", "ReadOnlyMany"})


def service_account(router: Router, _facts: Facts) -> list[Manifest]:
    """The pods' ServiceAccount, unless the user brings one."""
    wanted = router.spec["serviceAccount"]
    if not wanted["create"]:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(
                router.name,
                router.namespace,
                name=service_account_name(router),
                annotations=wanted.get("annotations"),
            ),
        }
    ]


def service_account_name(router: Router) -> str:
    """The name of the ServiceAccount that the pods run under."""
    wanted = router.spec["serviceAccount"]
    return str(wanted.get("name") or (router.name if wanted["create"] else "default"))


def deployment(router: Router, facts: Facts) -> list[Manifest]:
    """The Deployment; a change of configuration changes the pods' annotation, and so the pods."""
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(
                router.name,
                router.namespace,
                annotations={
                    **deployment_annotations(router, facts),
                    **seen_annotations(facts),
                    **_told_annotations(facts),
                },
            ),
            "spec": {
                **deployment_replicas(router, facts),
                "selector": {"matchLabels": selector(router.name)},
                "strategy": _strategy(router.spec, facts),
                "progressDeadlineSeconds": _progress_deadline(router.spec),
                "template": {
                    "metadata": {
                        "labels": pod_labels(router.name, router.spec),
                        "annotations": _pod_annotations(router, facts),
                    },
                    "spec": _pod(router, facts),
                },
            },
        }
    ]


def _told_annotations(facts: Facts) -> dict[str, str]:
    # For who plays on a laptop: the operator that sees to this router was told it, and goes by it.
    told = inherited.as_text(facts.inherited)
    return {ANNOTATION_INHERITED: told} if told else {}


def _pod(router: Router, facts: Facts) -> dict[str, Any]:
    return {
        "serviceAccountName": service_account_name(router),
        # Nothing in the pod talks to the API server.
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": router.spec["terminationGracePeriodSeconds"],
        **pod_security_context(router, facts),
        **given(
            router.spec,
            "imagePullSecrets",
            "nodeSelector",
            "tolerations",
            "priorityClassName",
            "runtimeClassName",
            "hostAliases",
            "dnsPolicy",
            "dnsConfig",
            "initContainers",
        ),
        **_affinity(router, facts),
        **_spread(router),
        "containers": [
            router_container(router, facts),
            *_envoy(router, facts),
            *compact(router.spec.get("extraContainers") or []),
        ],
        "volumes": volumes(router, facts),
    }


def _envoy(router: Router, facts: Facts) -> list[dict[str, Any]]:
    return [envoy_container(router, facts)] if has_envoy(router.spec) else []


def _pod_annotations(router: Router, facts: Facts) -> dict[str, str]:
    return {
        **given(router.spec, "podAnnotations").get("podAnnotations", {}),
        # `kubectl logs deployment/<name>` shows the router, not the first container it finds.
        "kubectl.kubernetes.io/default-container": ROUTER,
        **template_annotations(router, facts),
    }


def _strategy(spec: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    # The volume is bound to one node: a surging pod may find no room there, and the old pod that
    # holds the room waits for it. So one old pod goes first; with Recreate all of them would.
    surge, unavailable = (0, 1) if volume_binds_to_node(spec, facts.claim_modes) else (1, 0)
    wanted = {
        name: value
        for name, value in (spec.get("rollingUpdate") or {}).items()
        if value is not None
    }
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable, **wanted},
    }


def _affinity(router: Router, facts: Facts) -> dict[str, Any]:
    spec = router.spec
    if spec.get("affinity") is not None:
        return given(spec, "affinity")
    if not volume_binds_to_node(spec, facts.claim_modes):
        return {}
    # On another node than the volume's a pod would wait for ever (Multi-Attach error). "Preferred"
    # is not enough: the scheduler's own spreading outweighs it. The first pod may go anywhere.
    term = {
        "labelSelector": {"matchLabels": selector(router.name)},
        "topologyKey": "kubernetes.io/hostname",
    }
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def _spread(router: Router) -> dict[str, Any]:
    # Kubernetes takes a constraint without labelSelector as one that counts no pods at all.
    own = {"labelSelector": {"matchLabels": selector(router.name)}}
    wanted = given(router.spec, "topologySpreadConstraints")
    return {name: [{**own, **one} for one in value] for name, value in wanted.items()}


def volume_binds_to_node(spec: Mapping[str, Any], claim_modes: Sequence[str] = ()) -> bool:
    """The volume for models can be attached to one node at a time.

    claim_modes: what discovery found of a claim of the user's.
    """
    persistence = spec["persistence"]
    modes = claim_modes or [persistence["accessMode"]]
    return bool(persistence["enabled"]) and not _ON_MANY_NODES.intersection(modes)


def _progress_deadline(spec: Mapping[str, Any]) -> int:
    # Kubernetes' 10 minutes would call every first download of the models a failed rollout.
    probe = spec["startupProbe"]
    startup = probe["periodSeconds"] * probe["failureThreshold"]
    return int(probe.get("initialDelaySeconds") or 0) + int(startup) + _SCHEDULING_SECONDS
