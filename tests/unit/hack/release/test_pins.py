"""No digest is made up: it is a registry's, or it is missing and a release says so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from release import pins

CHECKOUT = Path(__file__).parents[4]
DIGEST = f"sha256:{'a' * 64}"


def test_every_image_that_is_not_built_here_has_its_line_and_no_other() -> None:
    dockerfile = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    crd = yaml.load(
        (CHECKOUT / "config/crd/bases/vllm.ai_semanticrouters.yaml").read_text(encoding="utf-8"),
        Loader=yaml.CSafeLoader,
    )
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    defaults = [
        image["properties"]
        for image in (
            spec["properties"]["image"],
            spec["properties"]["envoy"]["properties"]["image"],
        )
    ]
    started = {f"{one['repository']['default']}:{one['tag']['default']}" for one in defaults}
    assert set(pins.read()) == {*bases, *started}


def test_what_is_in_the_file_is_a_digest_or_nothing() -> None:
    assert all(
        digest is None or re.fullmatch(r"sha256:[0-9a-f]{64}", digest)
        for digest in pins.read().values()
    )


def test_a_release_that_has_to_be_pinned_names_the_images_that_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        pins, "read", lambda: {"registry.test/a:1": None, "registry.test/b:1": DIGEST}
    )
    with pytest.raises(pins.NotPinned, match=r"^registry\.test/a:1: .*make pin-images"):
        pins.require_digests()


def test_an_image_is_pinned_by_its_digest_with_its_tag() -> None:
    assert pins.by_digest("a:1", {"a:1": DIGEST}) == f"a:1@{DIGEST}"
    assert pins.by_digest("a:1", {"a:1": None}) == "a:1"


def test_the_file_is_filled_with_what_the_registries_say() -> None:
    text = "---\n# why: so\na:1: null\nregistry.test:5000/b:2: sha256:old\n"
    said = {"a:1": DIGEST, "registry.test:5000/b:2": DIGEST}
    filled = pins.filled(text, lambda image: said[image])
    assert filled == f"---\n# why: so\na:1: {DIGEST}\nregistry.test:5000/b:2: {DIGEST}\n"


def test_an_answer_that_is_no_digest_is_not_written() -> None:
    with pytest.raises(pins.NotPinned, match="no digest"):
        pins.filled("a:1: null\n", lambda _: "latest")
