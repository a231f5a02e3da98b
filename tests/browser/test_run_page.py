"""A run's page while one looks: what was logged is drawn and grows, settings are told, a click leads to a layer."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import httpx2
import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser.training import HEADERS, LAYERS, Training
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"
SPARK = "decodeURIComponent(document.querySelector('[data-spark=loss]').style.getPropertyValue('--m'))"
LAST = "() => document.querySelector('#g-metric-accuracy .js-plotly-plot')?._fullData[2].x.at(-1)"


def start(address: str, run_id: str, **more: object) -> None:
    """Begin a run; the training of the same id that follows changes nothing of it."""
    message = coding.encode(RunStart(project="pages", name=f"net {run_id}", started_at=time.time(), **more))
    httpx2.put(f"{address}/api/v1/runs/{run_id}", content=message, headers=HEADERS).raise_for_status()


def test_a_logged_accuracy_is_drawn_and_grows(page: Page, address: str) -> None:
    training = Training(address, "accurate", more={"accuracy": lambda step: 1 - 1 / (1 + step)})
    training.train(60)
    page.goto(f"{address}/runs/accurate")
    page.wait_for_selector("#g-metric-accuracy .js-plotly-plot .scatterlayer .js-line")
    assert page.evaluate(LAST) == 59
    page.locator("#metrics").scroll_into_view_if_needed()
    for _ in range(3):
        training.train(30)
    page.wait_for_function(f"({LAST})() === 149")


def test_what_watching_costs_is_told_and_kept_up(page: Page, address: str) -> None:
    training = Training(address, "costly", more={"overhead_fraction": lambda step: (step + 1) / 4000})
    training.train(30)
    page.goto(f"{address}/runs/costly")
    tile = page.locator(".tv-kpi", has_text="Overhead")
    expect(tile.locator(".tv-kpi-row")).to_have_text("0.75%")
    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(30)
    expect(tile.locator(".tv-kpi-row")).to_have_text("1.50%")


def test_a_page_opened_before_the_first_metric_fills_itself(page: Page, address: str) -> None:
    start(address, "early")
    page.goto(f"{address}/runs/early")
    expect(page.locator("#loss-title")).to_have_text("Loss")
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator("#metrics")).to_be_empty()
    Training(address, "early", more={"accuracy": lambda step: step, "val_loss": lambda step: 2.0}).train(60)
    page.wait_for_function(f"({LAST})() === 59")
    expect(page.locator("#loss-key")).to_contain_text("validation")


def test_metrics_whose_names_are_alike_have_a_chart_each(page: Page, address: str) -> None:
    Training(address, "alike", more={"a.b": lambda step: 1.0, "a-b": lambda step: 2.0, "{a}": lambda step: 3.0}).train(
        9
    )
    page.goto(f"{address}/runs/alike")
    expect(page.locator("#metrics .js-plotly-plot")).to_have_count(3)
    drawn = "() => [...document.querySelectorAll('#metrics .js-plotly-plot')].map(plot => plot._fullData[2].y[0])"
    assert sorted(page.evaluate(drawn)) == [1, 2, 3]


def test_settings_are_read_and_the_environment_unfolds(page: Page, address: str) -> None:
    long = "a long prompt " * 40
    config = {"optimizer": {"betas": [0.9, 0.999]}, "seed": None, "prompt": long.strip()}
    start(address, "told", config=config, environment={"host": "box", "command": ["train.py", "--name", "a b"]})
    Training(address, "told").train(3)
    page.goto(f"{address}/runs/told")
    card = page.locator(".tv-settings")
    expect(card.locator("tr", has_text="optimizer.betas")).to_contain_text("[0.9, 0.999]")
    expect(card.locator("tr", has_text="seed")).to_contain_text("None")
    cut = card.locator("td[title^='a long prompt']")
    expect(cut).to_have_attribute("title", long.strip())
    # asked in the page until it holds: the card may just be drawn anew
    page.wait_for_function(
        "() => Array.from(document.querySelectorAll('.tv-settings td')).some(at => at.scrollWidth > at.clientWidth)"
    )
    expect(card.get_by_text("train.py")).to_be_hidden()
    card.get_by_text("Environment").click()
    expect(card.get_by_text("train.py --name 'a b'")).to_be_visible()


def test_a_click_on_the_heatmap_opens_the_layer_under_it(page: Page, address: str) -> None:
    Training(address, "clicked").train(60)
    page.goto(f"{address}/runs/clicked")
    page.wait_for_selector("#g-heat .js-plotly-plot .heatmaplayer image")
    plot = page.locator("#g-heat .nsewdrag").first
    box = plot.bounding_box()
    assert box is not None
    row = LAYERS.index("blocks.2.mlp")
    plot.click(position={"x": box["width"] / 2, "y": box["height"] * (row + 0.5) / len(LAYERS)})
    expect(page.locator(".mantine-Drawer-title")).to_have_text("blocks.2.mlp")
    expect(page.locator(".mantine-Drawer-body .js-plotly-plot").first).to_be_visible()


def test_a_run_is_named_and_timed_until_it_ends(page: Page, address: str) -> None:
    training = Training(address, "timed")
    training.train(30)
    page.goto(f"{address}/runs/timed")
    page.wait_for_selector(DRAWN)
    page.wait_for_function("document.title === '▶ Overview · net timed · trainvitals'")
    expect(page.locator(".tv-crumbs")).to_contain_text("net timed")
    expect(page.locator(".tv-id")).to_have_text("timed")
    before = page.locator("[data-elapsed]").inner_text()
    expect(page.locator("[data-elapsed]")).not_to_have_text(before)
    training.train(30)
    expect(page.locator("[data-live=step]")).to_have_text("59")
    training.end()
    expect(page.locator(".tv-meta")).to_contain_text("ran for")
    expect(page.locator("[data-elapsed]")).to_have_count(0)


def test_the_sparkline_of_the_loss_grows_evenly(page: Page, address: str) -> None:
    training = Training(address, "sparkling")
    training.train(480)
    page.goto(f"{address}/runs/sparkling")
    page.wait_for_selector(DRAWN)
    before = page.evaluate(f"() => {SPARK}")
    training.train(60)
    page.wait_for_function(f"before => {SPARK} !== before", arg=before)
    expect(page.locator("[data-live=step]")).to_have_text("539")
    across = [
        float(at.split(",")[0])
        for at in page.evaluate(f"() => {SPARK}.match(/points='([^']*)' fill='none'/)[1]").split()
    ]
    assert across[-1] == 131
    assert min(later - earlier for earlier, later in pairwise(across[:-1])) > 1


def test_a_figure_that_comes_late_gets_what_was_drawn_meanwhile(page: Page, address: str) -> None:
    training = Training(address, "overtaken")
    training.train(30)
    page.goto(f"{address}/runs/overtaken")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#live-word")).to_have_text("Live")
    plot = "document.querySelector('#g-loss .js-plotly-plot')"
    training.train(10)
    page.wait_for_function(f"() => {plot}._fullData[1].x.at(-1) === 39")
    page.evaluate(f"() => {{ window.late = structuredClone({{data: {plot}.data, layout: {plot}.layout}}); }}")
    training.train(20)
    page.wait_for_function(f"() => {plot}._fullData[1].x.at(-1) === 59")

    page.evaluate("() => dash_clientside.set_props('g-loss', {figure: window.late})")
    page.wait_for_function(f"() => {plot}._fullData[1].x.at(-1) === 59")  # of itself
    training.train(1)

    page.wait_for_function(f"() => {plot}._fullData[1].x.at(-1) === 60")
    assert page.evaluate(f"() => Array.from({plot}._fullData[1].x)") == list(range(61))


def test_numbers_that_come_late_do_not_stay_in_the_place_of_newer_ones(page: Page, address: str) -> None:
    training = Training(address, "numbers")
    training.train(30)
    page.goto(f"{address}/runs/numbers")
    expect(page.locator("#live-word")).to_have_text("Live")
    held: list[tuple[Route, APIResponse]] = []
    page.route(re.compile("_dash-update"), lambda route: held.append((route, route.fetch())))
    page.evaluate("() => dash_clientside.set_props('live-reload', {data: Date.now()})")
    deadline = time.monotonic() + 20
    while {"kpis", "run-head"} - {name for _, answer in held for name in answer.json()["response"]}:
        assert time.monotonic() < deadline, "the server does not draw them"
        page.wait_for_timeout(20)
    training.train(30)
    step, loss = page.locator("[data-live=step]"), page.locator("[data-kpi=loss]")
    expect(step).to_have_text("59")
    expect(loss).to_have_text("1.376")

    page.evaluate("() => document.querySelectorAll('[data-live=step], [data-kpi=loss]').forEach(at => at.id = 'old')")
    for route, answer in held:
        route.fulfill(response=answer)
    expect(page.locator("#old")).to_have_count(0)
    expect(step).to_have_text("59")
    expect(loss).to_have_text("1.376")


def test_what_a_run_did_while_its_page_was_on_its_way_is_shown(page: Page, address: str) -> None:
    training = Training(address, "fleeting")
    training.train(30)
    held: list[Route] = []
    page.route("**/plotly.min*.js*", lambda route: held.append(route))
    page.goto(f"{address}/runs/fleeting", wait_until="commit")
    expect(page.locator(".tv-meta")).to_contain_text("running for")
    training.train(30)
    training.end()
    expect(page.locator("#live-word")).to_have_text("Ended")
    assert held
    for route in held:
        route.continue_()

    page.wait_for_function("() => document.querySelector('#g-loss .js-plotly-plot')?._fullData?.[1].x.at(-1) === 59")
    expect(page.locator(".tv-meta")).to_contain_text("ran for")
