"""Where a URL leads."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.url import (
    Url,
    parsed,
)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.openai.com/v1", Url("https", "api.openai.com", 443, "/v1")),
        ("http://models.example:8080", Url("http", "models.example", 8080)),
        ("https://user:password@models.example", None),
        ("https://models.example:99999", None),
        ("https://models.example:0", None),
        ("ftp://models.example", None),
        ("https://", None),
        ("https://[", None),
        ("models.example", None),
        (None, None),
        (["https://models.example"], None),
    ],
)
def test_a_url_leads_to_a_host_or_is_none(text: Any, url: Url | None) -> None:
    assert parsed(text) == url
