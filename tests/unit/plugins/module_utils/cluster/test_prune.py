from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import ownership, prune
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

ROUTER = Router(
    {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router", "namespace": "team", "uid": "1"},
    }
)


def live(kind: str = "Service", name: str = "old", **metadata: Any) -> dict[str, Any]:
    owned = {"ownerReferences": [ROUTER.owner_reference], "uid": "5"}
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "team", **owned, **metadata},
    }


def owned(manifest: dict[str, Any]) -> bool:
    return ownership.is_controlled_by(manifest, ROUTER)


class Recorder:
    """A client that deletes nothing and remembers what it was asked for."""

    def __init__(self) -> None:
        self.deleted: list[tuple[str, str]] = []

    def delete(self, path: str, uid: str = "") -> bool:
        self.deleted.append((path, uid))
        return True


def test_what_is_no_longer_wanted_goes() -> None:
    assert prune.unwanted([live(), live(name="new")], [live(name="new")], owned) == [live()]


@pytest.mark.parametrize(
    "kept",
    [
        live("PersistentVolumeClaim"),
        live(ownerReferences=[]),
        live(ownerReferences=[{**ROUTER.owner_reference, "uid": "2"}]),
        live(ownerReferences=[{**ROUTER.owner_reference, "controller": False}]),
        live(deletionTimestamp="2026-01-01T00:00:00Z"),
    ],
    ids=["models", "nobody's", "an earlier router's", "owned but not controlled", "going already"],
)
def test_what_is_not_ours_to_delete_stays(kept: dict[str, Any]) -> None:
    assert prune.unwanted([kept], [], owned) == []


def test_only_the_very_object_that_was_seen_is_deleted() -> None:
    client = Recorder()
    assert prune.delete(client, live())  # type: ignore[arg-type]
    assert client.deleted == [("/api/v1/namespaces/team/services/old", "5")]


def test_a_config_map_that_pods_still_mount_stays() -> None:
    mounted, left = live("ConfigMap", "mounted"), live("ConfigMap", "left")
    service = live(name="mounted")
    assert prune.unwanted([mounted, left, service], [], owned, {"mounted"}) == [left, service]
