"""A campaign would notice: each thing that is not as asked is told, and so is an old status."""

from __future__ import annotations

from typing import Any

import pytest
from torture.proxied import differs, generation_told, wanted

NUMBER = 3
ASKED = wanted("alpha", NUMBER)["spec"]


class Api:
    """Everything as asked, unless something was changed."""

    def __init__(self) -> None:
        template = {"metadata": {"annotations": ASKED["podAnnotations"]}}
        conditions = [{"type": "Ready", "status": "True"}]
        self.objects: dict[str, Any] = {
            "services": {"spec": {}},
            "deployments": {"spec": {"replicas": ASKED["replicas"], "template": template}},
            "configmaps": {"data": {"config.yaml": f"model: model-{NUMBER}"}},
            "ingresses": {"spec": {}},
            "semanticrouters": {
                "metadata": {"generation": 2},
                "status": {"observedGeneration": 2, "phase": "Running", "conditions": conditions},
            },
        }

    def find(self, path: str) -> Any:
        return self.objects[path.split("/")[-2]]


class Ground:
    def __init__(self) -> None:
        self.api = Api()

    def router_path(self, namespace: str, name: str) -> str:
        return f"/apis/vllm.ai/v1alpha1/namespaces/{namespace}/semanticrouters/{name}"


def seen(ground: Any) -> tuple[list[str], bool]:
    return differs(ground, "a", "alpha", NUMBER), generation_told(ground, "a", "alpha")[0]


def test_what_is_as_asked_is_right() -> None:
    assert seen(Ground()) == ([], True)


@pytest.mark.parametrize(
    ("kind", "live", "told"),
    [
        ("services", None, ["Service"]),
        ("deployments", {"spec": {"replicas": 3}}, ["replicas", "template"]),
        ("configmaps", {"data": {"config.yaml": "model: model-2"}}, ["config.yaml"]),
        ("ingresses", None, ["Ingress"]),
    ],
)
def test_an_object_that_is_not_as_asked_is_told(kind: str, live: Any, told: list[str]) -> None:
    ground = Ground()
    ground.api.objects[kind] = live
    assert seen(ground) == (told, True)


@pytest.mark.parametrize(
    "changed",
    [
        {"observedGeneration": 1},
        {"phase": "Pending"},
        {"conditions": [{"type": "Ready", "status": "False"}]},
    ],
)
def test_a_status_of_another_generation_or_verdict_is_no_claim(changed: dict[str, Any]) -> None:
    ground = Ground()
    ground.api.objects["semanticrouters"]["status"] |= changed
    assert seen(ground) == ([], False)
