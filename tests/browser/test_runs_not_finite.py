"""The page of runs where a loss is no number: it is seen, and said of what is left out."""

from __future__ import annotations

import math

import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import Training

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


@pytest.fixture
def ill(address: str) -> str:
    """A server with a run that is well, one whose loss became NaN, and one of which it never was a number."""
    for name, first in (("well", 1e9), ("ill", 50), ("never", 0)):
        Training(address, name).train(60, loss=lambda step, first=first: 1 / (1 + step) if step < first else math.nan)
    return address


def test_a_sparkline_ends_in_a_mark_where_the_loss_is_no_number_now(page: Page, ill: str) -> None:
    page.goto(ill)
    marks = {name: page.locator(".ag-row", has_text=f"net {name}").locator(".tv-cell-ill") for name in ("well", "ill")}
    expect(page.locator(".ag-row", has_text="net ill").get_by_role("img", name="The loss is NaN now")).to_be_visible()
    expect(marks["ill"]).to_have_count(1)
    expect(marks["well"]).to_have_count(0)
    expect(page.locator(".ag-row", has_text="net never").locator(".tv-cell-ill")).to_have_count(2)


def test_a_group_says_how_many_of_its_runs_have_a_finite_value(page: Page, ill: str) -> None:
    page.goto(f"{ill}/?group=project")
    groups = page.get_by_label("Groups by Project")
    expect(groups.locator("tbody td").nth(2)).to_contain_text("1 of 3 finite")
    page.goto(f"{ill}/?group=project&of=lr")
    expect(groups.locator("tbody td").nth(2)).to_have_text("0.001")
