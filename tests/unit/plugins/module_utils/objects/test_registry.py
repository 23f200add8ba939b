"""What all objects have in common, whoever builds them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects import registry
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import selector
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from examples import facts, sample_documents

DOCUMENTS = sample_documents("vllm.ai_v1alpha1_semanticrouter_every_field")
COMMON: dict[str, Any] = {
    "commonLabels": {"cell": "inference"},
    "commonAnnotations": {"owner": "me", "vllm.ai/config-hash": "mine"},
}


def built(document: dict[str, Any], **spec: Any) -> list[dict[str, Any]]:
    router = Router({**document, "spec": {**document["spec"], **spec}})
    platform = "openshift" if "openshift" in document["spec"] else "kubernetes"
    return registry.build(router, facts(router, platform))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda item: item["metadata"]["name"])
def test_every_object_has_the_common_labels_and_annotations(document: dict[str, Any]) -> None:
    for manifest in built(document, **COMMON):
        assert manifest["metadata"]["labels"]["cell"] == "inference"
        assert manifest["metadata"]["annotations"]["owner"] == "me"


def test_an_objects_own_labels_and_annotations_win() -> None:
    annotations = {"owner": "the Service's"}
    common = {**COMMON, "commonLabels": {"app.kubernetes.io/instance": "other"}}
    for manifest in built(DOCUMENTS[0], **common, service={"annotations": annotations}):
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == "every-field"
        if (manifest["kind"], manifest["metadata"]["name"]) == ("Service", "every-field"):
            assert manifest["metadata"]["annotations"]["owner"] == "the Service's"


def test_pods_have_the_common_labels_and_selectors_do_not() -> None:
    (deployment,) = [item for item in built(DOCUMENTS[0], **COMMON) if item["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["cell"] == "inference"
    assert "owner" not in template["metadata"]["annotations"]
    assert deployment["spec"]["selector"] == {"matchLabels": selector("every-field")}


def test_without_common_metadata_every_object_is_as_its_builder_made_it() -> None:
    router = Router(
        {**DOCUMENTS[0], "spec": {**DOCUMENTS[0]["spec"], **dict.fromkeys(COMMON, None)}}
    )
    found = facts(router, "kubernetes")
    each = [
        item
        for listed in registry.BUILDERS.values()
        for make in listed
        for item in make(router, found)
    ]
    assert registry.build(router, found) == each
