"""The drawer of a run's page is a step of its own: it is in the address, and Back closes it."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import LAYERS, Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
TITLE = ".mantine-Drawer-title"
HEAT = "#g-heat .js-plotly-plot .heatmaplayer image"


@pytest.fixture
def sick(page: Page, address: str) -> str:
    """The address of a run with a finding, which is open in the browser."""
    training = Training(address, "sick")
    training.train(60, loss=lambda step: math.nan)
    training.end()
    page.goto(address)
    page.locator(".ag-row").get_by_role("link").first.click()
    expect(page.locator("#live-word")).to_have_text("Ended")
    page.wait_for_selector(HEAT)
    page.locator("#g-heat").evaluate("at => { at.isTheSamePlace = true }")
    return f"{address}/runs/sick"


def open_finding(page: Page) -> None:
    page.locator(".tv-tl-btn").first.click()
    expect(page.locator(TITLE)).to_have_text("Non-finite values")
    page.wait_for_function("() => location.search.includes('finding=')")


def test_back_closes_the_drawer_and_forward_opens_it_again(page: Page, sick: str) -> None:
    open_finding(page)
    page.go_back()
    expect(page.locator(TITLE)).to_be_hidden()
    assert page.url == sick
    page.go_forward()
    expect(page.locator(TITLE)).to_have_text("Non-finite values")
    page.go_back()
    expect(page.locator(TITLE)).to_be_hidden()
    assert page.locator("#g-heat").evaluate("at => at.isTheSamePlace"), "the page was drawn anew"
    page.go_back()
    expect(page.locator("h1")).to_have_text("Runs")


def test_escape_takes_the_step_to_the_drawer_back(page: Page, sick: str) -> None:
    for _ in range(2):
        open_finding(page)
        page.keyboard.press("Escape")
        expect(page.locator(TITLE)).to_be_hidden()
        page.wait_for_function("() => !location.search")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Runs")


def test_a_layer_that_a_click_on_the_heatmap_opens_is_in_the_address(page: Page, sick: str) -> None:
    page.locator("#g-heat .nsewdrag").first.click(position={"x": 200, "y": 8})
    expect(page.locator(TITLE)).to_have_text(LAYERS[0])
    page.wait_for_function(f"() => new URLSearchParams(location.search).get('layer') === '{LAYERS[0]}'")
    page.reload()
    expect(page.locator(TITLE)).to_have_text(LAYERS[0])
    page.keyboard.press("Escape")
    expect(page.locator(TITLE)).to_be_hidden()
    page.wait_for_function("() => !location.search")


def test_a_drawer_that_the_address_opened_is_closed_for_good(page: Page, sick: str) -> None:
    page.goto(f"{sick}?layer={LAYERS[2]}")
    expect(page.locator(TITLE)).to_have_text(LAYERS[2])
    page.keyboard.press("Escape")
    expect(page.locator(TITLE)).to_be_hidden()
    page.wait_for_function("() => !location.search")
    page.reload()
    page.wait_for_selector(HEAT)
    expect(page.locator(TITLE)).to_be_hidden()


def test_back_to_the_table_of_runs_finds_it_where_it_was_left(page: Page, address: str) -> None:
    for number in range(40):
        Training(address, f"r{number:02}")
    page.goto(f"{address}/?sort=name")
    expect(page.locator(".ag-row", has_text="net r00")).to_be_visible()
    page.locator(".ag-row", has_text="net r00").hover()
    page.mouse.wheel(0, 900)
    expect(page.locator(".ag-row", has_text="net r25")).to_be_in_viewport()
    page.wait_for_function("() => history.state && history.state.tvRow === 18")
    page.locator(".ag-row", has_text="net r25").get_by_role("link").first.click()
    expect(page.locator("h1")).to_have_text("net r25")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Runs")
    expect(page.locator(".ag-row", has_text="net r25")).to_be_in_viewport()
    expect(page.locator(".ag-row", has_text="net r18")).to_be_in_viewport()
