"""Which pages are meant; tests/integration/data_path/test_auth.py asks as a browser does."""

from __future__ import annotations

import re

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.envoy import cors
from examples import router


def matches(origin: str) -> dict[str, object]:
    policy = cors.policy(router(cors={"allowOrigins": [origin]}))
    (found,) = policy["typed_per_filter_config"][cors.CORS]["allow_origin_string_match"]
    return dict(found)


def test_unset_there_is_neither_filter_nor_policy() -> None:
    assert cors.filters(router()) == []
    assert cors.policy(router()) == {}


@pytest.mark.parametrize("origin", ["*", "https://chat.example.com", "http://localhost:3000"])
def test_an_origin_is_itself(origin: str) -> None:
    assert matches(origin) == {"exact": origin}


def test_a_star_is_any_number_of_steps_and_at_least_one() -> None:
    regex = str(matches("https://*.example.com:8443")["safe_regex"]["regex"])  # type: ignore[index]
    for page in ("https://a.example.com:8443", "https://a.b-c.example.com:8443"):
        assert re.fullmatch(regex, page)
    for page in (
        "https://example.com:8443",
        "https://.example.com:8443",
        "https://a.example.com",
        "http://a.example.com:8443",
        "https://a.examplexcom:8443",
        "https://a/b.example.com:8443",
    ):
        assert not re.fullmatch(regex, page)
