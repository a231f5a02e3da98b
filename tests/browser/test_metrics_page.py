"""The page of metrics: all that was logged, of which what is looked at is drawn."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
MANY = 300
# from the top to the bottom and up again, faster than anything can be drawn
SWEEP = """() => new Promise(done => {
  const step = by => {
    const before = scrollY;
    scrollBy(0, by);
    if (scrollY === before && by < 0) done();
    else requestAnimationFrame(() => step(scrollY === before ? -by : by));
  };
  step(600);
})"""
DRAWN = "() => document.querySelectorAll('.tv-mc .js-plotly-plot').length"
# how far outside the window the farthest chart is, in windows
FARTHEST = """() => Math.max(...[...document.querySelectorAll('.tv-mc .js-plotly-plot')].map(plot => {
  const {top, bottom} = plot.getBoundingClientRect();
  return Math.max(-bottom, top - innerHeight, 0) / innerHeight;
}))"""
IN_VIEW_ARE_DRAWN = """() => [...document.querySelectorAll('.tv-mc')].filter(place => {
  const {top, bottom} = place.getBoundingClientRect();
  return bottom > 0 && top < innerHeight && bottom > top;
}).every(place => place.querySelector('.js-line'))"""
LINE = ".traces1-raw .js-line"
OF_LOSS = "document.querySelector('[data-metric=loss] .js-plotly-plot')"
LAST_X = f"() => {OF_LOSS}?._fullData?.[2]?.x.at(-1)"


def many(address: str, run_id: str) -> Training:
    """A training that logs about 300 metrics: 100 of a validation, 200 of layers; and the time."""
    groups = (("val/class", MANY // 3), ("train/layer", 2 * MANY // 3))
    names = [f"{group}{index}" for group, count in groups for index in range(count)]
    more = {name: partial(falling, at) for at, name in enumerate(names)}
    return Training(address, run_id, more={"elapsed_seconds": lambda step: step / 2, **more})


def falling(start: int, step: int) -> float:
    return 1.0 + start / (1 + step)


def place(page: Page, metric: str) -> Locator:
    return page.locator(f".tv-mc[data-metric='{metric}']")


def test_of_hundreds_of_metrics_what_is_near_the_window_is_drawn(page: Page, address: str) -> None:
    many(address, "many").train(50)
    page.goto(f"{address}/runs/many/metrics")
    expect(page.locator("#metrics-count")).to_have_text(f"{MANY + 4} metrics")
    page.wait_for_function(IN_VIEW_ARE_DRAWN)
    assert 4 <= page.evaluate(DRAWN) < 60
    assert page.locator(".tv-mg-count").all_text_contents() == ["4", "100", "200"]

    page.evaluate(SWEEP)
    page.wait_for_function(IN_VIEW_ARE_DRAWN)
    place(page, "val/class99").scroll_into_view_if_needed()
    page.wait_for_function(IN_VIEW_ARE_DRAWN)
    expect(place(page, "val/class99").locator(LINE)).to_have_count(1)
    page.wait_for_function(f"() => ({DRAWN})() < 100 && ({FARTHEST})() < 4")
    expect(place(page, "loss").locator(".js-plotly-plot")).to_have_count(0)


def test_metrics_are_found_while_one_types_and_the_address_keeps_it(page: Page, address: str) -> None:
    many(address, "sought").train(20)
    page.goto(f"{address}/runs/sought/metrics")
    page.get_by_label("Search metrics by name").fill("class 77")
    expect(page.locator("#metrics-count")).to_have_text(f"1 of {MANY + 4} metrics")
    expect(page.locator(".tv-mc:visible")).to_have_count(1)
    expect(place(page, "val/class77").locator(LINE)).to_have_count(1)
    expect(page).to_have_url(re.compile(r"text=class"))
    page.reload()
    expect(page.locator(".tv-mc:visible")).to_have_count(1)
    page.get_by_label("Search metrics by name").fill("no such thing")
    expect(page.locator("#metrics-none")).to_be_visible()


def test_a_search_opens_a_group_that_was_folded_by_hand(page: Page, address: str) -> None:
    Training(address, "folded", more={"val/loss": lambda step: 2.0, "val/other": lambda step: 1.0}).train(20)
    page.goto(f"{address}/runs/folded/metrics")
    group, search = page.locator(".tv-mg[data-prefix='val/']"), page.get_by_label("Search metrics by name")
    expect(place(page, "val/other").locator(LINE)).to_have_count(1)
    group.locator("summary").click()
    expect(group).not_to_have_attribute("open", "")
    search.fill("other")
    expect(place(page, "val/other")).to_be_visible()
    expect(place(page, "val/loss")).to_be_hidden()
    expect(group).to_have_attribute("open", "")
    search.fill("")
    expect(group).not_to_have_attribute("open", "")


def test_charts_are_there_at_once_when_one_comes_back(page: Page, address: str) -> None:
    Training(address, "left").train(20)
    held: list[Route] = []
    asked = re.compile(r"_dash-update-component")
    page.route(asked, lambda route: hold(held, route))
    page.goto(f"{address}/runs/left/metrics")
    page.wait_for_selector(".tv-mc")
    wait_until(page, lambda: bool(held))
    page.locator(".tv-rail-a[href='/']").click()
    page.wait_for_selector("#runs-grid")
    page.unroute(asked)
    page.go_back()

    expect(place(page, "loss").locator(LINE)).to_have_count(1, timeout=10_000)


def hold(held: list[Route], route: Route) -> None:
    """Leave charts that were asked for without an answer."""
    if "metrics-asked" in (route.request.post_data or "").partition('"inputs"')[2].partition('"state"')[0]:
        held.append(route)
    else:
        route.continue_()


def wait_until(page: Page, is_so: Callable[[], bool]) -> None:
    while not is_so():
        page.wait_for_timeout(20)


def test_smoothing_and_axes_are_chosen_and_a_link_gives_the_same_view(page: Page, address: str) -> None:
    Training(address, "looked", more={"elapsed_seconds": lambda step: step / 2}).train(101)
    page.goto(f"{address}/runs/looked/metrics")
    page.wait_for_function(f"({LAST_X})() === 100")
    for choice in ("Much", "Log", "Time"):
        page.locator(".tv-mt label", has_text=choice).click()
    lines = f"{OF_LOSS}?._fullData?.length === 5 && {OF_LOSS}._fullData[2].x.at(-1) === 50"
    seen = f"() => {lines} && {OF_LOSS}._fullLayout.yaxis.type === 'log'"
    page.wait_for_function(seen)
    expect(page.locator("#metrics-key")).to_contain_text("exponential average")
    expect(page).to_have_url(re.compile(r"\?smooth=much&y=log&x=time$"))
    page.reload()
    page.wait_for_function(seen)


def test_metrics_are_drawn_by_epochs_where_these_are_logged(page: Page, address: str) -> None:
    training = Training(address, "by-epochs", more={"epoch": lambda step: step // 50})
    training.train(101)
    page.goto(f"{address}/runs/by-epochs/metrics?x=epoch")
    page.wait_for_function(f"({LAST_X})() === 2")
    expect(page.locator("[data-metric=loss] [role=img]")).to_have_attribute("aria-label", "Loss over epoch")
    training.train(50)
    page.wait_for_function(f"({LAST_X})() === 3")


def test_charts_and_numbers_grow_and_new_metrics_appear(page: Page, address: str) -> None:
    training = Training(address, "growing", more={"val/loss": lambda step: 2.0})
    training.train(40, loss=lambda step: 5.0)
    page.goto(f"{address}/runs/growing/metrics")
    expect(page.locator("#live-word")).to_have_text("Live")
    page.wait_for_function(f"({LAST_X})() === 39")

    training.train(40, loss=lambda step: 4.0 if step < 79 else 3.0)
    page.wait_for_function(f"({LAST_X})() === 79")
    numbers = place(page, "loss").locator(".tv-mc-n")
    expect(numbers).to_contain_text("last 3")
    expect(numbers).to_contain_text("min 3")
    expect(numbers).to_contain_text("max 5")

    training.more["val/accuracy"] = lambda step: 0.5
    training.train(10)
    expect(place(page, "val/accuracy").locator(LINE)).to_have_count(1)
    expect(page.locator("#metrics-count")).to_have_text("5 metrics")


def test_points_can_be_taken_away_as_csv(page: Page, address: str, tmp_path: Path) -> None:
    Training(address, "taken").train(30, loss=lambda step: float(step))
    page.goto(f"{address}/runs/taken/metrics")
    expect(place(page, "loss").locator(LINE)).to_have_count(1)
    page.get_by_role("button", name="Save or share: loss", exact=True).click()
    with page.expect_download() as started:
        page.get_by_role("menuitem", name="Points").click()
    assert started.value.suggested_filename == "taken-loss.csv"
    started.value.save_as(tmp_path / "loss.csv")
    rows = list(csv.DictReader((tmp_path / "loss.csv").read_text().splitlines()))
    assert [(int(row["step"]), float(row["value"])) for row in rows] == [(step, float(step)) for step in range(30)]


def test_the_overview_leads_to_all_metrics(page: Page, address: str) -> None:
    Training(address, "led", more={"accuracy": lambda step: 0.5}).train(20)
    page.goto(f"{address}/runs/led")
    page.get_by_role("link", name="All 4 metrics").click()
    expect(place(page, "accuracy")).to_be_visible()
