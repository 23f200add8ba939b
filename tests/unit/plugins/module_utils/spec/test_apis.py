"""The optional APIs."""

from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import apis


def test_an_api_is_the_api_version_of_its_objects() -> None:
    assert str(apis.ROUTE) == "route.openshift.io/v1"


def test_a_group_that_is_served_in_other_versions_only_does_not_help() -> None:
    assert apis.GATEWAY.is_served({apis.GATEWAY.group: ["v1beta1", "v1"]})
    assert not apis.GATEWAY.is_served({apis.GATEWAY.group: ["v1beta1"]})
    assert not apis.GATEWAY.is_served({})
