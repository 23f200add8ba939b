# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Removes what a SemanticRouter controls and no longer wants; never what it keeps or never had."""

from __future__ import annotations

from collections.abc import Container, Iterable

from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import resources
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.client import Client
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster.ownership import (
    is_controlled_by,
    is_left_behind,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import Manifest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router


def unwanted(
    live: Iterable[Manifest],
    desired: Iterable[Manifest],
    router: Router,
    in_use: Container[str] = (),
    now: str = "",
) -> list[Manifest]:
    """The objects among ``live`` that are to go. in_use: ConfigMaps that pods still need. now: as
    of ownership.is_left_behind()."""
    wanted = {resources.path(manifest) for manifest in desired}
    return [
        manifest
        for manifest in live
        if resources.resource_of(manifest).prune
        and resources.path(manifest) not in wanted
        and (is_controlled_by(manifest, router) or is_left_behind(manifest, router, now))
        and not manifest["metadata"].get("deletionTimestamp")
        and not (manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] in in_use)
    ]


def delete(client: Client, live: Manifest) -> bool:
    """Delete the very object that was seen; False if it is gone already."""
    return client.delete(resources.path(live), uid=live["metadata"]["uid"])
