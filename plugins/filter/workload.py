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
    Filter,
    filter_of,
)


class FilterModule:
    """One filter per object, named as the object."""

    def filters(self) -> dict[str, Filter]:
        """Called by Ansible."""
        return {
            "deployment": filter_of(deployment),
            "horizontal_pod_autoscaler": filter_of(horizontal_pod_autoscaler),
            "pod_disruption_budget": filter_of(pod_disruption_budget),
            "service_account": filter_of(service_account),
        }
