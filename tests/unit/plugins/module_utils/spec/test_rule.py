"""The CRD's rules against objects; every wrong one is in tests/bad_input."""

from __future__ import annotations

from typing import Any

from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import crd, rule


def said(spec: dict[str, Any]) -> list[str]:
    resource = {"metadata": {"name": "a"}, "spec": crd.with_defaults(spec)}
    return [str(problem) for one in rule.rules() for problem in one.problems(resource)]


def test_a_broken_rule_is_told_with_the_field_what_stands_there_and_the_remedy() -> None:
    assert said({"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 2}}) == [
        "spec.autoscaling.minReplicas: it is 3: minReplicas is greater than maxReplicas. "
        "Raise maxReplicas or lower minReplicas."
    ]


def test_a_field_that_is_missing_is_told_by_its_rule_alone() -> None:
    entry = {"name": "a", "model": "a", "backend": {"type": "kserve"}}
    assert said({"vllmEndpoints": [entry]}) == [
        "spec.vllmEndpoints[0].backend.inferenceServiceName: type is kserve but "
        "inferenceServiceName is missing. Name the InferenceService."
    ]


def test_every_item_of_a_list_is_looked_at() -> None:
    both = {"value": "x", "valueFrom": {}}
    fields = [text.partition(":")[0] for text in said({"env": [both, {"value": "x"}, both]})]
    assert fields == ["spec.env[0].valueFrom", "spec.env[2].valueFrom"]


def test_null_is_what_an_api_server_makes_of_it_nothing() -> None:
    assert said({"auth": None, "gateway": {"mode": "router", "existingRef": None}}) == []


def test_no_rule_of_the_crd_is_left_out() -> None:
    def count(node: Any) -> int:
        if isinstance(node, list):
            return sum(map(count, node))
        if not isinstance(node, dict):
            return 0
        return len(node.get("x-kubernetes-validations", ())) + sum(map(count, node.values()))

    assert len(rule.rules()) == count(crd.schema())


def test_every_rule_blames_a_field_that_there_is() -> None:
    for one in rule.rules():
        node = crd.schema()
        for step in (*one.place, *one.field):
            if node is crd.schema()["properties"]["metadata"]:
                break
            node = node["items"] if step == "*" else node["properties"][step]
