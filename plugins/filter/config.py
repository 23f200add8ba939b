# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that build what router and Envoy read; the work is done in objects/config.py."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.config import config_maps
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.filter import (
    Builder,
    Filter,
    filters_of,
)

# By the names of their filters, which are those of the objects.
BUILDERS: dict[str, Builder] = {
    "config_maps": config_maps,
}


class FilterModule:
    """One filter per object, named as the object."""

    def filters(self) -> dict[str, Filter]:
        """Called by Ansible."""
        return filters_of(BUILDERS)
