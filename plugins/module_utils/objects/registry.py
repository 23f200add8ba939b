# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which builders make the objects of a SemanticRouter, by concern: the one list of them.

A concern has the name of its role, and the playbooks name the concerns. A builder takes the router
and the facts, and gives a list of manifests, an empty one where its object is not wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import (
    config_maps,
    service_ca_config_map,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.ext_proc import (
    ext_proc_attachment,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    http_routes,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway_backends import (
    backend_policies,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway_door import door
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.monitoring import (
    grafana_dashboard,
    prometheus_rule,
    service_monitor,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.network_policy import (
    network_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    headless_service,
    ingress,
    service,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.openshift import route
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.scaling import (
    horizontal_pod_autoscaler,
    pod_disruption_budget,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.storage import (
    persistent_volume_claim,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
    service_account,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Builder = Callable[[Router, Facts], list[Manifest]]

BUILDERS: dict[str, tuple[Builder, ...]] = {
    "config": (config_maps, service_ca_config_map),
    "storage": (persistent_volume_claim,),
    "workload": (
        service_account,
        deployment,
        horizontal_pod_autoscaler,
        pod_disruption_budget,
    ),
    "networking": (
        service,
        headless_service,
        ingress,
        network_policy,
        http_routes,
        ext_proc_attachment,
        backend_policies,
        door,
    ),
    "openshift": (route,),
    "monitoring": (service_monitor, prometheus_rule, grafana_dashboard),
}
CONCERNS = tuple(BUILDERS)


def build(router: Router, facts: Facts, concerns: Iterable[str] = CONCERNS) -> list[Manifest]:
    """The manifests of these concerns, in their order; KeyError for one that there is not."""
    return [
        manifest
        for concern in concerns
        for builder in BUILDERS[concern]
        for manifest in made_by(builder, router, facts)
    ]


def made_by(builder: Builder, router: Router, facts: Facts) -> list[Manifest]:
    """What a builder makes, with what every object is to have."""
    return [_with_common_metadata(manifest, router) for manifest in builder(router, facts)]


def _with_common_metadata(manifest: Manifest, router: Router) -> Manifest:
    """The labels and annotations that every object is to have, under its own."""
    common = {
        "labels": router.spec.get("commonLabels"),
        "annotations": router.spec.get("commonAnnotations"),
    }
    own = manifest["metadata"]
    added = {name: {**more, **(own.get(name) or {})} for name, more in common.items() if more}
    return {**manifest, "metadata": {**own, **added}} if added else manifest
