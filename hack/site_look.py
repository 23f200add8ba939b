"""Looks at every page of the built site in Chromium, as wide as a desk and as a telephone.

    python hack/site_look.py build/site                   what is wrong, a line each
    python hack/site_look.py build/site --pictures DIR    a picture of each page and width, too

One browser sees all pages: a page of ours shows them one after the other in a frame, whose width is
what style sheets go by, measures what came of it, and posts that here. So a site of a hundred pages
takes seconds, and nothing beside Chromium.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

WIDTHS = (1280, 390)
# A page that is longer is not read but searched: the CRD reference on one page had 184,465 px.
MOST_HEIGHT = {1280: 20_000, 390: 32_000}
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEADLINE = 540

HARNESS = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Look:
    """One page at one width. ``wide``: pixels that have to be scrolled sideways."""

    page: str
    width: int
    height: int
    wide: int
    folded: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def faults(self) -> Iterator[str]:
        """What a reader would be annoyed by."""
        if self.wide:
            yield f"is {self.wide} px wider than the window"
        if self.outside:
            yield f"ends outside of the window: {', '.join(self.outside)}"
        if self.folded:
            yield f"folds words of a table: {', '.join(self.folded[:5])}"
        if self.cut:
            yield f"cuts entries of a menu: {', '.join(self.cut[:5])}"
        if self.images:
            yield f"lacks images: {', '.join(self.images)}"
        if self.height > MOST_HEIGHT.get(self.width, max(MOST_HEIGHT.values())):
            yield f"is {self.height} px high"


def chromium() -> str | None:
    """The browser's program, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def look(site: Path, widths: tuple[int, ...] = WIDTHS) -> list[Look]:
    """Every page of ``site`` at each width."""
    pages = [page.relative_to(site).as_posix() for page in sorted(site.rglob("*.html"))]
    plan = json.dumps({"pages": pages, "widths": widths})
    came = threading.Event()
    told: list[dict[str, Any]] = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/.look":
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(HARNESS.read_text("utf-8").replace("PLAN", plan).encode())

        def do_POST(self) -> None:
            told.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            came.set()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with serving(site, Handler) as address, browser(f"{address}/.look"):
        if not came.wait(DEADLINE):
            raise TimeoutError(f"Chromium told nothing of {site} within {DEADLINE} s")
    return [Look(**one) for one in told]


@contextmanager
def serving(site: Path, handler: type[SimpleHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server for the files of ``site``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def command(profile: str) -> list[str]:
    """Chromium without a window. In a container it is root, whom it gives no sandbox."""
    program = chromium()
    if program is None:
        raise FileNotFoundError(f"none of {', '.join(PROGRAMS)} is on PATH")
    return [
        *(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--hide-scrollbars", "--no-first-run", f"--user-data-dir={profile}"),
    ]


@contextmanager
def browser(address: str) -> Iterator[None]:
    """Chromium, showing ``address`` as long as this lasts."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*command(profile), "--window-size=1400,1000", "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def dom(address: str, *arguments: str, patience: int = 15_000) -> str:
    """The page at ``address`` once its scripts have had ``patience`` ms of its own time."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        done = subprocess.run(
            [
                *command(profile),
                *arguments,
                f"--virtual-time-budget={patience}",
                "--dump-dom",
                address,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def picture(page: Path, seen: Look, file: Path) -> None:
    """A picture of the whole page. A window of Chromium is never narrower than 500 px, so a narrow
    page is in a frame, and the frame's neighbour is cut off."""
    frame = (
        f'<body style="margin:0"><iframe src="{quote(page.resolve().as_uri(), safe="/:%#")}" '
        f'style="border:0" width="{seen.width}" height="{seen.height}"></iframe>'
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        around = Path(profile) / "frame.html"
        around.write_text(frame, encoding="utf-8")
        size = f"--window-size={max(500, seen.width)},{min(seen.height, 16_000)}"
        subprocess.run(
            [
                *command(profile),
                size,
                "--virtual-time-budget=3000",
                f"--screenshot={file}",
                str(around),
            ],
            capture_output=True,
            timeout=120,
            check=True,
        )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("--pictures", type=Path, help="directory for a picture of each page")
    parser.add_argument("--only", default="", help="pictures of pages with this in their path")
    asked = parser.parse_args()
    seen = look(asked.site)
    for one in seen:
        for fault in one.faults():
            print(f"{one.page}, {one.width} px wide, {fault}")
        if asked.pictures and asked.only in one.page:
            asked.pictures.mkdir(parents=True, exist_ok=True)
            name = f"{one.page.removesuffix('.html').replace('/', '_')}-{one.width}.png"
            picture(asked.site / one.page, one, asked.pictures / name)
    print(f"{len(seen)} looks at {len({one.page for one in seen})} pages")
    return int(any(fault for one in seen for fault in one.faults()))


if __name__ == "__main__":
    sys.exit(main())
