"""Ways between pages, what a run's page tells beside its curves, and what stands there when the server is gone."""

from __future__ import annotations

import math
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.training import LAYERS, Training
from tests.faults.conftest import Server
from tests.postgres import free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"


def test_back_leads_from_the_comparison_to_the_table_of_runs(page: Page, address: str) -> None:
    for name in ("one", "two"):
        Training(address, name).train(60)
    page.goto(address)
    for name in ("one", "two"):
        page.locator(".ag-row", has_text=f"net {name}").locator("input[type=checkbox]").click()
    page.get_by_role("link", name="Compare 2 runs").click()
    page.wait_for_selector("#g-compare .js-plotly-plot .scatterlayer .js-line")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Runs")


def test_a_choice_of_runs_outlives_sorting_searching_and_news(page: Page, address: str) -> None:
    trainings = [Training(address, name) for name in ("one", "two", "three")]
    for training in trainings:
        training.train(60)
    page.goto(address)
    page.locator(".ag-row", has_text="net two").locator("input[type=checkbox]").click()
    page.get_by_text("Step", exact=True).click()
    trainings[1].train(60)
    page.get_by_label("Search").fill("net")
    expect(page.locator(".ag-row", has_text="net two")).to_contain_text("119")
    expect(page.get_by_role("link", name="Compare 1 run")).to_have_attribute("href", "/compare?runs=two")
    expect(page.locator(".ag-row", has_text="net two").locator("input[type=checkbox]")).to_be_checked()


@pytest.mark.parametrize("clicks", [1, 2], ids=["rising", "falling"])
def test_runs_whose_loss_is_no_number_come_last(page: Page, address: str, clicks: int) -> None:
    for name, loss in (("low", 0.1), ("nan", math.nan), ("high", 9.0)):
        Training(address, name).train(3, loss=lambda step, loss=loss: loss)
    page.goto(address)
    header = page.locator(".ag-header-cell", has_text="Loss").first
    for _ in range(clicks):
        header.click()
    last = page.locator(".ag-row[row-index='2']")
    expect(last).to_contain_text("net nan")
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("net low" if clicks == 1 else "net high")


def test_everything_logged_is_drawn_and_the_settings_are_told(page: Page, address: str) -> None:
    training = Training(address, "talkative", more={"accuracy": lambda step: 1 - 1 / (1 + step)})
    training.train(60)
    page.goto(f"{address}/runs/talkative")
    page.wait_for_selector("#g-metric-accuracy .js-plotly-plot .scatterlayer .js-line")
    expect(page.locator(".tv-settings")).to_contain_text("optimizer.lr")
    expect(page.locator(".tv-crumbs")).to_contain_text("net talkative")
    page.wait_for_function("document.title === '▶ Overview · net talkative · trainvitals'")

    points = "() => document.querySelector('#g-metric-accuracy .js-plotly-plot')._fullData[2].x.length"
    before = page.evaluate(points)
    training.more["top5"] = lambda step: step / 100
    training.train(60)
    page.wait_for_function(f"({points})() > {before}")
    page.wait_for_selector("#g-metric-top5 .js-plotly-plot .scatterlayer .js-line")


def test_a_click_on_the_heatmap_opens_the_layer_and_another_page_closes_it(page: Page, address: str) -> None:
    Training(address, "layers").train(60)
    page.goto(f"{address}/runs/layers")
    page.wait_for_selector("#g-heat .js-plotly-plot .heatmaplayer image")
    page.locator("#g-heat .nsewdrag").first.click(position={"x": 200, "y": 8})
    expect(page.locator(".mantine-Drawer-title")).to_have_text(LAYERS[0])
    page.keyboard.press("Escape")
    expect(page.locator(".mantine-Drawer-title")).to_be_hidden()


def test_the_address_that_the_terminal_gives_opens_the_finding(page: Page, address: str) -> None:
    training = Training(address, "told")
    training.train(60, loss=lambda step: math.nan)
    training.end()
    found = httpx2.get(f"{address}/api/v1/runs/told/findings").json()["findings"][0]
    page.goto(f"{address}/runs/told?finding={found['finding_id']}")
    expect(page.locator(".mantine-Drawer-title")).to_have_text("Non-finite values")
    expect(page.locator(".mantine-Drawer-body")).to_contain_text(found["summary"])


def test_the_rule_of_a_finding_is_shown_without_the_drawer(page: Page, address: str) -> None:
    training = Training(address, "sick")
    training.train(60, loss=lambda step: math.nan)
    training.end()
    page.goto(f"{address}/runs/sick")
    expect(page.locator("#live-word")).to_have_text("Ended")
    page.locator(".tv-tl-btn").first.click()
    page.get_by_role("link", name="About this rule").click()
    expect(page.locator(".tv-prose h1")).to_have_text("Non-finite values")
    expect(page.locator(".mantine-Drawer-title")).to_be_hidden()


def test_a_drawer_that_was_closed_stays_closed_when_the_page_is_loaded_again(page: Page, address: str) -> None:
    training = Training(address, "closed")
    training.train(60, loss=lambda step: math.nan)
    training.end()
    page.goto(f"{address}/runs/closed")
    expect(page.locator("#live-word")).to_have_text("Ended")
    page.locator(".tv-tl-btn").first.click()
    expect(page.locator(".mantine-Drawer-title")).to_be_visible()
    assert "finding=" in page.url
    page.keyboard.press("Escape")
    expect(page.locator(".mantine-Drawer-title")).to_be_hidden()
    page.wait_for_function("() => !location.search.includes('finding=')")


def test_hover_text_can_be_read(page: Page, address: str) -> None:
    Training(address, "hover").train(60)
    page.goto(f"{address}/runs/hover")
    page.wait_for_selector(DRAWN)
    page.locator("#g-loss .nsewdrag").first.hover()
    text = page.locator("#g-loss .hoverlayer .hovertext text").first
    expect(text).to_contain_text("loss")
    assert text.evaluate("at => getComputedStyle(at).fillOpacity") == "1"


def test_says_that_the_server_is_gone_and_goes_on_when_it_is_back(context: BrowserContext, tmp_path: Path) -> None:
    page = context.new_page()  # whose console may complain of connections
    server = Server(data=tmp_path, port=free_port())
    server.start()
    try:
        training = Training(server.url, "steady")
        training.train(60)
        page.goto(f"{server.url}/runs/steady")
        expect(page.locator("#live-word")).to_have_text("Live")
        server.kill()
        expect(page.locator("#banner")).to_contain_text("does not answer", timeout=20_000)
        expect(page.locator("#live-word")).to_have_text("Reconnecting")
        server.start()
        training.train(60)
        expect(page.locator("#banner")).to_be_empty(timeout=30_000)
        expect(page.locator("[data-live=step]")).to_have_text("119", timeout=30_000)
    finally:
        server.close()


def test_a_phone_shows_run_health_and_loss(page: Page, address: str, artefacts: Path) -> None:
    Training(address, "small").train(60)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(address)
    expect(page.locator(".ag-row")).to_contain_text("net small")
    expect(page.locator(".ag-header-cell", has_text="Status")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=artefacts / "phone.png")
