"""A fingerprint is the same as long as nothing that a run looks at is different."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.metadata import labels
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import Problem
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.router import Router
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.fingerprint import (
    fingerprint,
)
from ansible_collections.vllm.semantic_router.plugins.module_utils.status.situation import (
    Situation,
)

NOW = "2026-11-23T10:00:00Z"


def live(name: str, version: str, owner: str = "my-router") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "resourceVersion": version,
            "labels": labels(owner),
            "managedFields": [
                {"manager": "us", "time": NOW, "fieldsV1": {"f:data": {"f:time": {}}}}
            ],
        },
        "data": {"time": "noon"},
    }


def judged(reason: str, time: str = NOW) -> dict[str, Any]:
    verdict = {"type": "Admitted", "reason": reason, "lastTransitionTime": time}
    status = {"ingress": [{"conditions": [verdict]}]}
    return {**live("my-router", "8"), "kind": "Route", "status": status}


def measured(utilization: int) -> dict[str, Any]:
    status = {"currentMetrics": [{"resource": {"current": {"averageUtilization": utilization}}}]}
    return {**live("my-router", "9"), "kind": "HorizontalPodAutoscaler", "status": status}


@dataclass
class Seen:
    """All that a run looks at."""

    code: str = "one"
    router: dict[str, Any] = field(
        default_factory=lambda: {
            "metadata": {
                "name": "my-router",
                "uid": "1",
                "generation": 3,
                "resourceVersion": "70",
                "annotations": {"team": "a"},
            },
            "spec": {},
        }
    )
    facts: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    live: list[dict[str, Any]] = field(
        default_factory=lambda: [live("my-router-config", "7"), judged("Admitted"), measured(50)]
    )
    status: dict[str, Any] = field(default_factory=lambda: {"phase": "Running"})

    def fingerprint(self) -> str:
        facts = Facts.from_dict(self.facts)
        situation = Situation(Router(self.router), facts, self.problems)
        return fingerprint(self.code, situation, self.live, self.status)


def _set(path: str, value: Any) -> Callable[[Seen], None]:
    def change(seen: Seen) -> None:
        first, *rest = path.split(".")
        if not rest:
            setattr(seen, first, value)
            return
        target = getattr(seen, first)
        *parents, last = [int(key) if key.isdecimal() else key for key in rest]
        for key in parents:
            target = target[key]
        target[last] = value

    return change


def _ring(seen: Seen) -> None:
    metadata = seen.live[0]["metadata"]
    metadata["annotations"] = {"vllm.ai/doorbell": "7"}
    metadata["managedFields"].append({"manager": "wrapper-runner", "time": NOW})


def _measure_first(seen: Seen) -> None:
    entry = {"manager": "measurer", "subresource": "status", "fieldsV1": {"f:status": {}}}
    seen.live[2]["metadata"]["managedFields"].append(entry)


CHANGES = {
    "other code": _set("code", "two"),
    "an edited spec": _set("router.metadata.generation", 4),
    "a router made anew": _set("router.metadata.uid", "2"),
    "an annotation of ours": _set("router.metadata.annotations", {"vllm.ai/paused": "true"}),
    "another platform": _set("facts.platform", "openshift"),
    "a remark about the spec": _set("problems", [Problem("InvalidSpec", "spec.x", "y", "z")]),
    "an annotation of an object": _set("live.0.metadata.annotations", {"team": "a"}),
    "an edited object": _set("live.0.data.time", "midnight"),
    "another owner of a field": _set("live.0.metadata.managedFields.0.manager", "kubectl"),
    "another owner of an autoscaler's field": _set("live.2.metadata.managedFields.0.manager", "x"),
    "another verdict": _set("live.1", judged("HostAlreadyClaimed")),
    "an edited autoscaler": _set("live.2.spec", {"maxReplicas": 3}),
    "an object made anew": _set("live.0.metadata.uid", "another"),
    "an object that is gone": lambda seen: seen.live.pop(),
    "an object whose labels are gone": _set("live.0.metadata.labels", {}),
    "one object more": lambda seen: seen.live.append(live("leftover", "9")),
    "an edited status": _set("status.phase", "Pending"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_may_make_a_difference_makes_another_fingerprint(
    change: Callable[[Seen], None],
) -> None:
    seen = Seen()
    change(seen)
    assert seen.fingerprint() != Seen().fingerprint()


NO_CHANGES = {
    "an annotation of others": _set("router.metadata.annotations.team", "b"),
    "a label": _set("router.metadata.labels", {"stage": "test"}),
    "another order of objects": lambda seen: seen.live.reverse(),
    "an object of another router": lambda seen: seen.live.append(live("x", "1", "other")),
    "a write of the status alone": _set("router.metadata.resourceVersion", "71"),
    "another version of the same object": _set("live.0.metadata.resourceVersion", "9"),
    "the same object written again": _set("live.0.metadata.managedFields.0.time", "now"),
    "a ring at the doorbell": _ring,
    "the same verdict again": _set("live.1", judged("Admitted", "2026-11-23T11:00:00Z")),
    "what an autoscaler measures": _set("live.2", measured(70)),
    "what an autoscaler measures for the first time": _measure_first,
    "the fingerprint in the status": _set("status.fingerprint", "0" * 32),
}


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_makes_no_difference_leaves_it_the_same(change: Callable[[Seen], None]) -> None:
    seen = deepcopy(Seen())
    change(seen)
    assert seen.fingerprint() == Seen().fingerprint()
