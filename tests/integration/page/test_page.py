"""The page of `kubectl sr ui` in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import site_look
from ansible_collections.vllm.semantic_router.plugins.module_utils.spec.problem import (
    Problem,
    RouterError,
)
from integration.page import site
from integration.page.site import Routers
from playwright.sync_api import Browser, FloatRect, Locator, Page, expect
from semantic_router_cli import page as program

pytestmark = pytest.mark.skipif(
    site_look.chromium() is None, reason="no Chromium here: the page is not looked at"
)
# The machine may have other things to do.
expect.set_options(timeout=60_000)
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 820}
# What is wrong with a page that asks somewhere else, or runs what its policy forbids, is said here.
Said = list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with site.browser() as started:
        yield started


@pytest.fixture
def routers() -> Routers:
    return Routers()


@pytest.fixture
def address(routers: Routers) -> Iterator[str]:
    with program.serving(routers) as found:
        yield found


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
def page(browser: Browser, address: str, said: Said) -> Iterator[Page]:
    with browser.new_context(viewport=DESK) as context:
        shown = context.new_page()
        shown.on("console", lambda message: said.append(message.text))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on(
            "request", lambda asked: said.append(asked.url) if _is_foreign(asked.url) else None
        )
        shown.goto(address)
        expect(card(shown, "router")).to_be_visible()
        yield shown


def _is_foreign(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:"))


def card(page: Page, key: str) -> Locator:
    return page.locator(f'.card[data-key="{key}"]')


def in_focus(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.key || document.activeElement.id"))


def widest(page: Page) -> list[str]:
    """What sticks out of the window, which would have to be scrolled sideways."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("body *:not(svg, svg *)")]
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => one.className || one.tagName)"""
    )
    return list(found)


def test_each_vertex_shows_its_condition_and_what_to_do(page: Page, said: Said) -> None:
    lost = card(page, "backend/llama")
    expect(lost).to_have_attribute("data-state", "broken")
    expect(lost).to_contain_text("ServiceNotFound")
    expect(lost).to_contain_text("spec.vllmEndpoints[1].backend.service: Create it")
    expect(card(page, "backend/qwen")).to_contain_text("10.1.2.4:8000 gets no requests: ejected")
    expect(card(page, "decision/law")).to_contain_text("See model llama3-70b")
    expect(card(page, "router")).to_contain_text("SomeBackendsUnresolved")
    expect(card(page, "model/phi-4-mini")).to_have_attribute("data-state", "ok")
    # The state is no colour only.
    expect(lost.locator(".head .unseen")).to_have_text("broken")
    assert said == []


def test_decisions_count_their_matches_and_say_so_where_nobody_counts(
    page: Page, routers: Routers
) -> None:
    code = card(page, "decision/code")
    expect(card(page, "decision/law").locator(".counts")).to_have_text("0\u00a0matches")
    expect(code.locator(".counts")).to_have_text(re.compile("[0-9,]+\u00a0matches"))
    expect(code.locator(".rate")).to_have_text(re.compile(".+/s"))

    routers.counts_decisions = False
    expect(code.locator(".counts")).to_be_hidden()
    expect(page.locator("#remarks")).to_contain_text("Decisions have no counts")


def test_what_changes_appears_and_takes_neither_focus_nor_place(
    page: Page, routers: Routers
) -> None:
    page.set_viewport_size({"width": 1360, "height": 420})
    card(page, "backend/qwen").focus()
    page.mouse.wheel(0, 90)
    page.wait_for_function("scrollY > 0")
    before = page.evaluate("scrollY")

    routers.degraded.clear()
    routers.ejected = False
    expect(card(page, "backend/llama")).to_have_attribute("data-state", "ok")
    expect(card(page, "backend/qwen").locator(".notes > li")).to_have_count(0)
    expect(page.locator("#states")).to_have_text("✓ 3 well")
    assert in_focus(page) == "backend/qwen"
    assert page.evaluate("scrollY") == before


def test_traffic_flows_where_requests_are_counted(page: Page) -> None:
    flowing = page.locator("path.flows")
    expect(flowing).to_have_count(3)
    assert {path.get_attribute("data-key") for path in flowing.all()} == {
        "router > decision/code",
        "decision/code > model/qwen3-8b",
        "model/qwen3-8b > backend/qwen",
    }
    expect(card(page, "model/qwen3-8b").locator(".rate")).to_contain_text("/s")
    expect(card(page, "model/phi-4-mini").locator(".rate")).to_be_empty()


def test_every_way_is_drawn_between_its_ends(page: Page) -> None:
    expect(page.locator("#ways path")).to_have_count(6 + 6 + 4)
    for path in page.locator("#ways path").all():
        source, target = (path.get_attribute("data-key") or "").split(" > ")
        box, start, end = map(box_of, (path, *(card(page, key) for key in (source, target))))
        # The stroke has a width of its own.
        assert box["x"] == pytest.approx(start["x"] + start["width"], abs=5)
        assert box["x"] + box["width"] == pytest.approx(end["x"], abs=5)


def box_of(shown: Locator) -> FloatRect:
    found = shown.bounding_box()
    assert found
    return found


def test_keys_walk_along_the_ways_and_show_them(page: Page) -> None:
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    walked = [in_focus(page)]
    for key in ("ArrowRight", "End", "ArrowUp", "ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        walked.append(in_focus(page))
    assert walked == [
        "router", "decision/default", "decision/smalltalk", "decision/medicine",
        "model/llama3-70b", "backend/llama", "model/llama3-70b",
    ]  # fmt: skip
    on = page.locator(".card.on").evaluate_all("all => all.map((one) => one.dataset.key)")
    assert set(on) == {
        "router", "decision/law", "decision/medicine", "model/llama3-70b", "backend/llama",
    }  # fmt: skip
    # One stop on the map, wherever one was last.
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert in_focus(page) == "model/llama3-70b"


def test_routers_are_chosen_by_keys_alone(page: Page) -> None:
    page.keyboard.press("/")
    assert in_focus(page) == "filter"
    page.keyboard.type("team-002")
    expect(page.locator("#routers a")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("ai / team-002")
    expect(card(page, "router")).to_contain_text("team-002")


def test_a_router_that_is_broken_is_found_among_two_hundred_at_once(
    page: Page, routers: Routers
) -> None:
    routers.names = Routers(200).names
    routers.degraded.add("team-137")
    expect(page.locator("#routers a")).to_have_count(200)
    began = time.monotonic()
    page.locator("#states button", has_text="broken").click()
    expect(page.locator("#routers a")).to_have_count(2)
    page.locator("#routers a", has_text="team-137").click()
    expect(page.locator("#title")).to_have_text("ai / team-137")
    expect(card(page, "backend/llama")).to_have_attribute("data-state", "broken")
    assert time.monotonic() - began < 5
    page.locator("#states button", has_text="broken").click()
    # All of them drawn anew: what one waits for a key.
    took = page.evaluate(
        "() => { const t = performance.now(); showRouters(); return performance.now() - t }"
    )
    assert took < 200
    page.fill("#filter", "SomeBackends 137")
    expect(page.locator("#shown")).to_have_text("1 of 200")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_in_light_and_dark(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (luminance(ground) > 0.5) is (scheme == "light")
    for selector in (
        ".head b",
        ".said",
        ".notes b",
        ".notes code",
        ".rate",
        "#clock",
        "small.reason",
    ):
        shown = page.locator(selector).first
        # Of what is behind it, as far as it is opaque.
        colours = shown.evaluate(
            """one => {
              const behind = [];
              for (let at = one; at; at = at.parentElement) {
                behind.push(getComputedStyle(at).backgroundColor);
              }
              const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
              const ink = canvas.getContext("2d", {willReadFrequently: true});
              for (const colour of behind.reverse()) {
                ink.fillStyle = colour; ink.fillRect(0, 0, 1, 1);
              }
              const under = [...ink.getImageData(0, 0, 1, 1).data];
              ink.fillStyle = getComputedStyle(one).color; ink.fillRect(0, 0, 1, 1);
              return [`rgb(${under})`, `rgb(${[...ink.getImageData(0, 0, 1, 1).data]})`];
            }"""
        )
        darker, lighter = sorted(map(luminance, colours))
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (selector, colours)


def luminance(colour: str) -> float:
    """As WCAG has it, of rgb(...)."""
    parts = [float(part) / 255 for part in colour.partition("(")[2].rstrip(")").split(",")[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("width", [320, 390, 768, 1100, 1360])
def test_nothing_sticks_out_at_any_width(page: Page, width: int) -> None:
    page.set_viewport_size({**PHONE, "width": width})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert widest(page) == []


def test_a_phone_reads_the_ways_in_words(page: Page) -> None:
    page.set_viewport_size(PHONE)
    expect(page.locator("#ways")).to_be_hidden()
    expect(card(page, "decision/law")).to_contain_text("Leads to llama3-70b")


def test_names_of_the_cluster_are_text_and_nothing_else(page: Page, routers: Routers) -> None:
    routers.names.append("<img src=x onerror=alert(1)>")
    expect(page.locator("#routers a").last).to_contain_text("<img src=x")
    assert page.locator("img").count() == 0


def test_what_is_old_is_called_old(page: Page, routers: Routers) -> None:
    routers.error = RouterError(
        Problem("", "", "the API server does not answer", "Check the network")
    )
    expect(page.locator("#banner")).to_contain_text("the API server does not answer")
    expect(page.locator("#clock")).to_contain_text("as of")
    routers.error = None
    expect(page.locator("#banner")).to_be_hidden()
    expect(page.locator("#clock")).to_contain_text("live")


def test_a_router_that_is_gone_is_called_gone(page: Page, routers: Routers) -> None:
    routers.names.remove("my-router")
    expect(page.locator("#banner")).to_contain_text("There is no router ai/my-router")
