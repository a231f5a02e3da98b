"""Ten thousand runs: the table scrolls to its end, finds one of them, and goes on living."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from tests.browser.training import Training
from trainvitals.wire.messages import RunStart
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings
from trainvitals_server.store import runs_table
from trainvitals_server.store.engine import Database, database_url, make_engine
from trainvitals_server.store.opening import open_store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
MANY = 10_000
TO_THE_END = "() => { document.querySelector('#runs-grid .ag-body-viewport').scrollTop = 1e9; }"


@pytest.fixture
def crowded(tmp_path: Path, serve: Callable[[FastAPI], str]) -> str:
    """The address of a server with many runs, the oldest of which is the needle."""
    settings = Settings(database=f"sqlite:///{tmp_path / 'runs.sqlite3'}")
    open_store(settings.database).close()
    database, now = Database(make_engine(database_url(settings.database))), time.time()
    with database.writing() as connection:
        for number in range(MANY):
            start = RunStart(
                project="haystack",
                name=f"straw {number}" if number else "needle",
                started_at=now - 10 * MANY + number,
                config={"lr": 0.5 if number == 7 else 0.1},
            )
            runs_table.start_run(connection, f"r{number}", start, now=now)
    database.close()
    return serve(create_whole(settings))


def test_ten_thousand_runs_are_scrolled_searched_and_live(page: Page, crowded: str) -> None:
    page.goto(crowded)
    expect(page.locator("#runs-count")).to_have_text("10,000 runs")
    expect(page.get_by_role("link", name="straw 9999", exact=True)).to_be_visible()
    assert page.locator(".ag-row").count() < 100  # only those in view are drawn

    page.evaluate(TO_THE_END)
    expect(page.get_by_role("link", name="needle", exact=True)).to_be_visible()
    expect(page.locator(".ag-row[row-index='9999']")).to_contain_text("needle")

    page.get_by_label("Search", exact=True).fill("straw lr>0.2")
    expect(page.locator("#runs-count")).to_have_text("1 run matches")
    expect(page.get_by_role("link", name="straw 7", exact=True)).to_be_visible()
    page.locator(".ag-row input[type=checkbox]").click()
    page.get_by_label("Search", exact=True).fill("")
    expect(page.locator("#runs-count")).to_have_text("10,000 runs")
    expect(page.get_by_role("link", name="Compare 1 run")).to_have_attribute("href", "/compare?runs=r7")

    Training(crowded, "new").train(5)
    expect(page.locator("#runs-count")).to_have_text("10,001 runs")
    expect(page.get_by_role("link", name="net new")).to_be_visible()

    page.goto(f"{crowded}/?text=straw&sort=created")  # an address says what is found, and in which order
    expect(page.locator(".ag-row[row-index='0']")).to_contain_text("straw 1")
    expect(page.locator("#runs-count")).to_have_text("9,999 runs match")
