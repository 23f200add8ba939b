# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that build the router's pods; the work is done in objects/workload.py and scaling.py."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.scaling import (
    horizontal_pod_autoscaler,
    pod_disruption_budget,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.workload import (
    deployment,
    service_account,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.filter import (
    Builder,
    Filter,
    filters_of,
)

# By the names of their filters, which are those of the objects.
BUILDERS: dict[str, Builder] = {
    "deployment": deployment,
    "horizontal_pod_autoscaler": horizontal_pod_autoscaler,
    "pod_disruption_budget": pod_disruption_budget,
    "service_account": service_account,
}


class FilterModule:
    """One filter per object, named as the object."""

    def filters(self) -> dict[str, Filter]:
        """Called by Ansible."""
        return filters_of(BUILDERS)
