"""More runs than the table takes at once: it says so, and a search finds the others."""

from __future__ import annotations

import time

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS
from trainvitals.wire import coding
from trainvitals.wire.messages import RunStart

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
MANY = 505
PATIENCE_MS = 30_000.0


@pytest.fixture
def crowded(address: str) -> str:
    """The address of a server with many runs, the oldest of which is the needle."""
    now = time.time()
    with httpx2.Client(base_url=address, headers=HEADERS) as client:
        for number in range(MANY):
            name = f"straw {number}" if number else "needle"
            start = RunStart(project="haystack", name=name, started_at=now - MANY + number)
            client.put(f"/api/v1/runs/r{number}", content=coding.encode(start)).raise_for_status()
    return address


def test_of_many_runs_the_newest_are_listed_and_a_search_finds_the_others(page: Page, crowded: str) -> None:
    page.goto(crowded)
    expect(page.locator("#runs-count")).to_have_text(
        "newest 500 of 505 runs; search finds the others", timeout=PATIENCE_MS
    )
    page.locator(".ag-row", has_text="straw 504").locator("input[type=checkbox]").click()
    page.get_by_label("Search").fill("haystack needle")
    expect(page.get_by_role("link", name="needle", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#runs-count")).to_have_text("1 run matches", timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="Compare 1 run")).to_have_attribute("href", "/compare?runs=r504")

    page.get_by_label("Search").fill("straw")
    expect(page.locator("#runs-count")).to_have_text("newest 500 of 504 that match", timeout=PATIENCE_MS)
    page.get_by_label("Search").fill("")
    expect(page.locator("#runs-count")).to_have_text("newest 500 of 505 runs; search finds the others")


def test_an_address_with_a_search_in_it_finds_an_old_run(page: Page, crowded: str) -> None:
    page.goto(f"{crowded}/?text=needle")
    expect(page.get_by_role("link", name="needle", exact=True)).to_be_visible(timeout=PATIENCE_MS)
