"""People do something about a finding on its page, and who looks at the run sees it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


def test_a_finding_is_acknowledged_with_a_comment_and_resolved(page: Page, address: str) -> None:
    training = Training(address, "acted")
    training.train(30)
    training.train(5, loss=lambda step: float("nan"))
    page.goto(f"{address}/runs/acted")
    page.locator("#findings [data-finding]", has_text="Non-finite values").click()
    page.locator("#finding-said").fill("the labels of day 3")
    page.locator("#finding-acknowledge").click()
    history = page.locator(".tv-history li")
    expect(history.first).to_contain_text("acknowledged by somebody")
    expect(history.first).to_contain_text("the labels of day 3")
    expect(page.locator("#finding-acknowledge")).to_be_hidden()
    page.locator("#finding-resolve").click()
    expect(history).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("#findings .tv-tl-closed")).to_have_count(1)
    expect(page.locator(".tv-hword")).to_have_text("Little known yet")  # but no longer sick


def test_only_of_a_run_that_goes_on_a_finding_can_be_snoozed(page: Page, address: str) -> None:
    training = Training(address, "over")
    training.train(60, loss=lambda step: float("nan"))
    for offered in (1, 0):
        page.goto(f"{address}/runs/over")
        page.locator(".tv-tl-btn").first.click()
        expect(page.get_by_role("button", name="Acknowledge")).to_be_visible()
        expect(page.get_by_role("button", name="Snooze")).to_have_count(offered)
        training.end()
