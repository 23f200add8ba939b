# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only OpenShift has: the Route that carries traffic from outside the cluster.

Security contexts differ there too, but they are part of the pod: see workload.py.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis, wants
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.limits import IDLE_TIMEOUT
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    Manifest,
    metadata,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

TARGET_PORT = "api"
# OpenShift's own limit is 30 s, in which many an answer has not even begun.
_TIMEOUT_ANNOTATION = "haproxy.router.openshift.io/timeout"


def route(router: Router, facts: Facts) -> list[Manifest]:
    """The Route to the Service's API port; asking for it elsewhere is a problem of discovery."""
    if not (wants.route(router.spec) and facts.is_openshift):
        return []
    wanted = router.spec["openshift"]["routes"]
    return [
        {
            "apiVersion": str(apis.ROUTE),
            "kind": "Route",
            "metadata": metadata(
                router.name,
                router.namespace,
                annotations={
                    _TIMEOUT_ANNOTATION: IDLE_TIMEOUT,
                    **compact(wanted.get("annotations") or {}),
                },
                more_labels=wanted.get("labels"),
            ),
            "spec": {
                **_host(wanted),
                "to": {"kind": "Service", "name": router.name, "weight": 100},
                "port": {"targetPort": TARGET_PORT},
                "tls": {
                    "termination": wanted["tls"]["termination"],
                    "insecureEdgeTerminationPolicy": wanted["tls"]["insecureEdgeTerminationPolicy"],
                    **given(wanted["tls"], "externalCertificate", "destinationCACertificate"),
                },
                "wildcardPolicy": "None",
            },
        }
    ]


def _host(wanted: dict[str, Any]) -> dict[str, str]:
    # Left out, the cluster generates <name>-<namespace>.<apps domain>.
    return {"host": wanted["hostname"]} if wanted.get("hostname") else {}
