"""Whether a bundle says that it works without the internet follows from what it starts."""

from __future__ import annotations

import pytest
from olm_bundle import is_by_digests

PINNED = f"registry.test/a:v1@sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("images", "expected"),
    [((PINNED, PINNED), True), ((PINNED, "registry.test/a:v1"), False)],
)
def test_one_image_by_its_tag_is_enough_to_need_the_internet(
    images: tuple[str, ...], expected: bool
) -> None:
    related = [{"name": str(number), "image": image} for number, image in enumerate(images)]
    assert is_by_digests(related) is expected
