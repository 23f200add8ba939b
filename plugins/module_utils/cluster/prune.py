# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removes what a SemanticRouter controls and no longer wants; never what it keeps or never had."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest


def unwanted(
    live: Iterable[Manifest],
    desired: Iterable[Manifest],
    owns: Callable[[Manifest], bool],
    in_use: Container[str] = (),
) -> list[Manifest]:
    """The objects among ``live`` that are to go. in_use: ConfigMaps that pods still need."""
    wanted = {resources.path(manifest) for manifest in desired}
    return [
        manifest
        for manifest in live
        if resources.resource_of(manifest).prune
        and resources.path(manifest) not in wanted
        and owns(manifest)
        and not manifest["metadata"].get("deletionTimestamp")
        and not (manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] in in_use)
    ]


def delete(client: Client, live: Manifest) -> bool:
    """Delete the very object that was seen; False if it is gone already."""
    return client.delete(resources.path(live), uid=live["metadata"]["uid"])
