"""Links of a built site: which are called dangling."""

from __future__ import annotations

from pathlib import Path

import pytest
import site_links


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("b.html", True),
        ("b.html#there", True),
        ("b.html#gone", False),
        ("c.html", False),
        ("#own", True),
        ("#gone", False),
        (".", True),
        ("../outside.html", False),
        ("https://example.com/gone", True),
    ],
)
def test_a_link_leads_to_a_page_of_the_site_and_an_anchor_of_it(
    tmp_path: Path, link: str, leads: bool
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "outside.html").write_text("")
    (site / "index.html").write_text(f'<p id="own"><a href="{link}">x</a></p>')
    (site / "b.html").write_text('<h2 id="there">x</h2>')
    assert list(site_links.dangling(site)) == ([] if leads else [f"index.html: {link}"])
