"""What a bundle says of itself: where it works, and whether it needs the internet there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
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


def test_the_catalog_shows_it_where_the_guide_says_that_it_works() -> None:
    checkout = Path(__file__).parents[4]
    told = yaml.safe_load((checkout / "bundle" / "metadata" / "annotations.yaml").read_text())
    guide = (checkout / "docs" / "index.md").read_text("utf-8")
    (oldest,) = re.findall(r"OpenShift (\d+\.\d+), or newer", guide)
    assert told["annotations"]["com.redhat.openshift.versions"] == f"v{oldest}"
