"""What the operator's own pod was told, and the routers are meant to have."""

from __future__ import annotations

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec import inherited


def test_nothing_is_inherited_of_what_is_not_meant_for_the_routers() -> None:
    assert inherited.chosen({"HOME": "/", "HTTPS_PROXY": "", "NO_PROXY": ".svc"}) == {}


def test_a_proxy_is_known_by_either_spelling_of_its_variable() -> None:
    environ = {"https_proxy": "http://a:1", "HTTP_PROXY": "http://b:1", "http_proxy": "http://c:1"}
    assert inherited.chosen(environ) == {"HTTPS_PROXY": "http://a:1", "HTTP_PROXY": "http://b:1"}


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://joe:p%40ss@proxy:3128", "http://***@proxy:3128"),
        ("joe:a@b@proxy:3128", "***@proxy:3128"),
        ("http://token@proxy", "http://***@proxy"),
    ],
)
def test_no_password_gets_further_than_the_operator(url: str, kept: str) -> None:
    found = inherited.chosen({"HTTPS_PROXY": url})
    assert found == {"HTTPS_PROXY": kept}
    assert inherited.is_withheld(kept)
    assert inherited.from_text(inherited.as_text(found)) == found


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[1]", '{"HTTPS_PROXY": 1}', '{"PATH": "/x"}', "[" * 100_000]
)
def test_what_somebody_else_has_written_counts_for_nothing(text: str) -> None:
    assert inherited.from_text(text) == {}


def test_nothing_is_no_annotation() -> None:
    assert inherited.as_text({}) == ""
