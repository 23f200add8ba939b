"""What a webhook changes once it leaves alone the next time, or no operator could come to rest."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

from torture.webhooks import CHANGES, REFUSES, answer, changes

ROUTER = {"name": "router", "image": "example.org/r:1"}
DEPLOYMENT: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {"name": "a", "annotations": {"b": "c"}},
    "spec": {"template": {"spec": {"containers": [ROUTER]}}},
}
CONFIG_MAP: dict[str, Any] = {"kind": "ConfigMap", "metadata": {"name": "a"}}


def applied(item: dict[str, Any]) -> dict[str, Any]:
    """By the few operations that it uses."""
    changed = copy.deepcopy(item)
    for step in changes(item):
        *way, last = step["path"].strip("/").split("/")
        place: Any = changed
        for name in way:
            place = place[int(name) if isinstance(place, list) else name]
        if last == "-":
            place.append(step["value"])
        else:
            place[last] = step["value"]
    return changed


def test_a_deployment_gets_a_container_and_another_image() -> None:
    containers = applied(DEPLOYMENT)["spec"]["template"]["spec"]["containers"]

    assert [item["name"] for item in containers] == ["router", "guest"]
    assert containers[0]["image"] == "mirror.example.com/example.org/r:1"


def test_what_was_there_stays() -> None:
    assert applied(DEPLOYMENT)["metadata"]["annotations"]["b"] == "c"


def test_what_has_been_changed_is_left_alone() -> None:
    assert changes(applied(DEPLOYMENT)) == []
    assert changes(applied(CONFIG_MAP)) == []


def test_an_answer_is_to_the_question_that_was_asked() -> None:
    review = {"request": {"uid": "u1", "object": CONFIG_MAP}}

    refused = answer(REFUSES, review)["response"]
    changed = answer(CHANGES, review)["response"]

    assert (refused["uid"], refused["allowed"], "patch" in refused) == ("u1", False, False)
    assert changed["allowed"]
    assert json.loads(base64.b64decode(changed["patch"])) == changes(CONFIG_MAP)
