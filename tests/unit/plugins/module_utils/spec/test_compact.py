from __future__ import annotations

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.compact import (
    compact,
    given,
)


def test_nulls_are_dropped_at_every_depth():
    assert compact({"a": None, "b": [{"c": None, "d": 0}]}) == {"b": [{"d": 0}]}


def test_false_zero_and_empty_are_values():
    value = {"a": False, "b": 0, "c": "", "d": [], "e": {}}

    assert compact(value) == value


def test_nothing_is_shared_with_the_original():
    original = {"list": [{"key": "value"}]}

    copy = compact(original)
    copy["list"][0]["key"] = "changed"
    copy["list"].append("more")

    assert original == {"list": [{"key": "value"}]}


def test_given_takes_only_what_was_set_to_something():
    spec = {"nodeSelector": {"disk": "ssd"}, "tolerations": [], "affinity": None}

    assert given(spec, "nodeSelector", "tolerations", "affinity", "absent") == {
        "nodeSelector": {"disk": "ssd"}
    }
