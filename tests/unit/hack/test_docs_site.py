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


def test_a_name_in_a_table_may_go_on_in_another_line_where_a_word_of_it_ends() -> None:
    cell = '<td class="x"><code>spec.image_tag</code> a.b <a href="x.html"><code>c</code></a></td>'
    seamed = cell.replace("spec.image_tag", "spec.<wbr>image_<wbr>tag")
    assert (
        docs_site.on_post_page(f"<p><code>a.b</code></p>{cell}")
        == f"<p><code>a.b</code></p>{seamed}"
    )


def test_a_name_in_a_menu_may_go_on_in_another_line_where_a_word_of_it_ends() -> None:
    entry = '<span class="md-ellipsis">\n  retry.perTryTimeout\n</span>'
    assert docs_site.on_post_page(entry) == entry.replace("y.perTryT", "y.<wbr>per<wbr>Try<wbr>T")


def test_a_flag_does_not_end_behind_its_dashes() -> None:
    told = docs_site.on_post_page("<p><code>kubectl explain sr --recursive</code> -a</p>")
    assert told == (
        '<p><code>kubectl explain sr <span class="flag">--recursive</span></code> -a</p>'
    )
