"""The page of a run's findings: lanes beneath the loss, one of them whole beside them, and what people do about it."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
NAN = "Non-finite values"
# how far apart, in pixels, step 0 of the loss and the left end of the lanes' axis are, and the right ends
APART = """() => {
  const plot = document.querySelector('#g-findings .js-plotly-plot'), axis = plot?._fullLayout?.xaxis;
  if (!axis) return [Infinity];  // not drawn yet
  const track = document.querySelector('.tv-lane-track').getBoundingClientRect();
  const left = plot.getBoundingClientRect().left + axis._offset;
  return [Math.abs(track.left - left), Math.abs(track.right - left - axis._length)];
}"""


def test_a_finding_is_chosen_acted_upon_and_stays_chosen_while_the_run_goes_on(page: Page, address: str) -> None:
    training = Training(address, "lanes")
    training.train(30)
    page.goto(f"{address}/runs/lanes/findings")
    expect(page.locator("#findings-none")).to_contain_text("rules concern this run, judged up to step 29")
    expect(page.locator("#findings-main")).to_be_hidden()

    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(5, loss=lambda step: float("nan"))
    lane = page.locator(".tv-lane", has_text=NAN)
    expect(lane).to_be_visible()
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    page.wait_for_function(f"() => ({APART})().every(pixels => pixels < 2)")

    lane.click()
    expect(lane).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#drawer")).not_to_be_visible()
    page.locator("#lane-said").fill("the labels of day 3")
    page.locator("#lane-acknowledge").click()
    expect(page.locator("#lane-history li").first).to_contain_text("acknowledged by somebody at step 34")
    expect(page.locator("#lane-history li").first).to_contain_text("the labels of day 3")
    expect(page.locator("#lane-said")).to_have_value("")
    expect(lane.locator(".tv-mark-acknowledged")).to_have_count(1)
    expect(page.locator("#findings-count")).to_have_text("1 acknowledged")

    address_of_it = page.url
    assert "finding=" in address_of_it
    page.reload()
    expect(page.locator(".tv-lane[aria-pressed=true]")).to_contain_text(NAN)


def test_filters_are_in_the_address_and_what_somebody_else_does_is_seen(page: Page, address: str) -> None:
    training = Training(address, "filtered")
    training.train(30)
    training.train(5, loss=lambda step: float("nan"))
    page.goto(f"{address}/runs/filtered/findings?state=resolved")
    expect(page.locator("#findings-lanes")).to_contain_text("take a filter away")
    expect(page.locator("#finding-whole")).to_contain_text("take a filter away")
    expect(page.locator("#lane-acknowledge")).to_be_hidden()

    page.locator(".tv-chips").get_by_text("Open", exact=True).click()
    expect(page.locator(".tv-lane")).to_have_count(1)
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    assert "state=resolved%2Copen" in page.url

    path = f"{address}/api/v1/runs/filtered/findings"
    (found,) = httpx2.get(path).json()["findings"]
    page.locator(".tv-lane").focus()
    httpx2.post(f"{path}/{found['finding_id']}", json={"act": "resolve", "by": "Ada"}).raise_for_status()
    expect(page.locator("#lane-history li").first).to_contain_text("resolved by Ada")
    expect(page.locator(".tv-lane.tv-lane-is-resolved")).to_be_focused()


def test_the_finding_that_is_shown_follows_the_filters(page: Page, address: str) -> None:
    training = Training(address, "followed")
    training.train(30)
    training.train(5, loss=lambda step: float("nan"))
    page.goto(f"{address}/runs/followed/findings")
    chips = page.locator(".tv-chips")
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    page.locator(".tv-lane").click()
    chips.get_by_text("Snoozed", exact=True).click()
    expect(page.locator("#finding-whole")).to_contain_text("take a filter away")
    expect(page.locator("#finding-whole h2")).to_have_count(0)
    expect(page.locator("#lane-acknowledge")).to_be_hidden()
    chips.get_by_text("Snoozed", exact=True).click()
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    expect(page.locator(".tv-lane[aria-pressed=true]")).to_contain_text(NAN)
    expect(page.locator("#lane-acknowledge")).to_be_visible()


def test_a_comment_on_one_finding_is_not_sent_with_another(page: Page, address: str) -> None:
    training = Training(address, "two")
    training.train(300)
    training.train(3, loss=lambda step: 500.0)
    training.train(60)
    training.train(5, loss=lambda step: float("nan"))
    page.goto(f"{address}/runs/two/findings")
    said, one, other = page.locator("#lane-said"), *(page.locator(".tv-lane", has_text=name) for name in (NAN, "spike"))
    one.click()
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    said.fill("of one")
    one.click()
    expect(said).to_have_value("of one")
    other.click()
    expect(page.locator("#finding-whole h2")).to_have_text("Loss spike")
    expect(said).to_have_value("")
    page.locator("#lane-acknowledge").click()
    expect(page.locator("#lane-history li").first).to_contain_text("acknowledged by somebody")
    expect(page.locator("#lane-history")).not_to_contain_text("of one")


def test_nothing_is_done_about_one_finding_while_another_is_on_its_way(page: Page, address: str) -> None:
    training = Training(address, "slow")
    training.train(300)
    training.train(3, loss=lambda step: 500.0)
    training.train(60)
    training.train(5, loss=lambda step: float("nan"))
    page.goto(f"{address}/runs/slow/findings")
    buttons, held = page.locator("#lane-buttons"), list[Route]()
    one, other = (page.locator(".tv-lane", has_text=name) for name in (NAN, "spike"))
    one.click()
    expect(page.locator("#finding-whole h2")).to_have_text(NAN)
    expect(buttons).not_to_have_attribute("inert", "")

    page.route("**/_dash-update-component", lambda route: held.append(route))
    other.click()
    expect(buttons).to_have_attribute("inert", "")
    page.unroute("**/_dash-update-component")
    for route in held:
        route.continue_()
    expect(page.locator("#finding-whole h2")).to_have_text("Loss spike")
    expect(buttons).not_to_have_attribute("inert", "")
    page.locator("#lane-acknowledge").click()
    expect(other.locator(".tv-mark-acknowledged")).to_have_count(1)
    expect(one.locator(".tv-mark-acknowledged")).to_have_count(0)


def test_a_phone_shows_lanes_without_scrolling_sideways(page: Page, address: str) -> None:
    training = Training(address, "small")
    training.train(30)
    training.train(5, loss=lambda step: float("nan"))
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{address}/runs/small/findings")
    expect(page.locator(".tv-lane")).to_be_visible()
    page.wait_for_function("() => document.documentElement.scrollWidth === 390")  # when the charts have followed
    page.wait_for_function(f"() => ({APART})().every(pixels => pixels < 2)")
