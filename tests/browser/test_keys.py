"""Keys lead where clicks do, and none is heard while one types."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
OPEN = ".tv-tabs a[aria-current=page]"


def test_keys_lead_to_pages_of_the_run_to_its_search_and_back_to_all_runs(page: Page, address: str) -> None:
    Training(address, "keyed").train(30)
    page.goto(f"{address}/runs/keyed")
    expect(page.locator(OPEN)).to_have_text("Overview")

    page.keyboard.press("5")
    expect(page.locator(OPEN)).to_have_text("Metrics")
    expect(page.locator("#metrics-text")).to_be_visible()
    page.keyboard.press("/")
    expect(page.locator("#metrics-text")).to_be_focused()
    page.keyboard.type("1?t")
    expect(page.locator("#metrics-text")).to_have_value("1?t")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(OPEN)).to_have_text("Metrics")

    page.locator("#metrics-text").blur()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.locator("#runs-grid .ag-row").first).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("u")
    expect(page).to_have_url(f"{address}/rules")


def test_the_keys_are_told_by_one_of_them(page: Page, address: str) -> None:
    Training(address, "told").train(30)
    page.goto(f"{address}/runs/told")
    expect(page.locator(OPEN)).to_have_text("Overview")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Search on this page")

    page.keyboard.press("2")  # the page beneath is not to be left unseen
    expect(page.locator(OPEN)).to_have_text("Overview")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    scheme = page.locator("html").get_attribute("data-mantine-color-scheme")
    page.keyboard.press("t")
    expect(page.locator("html")).not_to_have_attribute("data-mantine-color-scheme", scheme or "")
