"""The filters on their own. What they build is tested with the builders, and a real playbook of
their examples in integration/test_filters.py."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.vllm.semantic_router.plugins.filter.objects import FilterModule as Objects
from filters import ASKED, FACTS, FILTERS, MY_ROUTER, documentation


def assert_contains(whole: Any, part: Any) -> None:
    if isinstance(part, dict):
        for key, value in part.items():
            assert_contains(whole[key], value)
    elif isinstance(part, list):
        assert len(whole) == len(part)
        for item, value in zip(whole, part, strict=True):
            assert_contains(item, value)
    else:
        assert whole == part


@pytest.mark.parametrize("name", FILTERS)
def test_the_documentation_shows_what_is_returned(name: str):
    documented = documentation(name)

    assert documented["DOCUMENTATION"]["name"] == name
    asked = {**MY_ROUTER, "spec": {**MY_ROUTER["spec"], **ASKED.get(name, {})}}

    assert_contains(FILTERS[name](asked, FACTS), documented["RETURN"]["_value"]["sample"])


@pytest.mark.parametrize("name", FILTERS)
def test_the_router_is_left_as_it_was(name: str):
    before = deepcopy(MY_ROUTER)

    for manifest in FILTERS[name](MY_ROUTER, {}):
        manifest["metadata"]["labels"]["changed"] = "yes"
        manifest.clear()

    assert before == MY_ROUTER


def test_a_platform_decides_the_security_context():
    (on_openshift,) = FILTERS["deployment"](MY_ROUTER, {"platform": "openshift"})

    assert "securityContext" not in on_openshift["spec"]["template"]["spec"]


def test_facts_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match="plattform"):
        FILTERS["service"](MY_ROUTER, {"plattform": "kubernetes"})


def test_many_objects_are_what_their_own_filters_give():
    names = ["service", "deployment", "ingress"]

    built = Objects().filters()["objects"](MY_ROUTER, FACTS, names)

    assert built == [m for name in names for m in FILTERS[name](MY_ROUTER, FACTS)]


def test_an_object_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(AnsibleFilterError, match=r"no object servise; there are .*service"):
        Objects().filters()["objects"](MY_ROUTER, FACTS, ["servise"])
