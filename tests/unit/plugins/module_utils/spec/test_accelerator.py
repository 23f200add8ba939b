"""A GPU is one field: the variant of the image and the device."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.facts import Facts
from ansible_collections.vllm.semantic_router.plugins.module_utils.objects.containers import (
    router_container,
)
from examples import router

DEFAULT = "ghcr.io/vllm-project/semantic-router/extproc"


def container(**spec: Any) -> dict[str, Any]:
    return router_container(router(**spec), Facts())


@pytest.mark.parametrize(("kind", "device"), [("cuda", "nvidia.com/gpu"), ("rocm", "amd.com/gpu")])
def test_it_chooses_the_image_and_asks_for_the_device(kind: str, device: str) -> None:
    built = container(accelerator={"type": kind, "count": 2}, image={"tag": "v1"})
    assert built["image"] == f"{DEFAULT}-{kind}:v1"
    assert built["resources"]["limits"][device] == 2
    assert {"cpu", "memory"} <= built["resources"]["limits"].keys()


@pytest.mark.parametrize(
    ("image", "used"),
    [
        ({"repository": "a.com/mine-rocm", "tag": "v1"}, "a.com/mine-rocm:v1"),
        ({"repository": f"a.com/b@sha256:{'0' * 64}"}, f"a.com/b@sha256:{'0' * 64}"),
        ({"repository": "a.com/mine", "tag": "v1", "imageRegistry": "r"}, "r/a.com/mine-rocm:v1"),
    ],
)
def test_what_names_an_image_of_its_own_is_left_as_it_is(image: dict[str, Any], used: str) -> None:
    assert container(accelerator={"type": "rocm"}, image=image)["image"] == used


def test_without_it_nothing_asks_for_a_device() -> None:
    assert container()["resources"]["limits"].keys() == {"cpu", "memory"}
