"""The axes of a run's charts while one looks: a lone point is seen, steps are whole, columns stand below the curve."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"
RANGE = "id => document.querySelector(`#${id} .js-plotly-plot`)._fullLayout.xaxis.range"
LAST = "() => document.querySelector('#g-loss .js-plotly-plot')._fullData[2].x.at(-1)"
TOGETHER = f"to => ['g-loss', 'g-heat'].every(id => JSON.stringify(({RANGE})(id)) === JSON.stringify([0, to]))"


def test_a_lone_point_is_seen_in_the_middle_and_becomes_a_line(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "lone", more={"accuracy": lambda step: 0.5})
    training.train(1)
    page.goto(f"{address}/runs/lone")
    charts = ("g-loss", "g-norm", "g-metric-accuracy")
    for chart in charts:
        expect(page.locator(f"#{chart} .scatterlayer .point")).to_have_count(1)
        expect(page.locator(f"#{chart} .xtick")).to_have_text(["0"])
    page.screenshot(path=artefacts / "lone.png")
    assert page.evaluate(RANGE, "g-loss") == page.evaluate(RANGE, "g-heat") == [-0.5, 0.5]

    training.train(3)
    page.wait_for_function(f"({LAST})() === 3")
    page.wait_for_function(TOGETHER, arg=3)
    page.locator("#g-metric-accuracy").scroll_into_view_if_needed()
    for chart in charts:
        expect(page.locator(f"#{chart} .scatterlayer .point")).to_have_count(0)
        expect(page.locator(f"#{chart} .xtick")).to_have_text(["0", "1", "2", "3"])


def test_a_first_point_that_comes_while_one_looks_is_seen(page: Page, address: str) -> None:
    training = Training(address, "first")
    page.goto(f"{address}/runs/first")
    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(1)
    expect(page.locator("#g-loss .scatterlayer .point")).to_have_count(1)
    expect(page.locator("#g-loss .xtick")).to_have_text(["0"])


def test_the_heatmap_ends_where_the_loss_does_whichever_goes_on(page: Page, address: str) -> None:
    training = Training(address, "aligned")
    training.train(60)
    training.train(20, watched=False)
    page.goto(f"{address}/runs/aligned")
    page.wait_for_selector(DRAWN)
    page.wait_for_selector("#g-heat .heatmaplayer image")
    page.wait_for_function(TOGETHER, arg=79)
    training.train(20, watched=False)
    page.wait_for_function(TOGETHER, arg=99)
    training.train(20)
    page.wait_for_function(TOGETHER, arg=119)


def test_a_heatmap_that_is_newer_than_the_loss_takes_it_along(page: Page, address: str) -> None:
    training = Training(address, "newer")
    training.train(60)
    page.route_web_socket("**/api/v1/runs/newer/live*", lambda socket: socket.close())
    page.goto(f"{address}/runs/newer")
    page.wait_for_selector(DRAWN)
    page.wait_for_function(TOGETHER, arg=59)
    training.train(20)
    page.locator("#heat-stat").get_by_text("Gradient norm").click()
    page.wait_for_function(TOGETHER, arg=79)


def test_the_charts_of_a_run_that_has_ended_begin_where_the_first_of_them_does(page: Page, address: str) -> None:
    training = Training(address, "late")
    training.train(20, watched=False)
    training.train(40)
    training.end()
    page.goto(f"{address}/runs/late")
    page.wait_for_selector(DRAWN)
    page.wait_for_selector("#g-heat .heatmaplayer image")
    page.wait_for_function(TOGETHER, arg=59)


def test_a_chart_of_nothing_says_so_until_the_first_point_comes(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "bare")
    page.goto(f"{address}/runs/bare")
    empty = page.locator("#g-loss .annotation-text")
    expect(empty).to_have_text("no points")
    expect(page.locator("#g-loss .xtick")).to_have_count(0)
    page.screenshot(path=artefacts / "empty.png")

    training.train(30)
    expect(empty).to_have_count(0)
    expect(page.locator("#g-loss .xtick").first).to_be_visible()
