"""The filter takes what crosses a playbook: plain dicts."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.filter.config import FilterModule
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts


def test_config_maps_is_a_filter_of_router_and_facts() -> None:
    router = {
        "apiVersion": "vllm.ai/v1alpha1",
        "kind": "SemanticRouter",
        "metadata": {"name": "my-router"},
        "spec": {"config": {"strategy": "priority"}},
    }
    built = FilterModule().filters()["config_maps"](router, Facts().as_dict())
    assert [manifest["metadata"]["name"] for manifest in built] == [
        "my-router-config",
        "my-router-envoy-config",
    ]
    assert "strategy: priority" in built[0]["data"]["config.yaml"]
