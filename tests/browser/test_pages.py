"""The pages in a real browser, on the real server: runs appear, curves grow, findings show, nothing goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    # pytest-base-url, which pytest-playwright brings, declares its fixture in a way that pytest 10 will refuse
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

POINTS = "() => document.querySelector('#g-loss .js-plotly-plot')._fullData[2].x.length"
COLUMNS = "() => document.querySelector('#g-heat .js-plotly-plot')._fullData[0].z.length"
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"


def test_an_empty_server_teaches_how_to_send_the_first_run(page: Page, address: str, artefacts: Path) -> None:
    page.goto(address)
    expect(page.get_by_text("No runs yet")).to_be_visible()
    expect(page.locator("#first-run")).to_contain_text("import trainvitals")
    page.screenshot(path=artefacts / "runs-empty.png")


def test_the_runs_page_lists_a_run_and_leads_to_it(page: Page, address: str, artefacts: Path) -> None:
    Training(address, "first").train(50)
    page.goto(address)
    page.get_by_role("link", name="net first").click()
    expect(page.locator("h1")).to_have_text("net first")
    page.wait_for_selector(DRAWN)
    page.goto(address)
    expect(page.get_by_role("link", name="net first")).to_be_visible()
    page.screenshot(path=artefacts / "runs.png")
    expect(page.locator("#runs-count")).to_have_text("1 run")
    Training(address, "second").train(5)
    expect(page.locator("#runs-count")).to_have_text("2 runs")


def test_curves_and_heatmap_grow_while_one_looks(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "live")
    training.train(60)
    page.goto(f"{address}/runs/live")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#live-word")).to_have_text("Live")
    before, columns = page.evaluate(POINTS), page.evaluate(COLUMNS)
    for _ in range(4):
        training.train(30)
    page.wait_for_function(f"({POINTS})() > {before}")
    page.wait_for_function(f"({COLUMNS})() > {columns}")
    expect(page.locator("[data-live=step]")).to_have_text("179")
    page.screenshot(path=artefacts / "run.png")


def test_a_finding_shows_while_one_looks(page: Page, address: str, artefacts: Path) -> None:
    training = Training(address, "sick")
    training.train(60)
    page.goto(f"{address}/runs/sick")
    page.wait_for_selector(DRAWN)
    training.train(60, loss=lambda step: float("nan"))
    expect(page.locator(".tv-tl").first).to_be_visible(timeout=20_000)
    page.locator(".tv-tl-btn").first.click()
    expect(page.get_by_text("Evidence")).to_be_visible()
    page.screenshot(path=artefacts / "finding.png")


def test_an_open_finding_is_drawn_as_far_as_the_curve_while_one_looks(page: Page, address: str) -> None:
    training = Training(address, "lane")
    training.train(120, loss=lambda step: float("nan") if step > 60 else 1.0)
    page.goto(f"{address}/runs/lane")
    plot = "document.querySelector('#g-loss .js-plotly-plot')"
    lane = f"{plot}?.data.find(trace => trace.name === 'non_finite_values')"
    page.wait_for_function(f"() => {lane}?.x[1] === 119")
    training.train(30)
    page.wait_for_function(f"() => {lane}?.x[1] === 149")  # with the findings, of which the page knows now
    training.train(30)
    page.wait_for_function(f"() => {plot}._fullData[1].x.at(-1) === 179")
    assert page.evaluate(f"() => {lane}.x[1]") == 179


def test_a_comparison_shows_two_curves(page: Page, address: str, artefacts: Path) -> None:
    for name in ("one", "two"):
        Training(address, name).train(100)
    page.goto(f"{address}/compare?runs=one,two&metric=loss")
    page.wait_for_selector("#g-compare .js-plotly-plot .scatterlayer .js-line")
    names = page.evaluate("() => document.querySelector('#g-compare .js-plotly-plot')._fullData.map(t => t.name)")
    assert {"net one", "net two"} <= set(names)
    page.screenshot(path=artefacts / "compare.png")


def test_a_plot_takes_the_colours_of_the_scheme(page: Page, address: str) -> None:
    Training(address, "colours").train(60)
    page.goto(f"{address}/runs/colours")
    page.wait_for_selector(DRAWN)
    stroke = "() => getComputedStyle(document.querySelector('#g-loss .traces1-raw .js-line')).stroke"
    assert page.evaluate(stroke) == "rgb(86, 180, 233)"
    page.locator("#scheme").click()
    page.wait_for_function(f"({stroke})() === 'rgb(0, 114, 178)'")


def test_an_unknown_run_is_said_to_be_unknown(page: Page, address: str) -> None:
    page.goto(f"{address}/runs/nobody")
    expect(page.get_by_text("nobody")).to_be_visible()
