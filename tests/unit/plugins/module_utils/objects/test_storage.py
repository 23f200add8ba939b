from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.storage import (
    persistent_volume_claim,
)
from examples import router


def claim(**persistence: Any) -> dict[str, Any]:
    (built,) = persistent_volume_claim(router(persistence=persistence), Facts())
    return built


def test_claim_by_default_leaves_the_storage_class_to_the_cluster():
    built = claim()

    assert built["kind"] == "PersistentVolumeClaim"
    assert built["metadata"]["name"] == "my-router-models"
    assert built["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
    }
    assert "annotations" not in built["metadata"]


def test_claim_names_the_storage_class_that_was_given():
    assert claim(storageClassName="gp3-csi")["spec"]["storageClassName"] == "gp3-csi"


def test_an_empty_storage_class_means_the_clusters_default_too():
    assert "storageClassName" not in claim(storageClassName="")["spec"]


def test_claim_takes_size_access_mode_and_annotations():
    built = claim(size="50Gi", accessMode="ReadWriteMany", annotations={"backup": "models"})

    assert built["spec"]["resources"]["requests"]["storage"] == "50Gi"
    assert built["spec"]["accessModes"] == ["ReadWriteMany"]
    assert built["metadata"]["annotations"] == {"backup": "models"}


@pytest.mark.parametrize("persistence", [{"enabled": False}, {"existingClaim": "mine"}])
def test_no_claim_is_built_when_none_is_wanted(persistence: dict[str, Any]):
    assert persistent_volume_claim(router(persistence=persistence), Facts()) == []
