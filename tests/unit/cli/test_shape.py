"""What is where something else should be is named by its place, with what to give."""

from __future__ import annotations

from typing import Any

import pytest
from semantic_router_cli import shape


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"config": True}, "config is a bool. Give an object."),
        (
            {"config": {"vllm_endpoints": [{"name": "a"}, 5]}},
            "config.vllm_endpoints[1] is a int. Give an object.",
        ),
        (
            {"config": {"model_config": {"x": {"preferred_endpoints": "a"}}}},
            "config.model_config.x.preferred_endpoints is a str. Give a list.",
        ),
        ({"image": {"tag": 0.4}}, "image.tag is a float. Give text."),
        ({"env": [None]}, "env[0] is empty. Remove it."),
    ],
)
def test_the_first_mistake_is_named(values: dict[str, Any], says: str) -> None:
    assert shape.mistake(values, shape.OF_VALUES) == says


def test_what_is_not_there_or_unknown_or_null_is_none() -> None:
    values = {"config": None, "image": {"tag": None}, "of-somebody": [1], "envFromSecrets": [{}, 1]}
    assert shape.mistake(values, shape.OF_VALUES) == ""
