from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.cluster import compare
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import (
    ANNOTATION_APPLIED_HASH,
    FIELD_MANAGER,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router

Manifest = dict[str, Any]


def router(uid: str = "1") -> Router:
    metadata = {"name": "my-router", "namespace": "team", "uid": uid}
    return Router(
        {"apiVersion": "vllm.ai/v1alpha1", "kind": "SemanticRouter", "metadata": metadata}
    )


def config_map(**data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "my-router-config", "namespace": "team", "labels": {"a": "b"}},
        "data": data or {"config.yaml": "x"},
    }


def applied(desired: Manifest) -> Manifest:
    """As the API server gives it back."""
    live = copy.deepcopy(desired)
    annotations: Manifest = {f"f:{name}": {} for name in desired["metadata"]["annotations"]}
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsV1": {
            "f:metadata": {
                "f:labels": {"f:a": {}},
                "f:annotations": annotations,
                "f:ownerReferences": {'k:{"uid":"1"}': {}},
            },
            "f:data": {f"f:{name}": {} for name in desired["data"]},
        },
    }
    live["metadata"] |= {"uid": "2", "resourceVersion": "7", "managedFields": [entry]}
    return live


def hash_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["annotations"][ANNOTATION_APPLIED_HASH])


def test_stamping_adds_the_owner_and_leaves_the_builder_s_manifest_alone() -> None:
    manifest = config_map()
    before = copy.deepcopy(manifest)
    assert compare.stamped(manifest, router())["metadata"]["ownerReferences"] == [
        router().owner_reference
    ]
    assert manifest == before


def test_annotations_of_the_builder_stay_beside_the_hash() -> None:
    manifest = config_map()
    manifest["metadata"]["annotations"] = {"mine": "yes"}
    assert compare.stamped(manifest, router())["metadata"]["annotations"]["mine"] == "yes"


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    manifest = config_map(a="1", b="2")
    reordered = dict(reversed(list(manifest.items())))
    assert hash_of(compare.stamped(manifest, router())) == hash_of(
        compare.stamped(reordered, router())
    )


@pytest.mark.parametrize(
    ("manifest", "owner"), [(config_map(a="1"), router()), (config_map(), router("another"))]
)
def test_the_hash_depends_on_the_content_and_on_the_owner(
    manifest: Manifest, owner: Router
) -> None:
    assert hash_of(compare.stamped(manifest, owner)) != hash_of(
        compare.stamped(config_map(), router())
    )


def test_what_we_applied_last_is_untouched() -> None:
    desired = compare.stamped(config_map(), router())
    assert compare.is_untouched(desired, applied(desired))


def test_an_object_made_of_other_content_is_not_untouched() -> None:
    live = applied(compare.stamped(config_map(a="1"), router()))
    assert not compare.is_untouched(compare.stamped(config_map(a="2"), router()), live)


@pytest.mark.parametrize(
    "change",
    [{"manager": "kubectl"}, {"operation": "Update"}, {"subresource": "status"}, {"fieldsV1": {}}],
    ids=lambda change: next(iter(change)),
)
def test_only_our_own_apply_entry_counts(change: dict[str, Any]) -> None:
    desired = compare.stamped(config_map(), router())
    live = applied(desired)
    live["metadata"]["managedFields"][0] |= change
    assert not compare.is_untouched(desired, live)


def test_a_dry_run_that_differs_in_bookkeeping_only_is_the_same() -> None:
    live = applied(compare.stamped(config_map(), router()))
    rehearsed = copy.deepcopy(live)
    rehearsed["metadata"]["managedFields"][0]["time"] = "2027-01-01T00:00:00Z"
    rehearsed["metadata"]["resourceVersion"] = "8"
    rehearsed["status"] = {"anything": 1}
    assert compare.is_same(rehearsed, live)


def test_a_dry_run_that_takes_a_field_back_is_not_the_same() -> None:
    live = applied(compare.stamped(config_map(), router()))
    rehearsed = copy.deepcopy(live)
    rehearsed["metadata"]["managedFields"][0]["fieldsV1"]["f:data"] = {}
    assert not compare.is_same(rehearsed, live)


def test_a_diff_shows_content_without_bookkeeping() -> None:
    before = applied(compare.stamped(config_map(a="1"), router()))
    after = applied(compare.stamped(config_map(a="2"), router()))
    shown = compare.difference(before, after)
    assert shown["before_header"] == "ConfigMap team/my-router-config"
    assert (shown["before"]["data"], shown["after"]["data"]) == ({"a": "1"}, {"a": "2"})
    assert shown["before"]["metadata"] == shown["after"]["metadata"]
    assert "managedFields" not in shown["after"]["metadata"]


def test_the_diff_of_a_removed_object_has_nothing_after_it() -> None:
    live = applied(compare.stamped(config_map(), router()))
    assert compare.difference(live, None)["after"] == {}


def test_a_diff_hides_the_credentials_of_spec_config() -> None:
    env = [{"name": "SR_REDIS__PASSWORD", "value": "hunter2"}, {"name": "HOME", "value": "/home"}]
    after = {**config_map(), "spec": {"template": {"spec": {"containers": [{"env": env}]}}}}
    shown = compare.difference(None, after)["after"]
    assert shown["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "SR_REDIS__PASSWORD", "value": compare.HIDDEN},
        env[1],
    ]
