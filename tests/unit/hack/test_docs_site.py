"""What the site adds to the pages: links that leave docs/."""

from __future__ import annotations

import docs_site
import pytest

REPOSITORY = "https://example.com/repo"


@pytest.mark.parametrize(
    ("link", "place"),
    [
        ("../../config/samples", f"{REPOSITORY}/tree/main/config/samples"),
        ("../../watches.yaml", f"{REPOSITORY}/blob/main/watches.yaml"),
        ("config.md#sections", "config.md#sections"),
        ("../../no-such-file", "../../no-such-file"),
        ("https://example.com/x", "https://example.com/x"),
        ("#here", "#here"),
    ],
)
def test_links_out_of_the_site_lead_to_the_repository(link: str, place: str) -> None:
    text = docs_site.outward(f"[x]({link})", "guide/storage.md", REPOSITORY)
    assert text == f"[x]({place})"
