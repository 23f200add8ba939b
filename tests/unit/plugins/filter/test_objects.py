"""The filter on its own. What it builds is tested with the builders, and a real playbook of its
example in integration/test_filters.py."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.filter.objects import FilterModule
from filters import FACTS, MY_ROUTER, documentation

objects = FilterModule().filters()["objects"]


def assert_contains(whole: Any, part: Any) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            assert_contains(whole[key], value)
    else:
        assert whole == part


def test_the_documentation_shows_what_is_returned() -> None:
    sample = documentation()["RETURN"]["_value"]["sample"]
    built = objects(MY_ROUTER, FACTS, ["workload"])
    assert len(built) == len(sample)
    for manifest, shown in zip(built, sample, strict=True):
        assert_contains(manifest, shown)


def test_the_router_is_left_as_it_was() -> None:
    before = deepcopy(MY_ROUTER)
    for manifest in objects(MY_ROUTER, {}):
        manifest["metadata"]["labels"]["changed"] = "yes"
        manifest.clear()
    assert before == MY_ROUTER


def test_a_platform_decides_the_security_context() -> None:
    built = objects(MY_ROUTER, {"platform": "openshift"}, ["workload"])
    (deployment,) = [item for item in built if item["kind"] == "Deployment"]
    assert "securityContext" not in deployment["spec"]["template"]["spec"]


def test_facts_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TypeError, match="plattform"):
        objects(MY_ROUTER, {"plattform": "kubernetes"})


def test_all_concerns_are_those_of_each_after_another() -> None:
    concerns = documentation()["DOCUMENTATION"]["options"]["concerns"]["default"]
    each = [manifest for name in concerns for manifest in objects(MY_ROUTER, FACTS, [name])]
    assert objects(MY_ROUTER, FACTS) == each
    assert each


def test_a_concern_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(AnsibleFilterError, match=r"no concern networkin; there are .*networking"):
        objects(MY_ROUTER, FACTS, ["networkin"])
