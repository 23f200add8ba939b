# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that build what leads from an existing Gateway to the router: see objects/gateway.py."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.gateway import (
    ext_proc_attachment,
    http_routes,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.filter import (
    Builder,
    Filter,
    filters_of,
)

# By the names of their filters, which are those of the objects.
BUILDERS: dict[str, Builder] = {
    "ext_proc_attachment": ext_proc_attachment,
    "http_routes": http_routes,
}


class FilterModule:
    """One filter per object, named as the object."""

    def filters(self) -> dict[str, Filter]:
        """Called by Ansible."""
        return filters_of(BUILDERS)
