# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter that calls those of the other files, as one: what a role lists becomes manifests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.vllm.semantic_router.plugins.filter import (
    config,
    gateway,
    monitoring,
    networking,
    openshift,
    storage,
    workload,
)
from ansible_collections.vllm.semantic_router.plugins.plugin_utils.filter import objects_of

_CONCERNS = (config, storage, workload, networking, gateway, openshift, monitoring)


class FilterModule:
    """One filter for many objects."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Called by Ansible."""
        builders = {
            name: build for concern in _CONCERNS for name, build in concern.BUILDERS.items()
        }
        return {"objects": objects_of(builders)}
