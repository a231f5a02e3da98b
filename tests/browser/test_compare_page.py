"""Runs are compared in a browser: chosen, hidden, held against a baseline, and the address keeps it all."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
DRAWN = "#g-compare .js-plotly-plot .scatterlayer .js-line"
PLOT = "document.querySelector('#g-compare .js-plotly-plot')"
# [the run's place, what all points of its line are]
DIFFERS = f"""([place, value]) => {{
  const line = ({PLOT}._fullData || []).find(trace => trace.uid.endsWith(`-line-run${{place}}`));
  return line && line.y.length && Array.from(line.y).every(y => Math.abs(y - value) < 1e-3);
}}"""


def train(address: str, *names: str, steps: int = 60) -> None:
    for place, name in enumerate(names):
        Training(address, name).train(steps, loss=lambda step, place=place: 3.0 + place - step / 100)


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def test_runs_are_found_by_name_and_the_address_keeps_them(page: Page, address: str) -> None:
    train(address, "one", "two", "three")
    page.goto(f"{address}/compare")
    expect(page.get_by_text("Nothing chosen")).to_be_visible()
    for name in ("two", "three"):
        page.get_by_label("Runs", exact=True).first.fill(f"net {name}")
        page.get_by_role("option", name=f"net {name}").click()
        expect(page.locator(f"[data-compare-run={name}]")).to_be_visible()
    expect(page.locator("[data-compare-run=three]")).to_contain_text("+1")
    assert query(page) == {"runs": ["two,three"]}

    page.reload()
    expect(page.locator("[data-compare-run]")).to_have_count(2)
    expect(page.locator("[data-compare-run=two]")).to_contain_text("baseline")


def test_another_baseline_turns_the_differences_round(page: Page, address: str) -> None:
    train(address, "one", "two")
    page.goto(f"{address}/compare?runs=one,two")
    page.wait_for_selector(DRAWN)
    page.get_by_text("Difference", exact=True).click()
    expect(page.locator("#compare-title")).to_have_text("Loss, minus that of net one")
    page.wait_for_function(DIFFERS, arg=[1, 1.0])
    expect(page.locator("#compare-log")).to_be_disabled()

    page.get_by_label("Baseline", exact=True).first.click()
    page.get_by_role("option", name="net two").click()
    expect(page.locator("#compare-title")).to_have_text("Loss, minus that of net two")
    expect(page.locator("[data-compare-run=one]")).to_contain_text("−1")
    page.wait_for_function(DIFFERS, arg=[0, -1.0])
    assert (query(page)["baseline"], query(page)["show"]) == (["two"], ["difference"])


def test_a_click_hides_a_curve_and_pointing_at_a_run_dims_the_others(page: Page, address: str) -> None:
    train(address, "one", "two")
    page.goto(f"{address}/compare?runs=one,two")
    page.wait_for_selector(DRAWN)
    page.locator("[data-compare-run=one]").hover()
    expect(page.locator("#g-compare g.traces2-line-run1")).to_have_class(re.compile("tv-cmp-faint"))
    expect(page.locator("#g-compare g.traces1-line-run0")).not_to_have_class(re.compile("tv-cmp-faint"))

    page.locator("[data-compare-run=two]").click()
    expect(page.locator("[data-compare-run=two]")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#g-compare g.traces2-line-run1")).to_have_count(0)
    page.reload()
    page.wait_for_selector(DRAWN)
    expect(page.locator("[data-compare-run=two]")).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#g-compare g.traces2-line-run1")).to_have_count(0)


def test_two_runs_are_held_against_each_other_layer_by_layer(page: Page, address: str) -> None:
    train(address, "one", "two")
    page.goto(f"{address}/compare?runs=one,two")
    expect(page.get_by_text("The losses part from step 0 on")).to_be_visible()
    expect(page.locator("#g-pair .heatmaplayer image").first).to_be_visible()
    expect(page.locator("#pair-said")).to_contain_text("8 layers and steps 0 to 59")

    page.get_by_label("Stat of the layers").first.click()
    page.get_by_role("option", name="Update ratio").click()
    page.wait_for_function("() => location.search.includes('stat=update_ratio')")
    expect(page.locator("#g-pair .heatmaplayer image").first).to_be_visible()

    link = page.locator("#compare-settings").get_by_role("link", name="net two")
    expect(link).to_have_attribute("href", "/runs/two")


def test_an_old_link_leads_here_and_what_is_missing_of_it_is_named(page: Page, address: str) -> None:
    train(address, "one", "two", "three", steps=5)
    Training(address, "more", more={"accuracy": lambda step: 0.5}).train(5)
    httpx2.delete(f"{address}/api/v1/runs/two").raise_for_status()
    page.goto(f"{address}/overlay?runs=more,two,one,three&metric=accuracy")

    expect(page.locator("h1")).to_have_text("Compare")
    expect(page.get_by_text("No longer there, deleted perhaps: two.")).to_be_visible()
    expect(page.get_by_text("accuracy is not logged by net one, net three.")).to_be_visible()
    expect(page.locator("[data-compare-run]")).to_have_count(3)
    expect(page.locator(".tv-rail-a.on")).to_have_attribute("href", "/compare")
    assert urlsplit(page.url).path == "/compare"


def test_a_run_that_is_deleted_while_one_looks_takes_its_column_along(page: Page, address: str) -> None:
    train(address, "one", "two")
    growing = Training(address, "three")
    growing.train(5)
    page.goto(f"{address}/compare?runs=one,two,three")
    page.wait_for_selector(DRAWN)
    expect(page.locator("html[data-live=on]")).to_have_count(1)
    httpx2.delete(f"{address}/api/v1/runs/one").raise_for_status()
    growing.train(5, loss=lambda step: 0.25)

    expect(page.get_by_text("No longer there, deleted perhaps: one.")).to_be_visible()
    heads = page.locator("#compare-settings thead a")
    expect(heads).to_have_text(["net two", "net three"])
    expect(page.locator("#compare-settings tbody").first.locator("tr").first.locator("td")).to_have_text(
        ["3.41", "0.25"]
    )
    expect(page.locator("[data-compare-run=two]")).to_contain_text("baseline")
    expect(page.get_by_label("Baseline", exact=True).first).to_have_value("net two")


def test_a_run_that_is_added_and_taken_away_at_once_is_not_drawn(page: Page, address: str) -> None:
    train(address, "one", "two")
    page.goto(f"{address}/compare?runs=one")
    page.wait_for_selector(DRAWN)
    page.evaluate("""async () => {
      const choose = value => dash_clientside.set_props('compare-runs', {value});
      choose(['one', 'two']);
      while (!location.search.includes('two')) await new Promise(requestAnimationFrame);
      choose(['one']);
    }""")

    page.wait_for_function("() => location.search === '?runs=one'")
    expect(page.locator("[data-compare-run]")).to_have_count(1)


def test_curves_and_numbers_grow_and_what_is_pointed_at_stays(page: Page, address: str) -> None:
    growing = Training(address, "one")
    growing.train(60)
    train(address, "two", steps=120)
    page.goto(f"{address}/compare?runs=one,two")
    page.wait_for_selector(DRAWN)
    expect(page.locator("html[data-live=on]")).to_have_count(1)
    page.locator("[data-compare-run=one]").focus()
    expect(page.locator("#pair-said")).to_contain_text("steps 0 to 59")
    faint = page.locator("#g-compare g.traces2-line-run1")
    expect(faint).to_have_class(re.compile("tv-cmp-faint"))
    growing.train(60, loss=lambda step: 0.25)

    expect(page.locator("[data-compare-run=one]")).to_contain_text("0.25")
    page.wait_for_function(f"() => {PLOT}._fullData.some(t => t.uid.endsWith('line-run0') && t.x.at(-1) === 119)")
    expect(page.locator("#compare-settings")).to_contain_text("119")
    expect(page.locator("#pair-said")).to_contain_text("steps 0 to 119")
    expect(page.locator("[data-compare-run=one]")).to_be_focused()
    expect(faint).to_have_class(re.compile("tv-cmp-faint"))


def test_many_runs_have_a_key_each_and_a_phone_does_not_scroll_sideways(page: Page, address: str) -> None:
    names = [f"r{place}" for place in range(12)]
    train(address, *names, steps=3)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/compare?runs={','.join(names)}")
    expect(page.locator("[data-compare-run]")).to_have_count(12)
    page.wait_for_selector(DRAWN)

    page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
    keys = page.evaluate(
        "[...document.querySelectorAll('.tv-cmp-rows .tv-cmp-sw')].map(key => key.getAttribute('style'))"
    )
    assert len(set(keys)) == 12
