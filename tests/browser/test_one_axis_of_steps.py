"""The charts of a run have one axis of steps: one zoom, and one line at the step under the pointer."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
CHARTS = ("g-loss", "g-heat", "g-lr", "g-norm")
DRAWN = " && ".join(f"document.querySelector('#{chart} .js-plotly-plot')?._fullLayout" for chart in CHARTS)


def _range(chart: str) -> str:
    return f"document.querySelector('#{chart} .js-plotly-plot')._fullLayout.xaxis.range.map(Math.round).join('-')"


def _drag(page: Page, chart: str, *, low: float, high: float) -> None:
    """From one part of the axis to another."""
    box = page.locator(f"#{chart} .nsewdrag").first.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + low * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + high * box["width"], y, steps=5)
    page.mouse.up()


def _opened(page: Page, address: str, name: str, query: str = "") -> Training:
    training = Training(address, name)
    for _ in range(5):
        training.train(100)
    page.goto(f"{address}/runs/{name}{query}")
    page.wait_for_function(f"() => {DRAWN}")
    return training


@pytest.mark.parametrize("zoomed", ["g-loss", "g-heat"])
def test_who_zooms_into_one_chart_zooms_into_those_beside_it(page: Page, address: str, zoomed: str) -> None:
    _opened(page, address, f"zoomed{zoomed}")
    whole = page.evaluate(_range("g-loss"))
    _drag(page, zoomed, low=0.2, high=0.4)
    page.wait_for_function("() => location.search.includes('steps=')")
    first, last = page.evaluate("() => new URL(location.href).searchParams.get('steps')").split("-")
    assert 60 < int(first) < 140
    assert 160 < int(last) < 240
    for chart in CHARTS:
        page.wait_for_function(f"() => {_range(chart)} === '{first}-{last}'")
    told = page.get_by_role("button", name=f"Steps {first} to {last}: show all steps")
    expect(told).to_be_visible()

    told.click()
    for chart in CHARTS:
        page.wait_for_function(f"() => {_range(chart)} === '{whole}'")
    expect(told).to_be_hidden()
    assert "steps=" not in page.url


def test_an_address_leads_to_the_steps_that_were_looked_at(page: Page, address: str) -> None:
    training = _opened(page, address, "sent", "?steps=120-180")
    for chart in CHARTS:
        page.wait_for_function(f"() => {_range(chart)} === '120-180'")
    training.train(100)  # what comes after the steps in view does not move them
    expect(page.locator("[data-live=step]")).to_have_text("599")
    for chart in CHARTS:
        assert page.evaluate(_range(chart)) == "120-180"


def test_zooming_shows_snapshots_that_the_whole_run_is_too_long_for(page: Page, address: str) -> None:
    training = Training(address, "fine")
    for _ in range(16):
        training.train(100)
    page.goto(f"{address}/runs/fine")
    page.wait_for_function(f"() => {DRAWN}")
    spacing = "document.querySelector('#g-heat .js-plotly-plot').data[0].dx"
    assert page.evaluate(spacing) > 1
    _drag(page, "g-loss", low=0.5, high=0.6)
    page.wait_for_function(f"() => {spacing} === 1")
    page.locator("#g-heat .nsewdrag").first.hover()
    expect(page.locator("#g-heat .hovertext")).to_contain_text("1.0e-3")  # the value, not its logarithm


def test_the_pointer_is_followed_by_a_line_through_all_charts(page: Page, address: str) -> None:
    _opened(page, address, "pointed")
    page.locator("#g-heat .nsewdrag").first.hover()
    for chart in CHARTS:
        expect(page.locator(f"#{chart} .tv-cross")).to_be_visible()
    # at one step, wherever a chart's axis begins
    at = """chart => {
      const plot = document.querySelector(`#${chart} .js-plotly-plot`), axis = plot._fullLayout.xaxis;
      return axis.p2d(parseFloat(plot.parentElement.querySelector('.tv-cross').style.left) - axis._offset);
    }"""
    steps = [page.evaluate(at, chart) for chart in CHARTS]
    assert max(steps) - min(steps) < 1
    expect(page.locator("#g-lr .tv-cross b")).to_have_text("0.001")  # the value there
    page.locator("h1").hover()
    expect(page.locator(".tv-cross:visible")).to_have_count(0)
