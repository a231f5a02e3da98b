"""Where an address leads nowhere: what is said, and how to go on."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


@pytest.mark.parametrize(
    ("path", "ways"),
    [
        ("/nowhere", {"all runs": "/", "all rules": "/rules"}),
        ("/runs/none", {"all runs": "/"}),
        ("/runs/none/metrics", {"all runs": "/"}),
        ("/runs/one/layers/none", {"all layers": "/runs/one/layers", "the run": "/runs/one", "all runs": "/"}),
        ("/rules/none", {"all rules": "/rules", "all runs": "/"}),
    ],
)
def test_a_wrong_address_offers_ways_back(page: Page, address: str, path: str, ways: dict[str, str]) -> None:
    Training(address, "one").train(3)
    page.goto(f"{address}{path}")
    for word, href in ways.items():
        expect(page.locator(".tv-notice").get_by_role("link", name=word)).to_have_attribute("href", href)
    page.locator(".tv-notice").get_by_role("link").first.click()
    expect(page.locator(".tv-notice")).to_have_count(0)
