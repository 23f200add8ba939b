# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that build what carries traffic; the work is done in objects/networking.py
and objects/network_policy.py."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.network_policy import (
    network_policy,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.networking import (
    headless_service,
    ingress,
    service,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.filter import (
    Builder,
    Filter,
    filters_of,
)

# By the names of their filters, which are those of the objects.
BUILDERS: dict[str, Builder] = {
    "headless_service": headless_service,
    "ingress": ingress,
    "network_policy": network_policy,
    "service": service,
}


class FilterModule:
    """One filter per object, named as the object."""

    def filters(self) -> dict[str, Filter]:
        """Called by Ansible."""
        return filters_of(BUILDERS)
