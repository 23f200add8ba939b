"""The documentation's site, built and looked at: in Chromium, from a disk, and below any path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import site_links
import site_look

CHECKOUT = Path(__file__).parents[2]

# A hundred pages at two widths: half a minute on an idle machine, minutes on a busy one.
pytestmark = pytest.mark.timeout(600)

chromium = pytest.mark.skipif(
    site_look.chromium() is None, reason="no Chromium here: pages are not looked at"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("docs") / "site"
    subprocess.run(
        [Path(sys.executable).with_name("mkdocs"), "build", "--quiet", "--site-dir", place],
        cwd=CHECKOUT,
        check=True,
        timeout=120,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    return place


def test_no_link_of_the_site_leads_nowhere(site: Path) -> None:
    assert list(site_links.dangling(site)) == []


def test_no_page_asks_anybody_else_for_a_script_or_a_font(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert "unpkg.com" not in text, page
        assert '<script src="http' not in text, page
        assert "fonts.googleapis.com" not in text, page


def test_every_row_of_a_table_is_in_a_table(site: Path) -> None:
    """An empty line between its rows ends a table, and the rest is a paragraph full of bars."""
    for page in site.rglob("*.html"):
        assert "<p>| " not in page.read_text(encoding="utf-8"), page


@chromium
def test_every_page_can_be_read_on_a_desk_and_on_a_telephone(site: Path) -> None:
    seen = site_look.look(site)
    pages = {page.relative_to(site).as_posix() for page in site.rglob("*.html")}
    assert {(one.page, one.width) for one in seen} == {
        (page, width) for page in pages for width in site_look.WIDTHS
    }
    assert [f"{one.page} at {one.width}: {fault}" for one in seen for fault in one.faults()] == []


@chromium
def test_a_page_that_nobody_can_read_is_found(tmp_path: Path) -> None:
    entry = '<p class="md-ellipsis" style="width:9px;overflow:hidden">x.yzzzz'
    table = '<table style="width:40px;word-break:break-all"><tr><td>unbreakable</td></tr></table>'
    bodies = {
        "folded": table,
        "wide": '<p style="width:2000px">x</p>',
        "high": '<p style="height:40000px">x</p>',
        "image": '<img src="none.png">',
        "cut": f'<nav class="md-nav">{entry}',
        "fine": "<table><tr><td>fine</td></tr></table>",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.html").write_text(f"<!doctype html><article>{body}</article>")
    faults = {}
    for one in site_look.look(tmp_path, (390,)):
        faults[one.page.removesuffix(".html")] = " ".join(one.faults())
    assert "folds words of a table: unbreakable" in faults["folded"]
    assert "wider than the window" in faults["wide"]
    assert "px high" in faults["high"]
    assert "lacks images: none.png" in faults["image"]
    assert "cuts entries of a menu: x.yzzzz" in faults["cut"]
    assert not faults["fine"]


@chromium
def test_search_works_on_a_site_that_is_opened_from_a_disk(site: Path) -> None:
    page = site / "guide" / "storage.html"
    found = site_look.dom(f"{page.as_uri()}?q=tolerations")
    assert "reference/tolerations.html?h=tolerations" in found


@pytest.fixture
def below_a_path(site: Path, tmp_path: Path) -> Iterator[str]:
    """The site at /some/path/, by a server that shows 404.html of the site as GitHub Pages does."""
    shutil.copytree(site, tmp_path / "some" / "path")
    lost = (site / "404.html").read_bytes()

    class Handler(SimpleHTTPRequestHandler):
        def send_error(self, code: int, *_: object) -> None:
            self.send_response(code)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(lost)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with site_look.serving(tmp_path, Handler) as address:
        yield address


@chromium
@pytest.mark.parametrize("gone", ["some/path/gone.html", "some/path/guide/deep/er/gone.html"])
def test_the_page_for_what_does_not_exist_finds_the_site_from_anywhere(
    below_a_path: str, gone: str
) -> None:
    text = site_look.dom(f"{below_a_path}/{gone}")
    assert f'href="{below_a_path}/some/path/getting-started.html"' in text
    assert f'href="{below_a_path}/some/path/index.html"' in text


@chromium
def test_above_all_versions_it_leads_to_the_newest_release(
    below_a_path: str, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    listed = [{"version": "dev"}, {"version": "0.2", "aliases": ["latest"]}, {"version": "0.1"}]
    (tmp_path / "docs" / "versions.json").write_text(json.dumps(listed))
    text = site_look.dom(f"{below_a_path}/docs/gone/too.html")
    assert f'href="{below_a_path}/docs/0.2/getting-started.html"' in text


@chromium
def test_the_page_for_what_does_not_exist_says_so_where_there_is_no_site(below_a_path: str) -> None:
    assert '<p id="lost">' in site_look.dom(f"{below_a_path}/elsewhere/gone.html")
