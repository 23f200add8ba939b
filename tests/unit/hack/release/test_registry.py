"""A digest is what the registry says, or the image has none and the message says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from release.registry import Image, Registries, RegistryError
from stand_in_registry import INDEX, MANIFEST_LIST, Registry, serving

NAME = "team/router:v1"

Start = Callable[..., Registry]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def start_one(**options: Any) -> Registry:
            images = options.pop("images", {NAME: INDEX})
            return stack.enter_context(serving(Registry(images, **options)))

        yield start_one


def ask(found: Registry, name: str = NAME) -> str:
    return Registries(pause=0.0).digest(f"{found.address}/{name}")


@pytest.mark.parametrize("kind", [INDEX, MANIFEST_LIST])
@pytest.mark.parametrize("says_digest", [True, False])
def test_the_digest_is_that_of_the_index_with_a_token_that_anybody_gets(
    start: Start, kind: str, says_digest: bool
) -> None:
    found = start(images={NAME: kind}, says_digest=says_digest)
    assert ask(found) == found.digest(NAME)
    assert list(found.tokens.values())[:1] == ["repository:team/router:pull"]


def test_a_manifest_is_not_downloaded_where_its_digest_is_said(start: Start) -> None:
    found = start()
    ask(found)
    assert [line for line in found.asked if line.startswith("GET /v2/")] == []


def test_a_registry_that_has_enough_is_asked_again(start: Start) -> None:
    found = start(refuses=3)
    assert ask(found) == found.digest(NAME)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": {}}, "404 "),
        ({"refuses": 1000}, "429 "),
        ({"is_private": True}, "403 "),
    ],
)
def test_a_refusal_is_no_digest_and_names_the_image(
    start: Start, options: dict[str, Any], words: str
) -> None:
    found = start(**options)
    with pytest.raises(RegistryError, match=f"^{found.address}/{NAME}: .*({words})"):
        ask(found)


def test_a_page_is_no_image_though_it_has_a_digest(start: Start) -> None:
    found = start(answers_html=True)
    with pytest.raises(RegistryError, match="no image but 'text/html'"):
        ask(found)


def test_nobody_there_is_no_digest() -> None:
    with pytest.raises(RegistryError, match=r"^127\.0\.0\.1:1/a:1: "):
        Registries(pause=0.0, tries=0).digest("127.0.0.1:1/a:1")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("ghcr.io/a/b:v1", "https://ghcr.io/v2/a/b/manifests/v1"),
        ("docker.io/envoyproxy/envoy:v1", "https://registry-1.docker.io/v2/envoyproxy/envoy/manifests/v1"),
        ("docker.io/busybox:1", "https://registry-1.docker.io/v2/library/busybox/manifests/1"),
        ("localhost:5000/a:1", "http://localhost:5000/v2/a/manifests/1"),
    ],
)  # fmt: skip
def test_a_name_says_where_to_ask(name: str, url: str) -> None:
    assert Image.named(name).url == url


@pytest.mark.parametrize("name", ["envoy:v1", "team/envoy:v1", "ghcr.io/a/b", "ghcr.io:443/a/b@c"])
def test_a_name_that_leaves_something_out_is_not_guessed(name: str) -> None:
    with pytest.raises(RegistryError, match="give registry/repository:tag"):
        Image.named(name)
