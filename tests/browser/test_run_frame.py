"""What all pages of a run have in common: the way between them, and what a chart says of its zoom."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


@pytest.fixture
def run(address: str) -> str:
    """The address of a run that goes on."""
    Training(address, "one", more={"accuracy": lambda step: step / 100}).train(200)
    return f"{address}/runs/one"


def test_the_way_between_the_pages_of_a_run_does_not_jump(page: Page, run: str) -> None:
    page.goto(run)
    tops = {}
    for word in ("Overview", "Findings", "Layers", "Metrics", "Notes"):
        page.get_by_role("link", name=word, exact=True).click()
        expect(page.locator(".tv-tab.on")).to_have_text(word)
        tops[word] = page.locator(".tv-tabs").evaluate("at => at.getBoundingClientRect().top")
    assert len(set(tops.values())) == 1, tops


def test_a_zoomed_chart_says_in_its_corner_how_to_see_all_again(page: Page, run: str) -> None:
    page.goto(f"{run}/metrics")
    plot = page.locator(".tv-mc .js-plotly-plot").first
    said = "at => getComputedStyle(at, ':after').content"
    at = plot.locator(".nsewdrag").first.bounding_box()
    assert at is not None
    assert plot.evaluate(said) == "none"
    page.mouse.move(at["x"] + 40, at["y"] + 20)
    page.mouse.down()
    page.mouse.move(at["x"] + 160, at["y"] + 24, steps=5)
    page.mouse.up()
    expect(plot).to_have_attribute("data-zoomed", "")
    assert "all steps" in plot.evaluate(said)
    expect(page.locator(".plotly-notifier")).to_have_count(0)
    page.mouse.dblclick(at["x"] + 100, at["y"] + 20)
    expect(plot).not_to_have_attribute("data-zoomed", "")


def test_a_phone_shows_where_tabs_are_cut(page: Page, run: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(run)
    tabs = page.locator(".tv-tabs")
    expect(tabs).to_be_visible()
    assert tabs.evaluate("at => at.scrollWidth > at.clientWidth")
    edges = []  # the right edge above the tabs, before and after the last one is scrolled to
    for left in (0, 10_000):
        tabs.evaluate("(at, left) => { at.scrollLeft = left }", left)
        at = tabs.bounding_box()
        assert at is not None
        shot = page.screenshot(clip={"x": at["x"] + at["width"] - 3, "y": at["y"] + 2, "width": 2, "height": 3})
        edges.append(shot)
    assert edges[0] != edges[1]


def test_the_rail_tells_of_keys(page: Page, run: str) -> None:
    page.goto(run)
    page.locator("#keys-told").click()
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Search on this page")


def test_a_comparison_says_that_its_lines_are_smoothed(page: Page, address: str) -> None:
    names = [f"r{number}" for number in range(10)]
    for name in names:
        Training(address, name).train(60)
    page.goto(f"{address}/compare?runs={','.join(names)}")
    said = page.get_by_text("lines are smoothed")
    expect(said).to_be_visible()
    page.get_by_role("switch", name="Smooth").click()
    expect(said).to_be_hidden()
    chips = page.locator(".tv-cmp-pick .mantine-MultiSelect-pillsList")
    assert chips.evaluate("at => at.scrollHeight <= at.clientHeight + 1"), "chips are cut"


def test_the_key_of_a_heatmap_names_what_is_not_finite_where_there_is_such(page: Page, address: str) -> None:
    for name, value in (("well", 1e-3), ("ill", math.nan)):
        Training(address, name).train(60, update_ratio=value)
        page.goto(f"{address}/runs/{name}")
        page.wait_for_selector("#heat-bar .tv-cbar")
        expect(page.locator("#heat-bar .tv-cbar-ill")).to_have_count(1 if name == "ill" else 0)
    expect(page.locator("#heat-bar")).to_contain_text("not finite")
