"""What a page says while the server's store is in trouble, and that it goes on by itself when that is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.training import Training
from tests.faults.conftest import Server, limit_files
from tests.postgres import Postgres, free_port

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
DRAWN = "#g-loss .js-plotly-plot .scatterlayer .js-line"
PATIENCE_MS = 60_000.0


@pytest.fixture
def tab(context: BrowserContext) -> Page:
    """One whose console may complain: browsers write down every answer that is no success."""
    return context.new_page()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(data=tmp_path, port=free_port())
    yield running
    running.close()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    cluster = Postgres()
    cluster.start()
    yield cluster
    cluster.remove()


def test_a_page_says_that_the_server_s_disk_is_full_and_when_that_is_over(
    tab: Page, server: Server, artefacts: Path
) -> None:
    server.start()
    training = Training(server.url, "crowded")
    training.train(60)
    tab.goto(f"{server.url}/runs/crowded")
    expect(tab.locator("#live-word")).to_have_text("Live", timeout=PATIENCE_MS)
    assert server.process is not None
    limit_files(server.process, 32_768)
    expect(tab.locator("#banner")).to_contain_text("The server has trouble", timeout=PATIENCE_MS)
    expect(tab.locator("#banner")).to_contain_text("nothing that was sent is lost")

    tab.goto(f"{server.url}/runs/crowded")  # what is stored can still be read
    tab.wait_for_selector(DRAWN)
    expect(tab.locator("#banner")).to_contain_text("The server has trouble", timeout=PATIENCE_MS)
    tab.screenshot(path=artefacts / "disk-full.png")

    limit_files(server.process, None)
    expect(tab.locator("#banner")).to_be_empty(timeout=PATIENCE_MS)
    training.train(60)
    expect(tab.locator("[data-live=step]")).to_have_text("119", timeout=PATIENCE_MS)


def test_who_goes_on_while_the_server_is_away_gets_there_when_it_is_back(tab: Page, server: Server) -> None:
    server.start()
    Training(server.url, "moved").train(60)
    tab.goto(f"{server.url}/runs/moved")
    tab.wait_for_selector(DRAWN)
    server.kill()
    tab.locator(".tv-tabs a", has_text="Settings").click()
    expect(tab.locator("#banner")).to_contain_text("does not answer", timeout=PATIENCE_MS)
    expect(tab).to_have_url(f"{server.url}/runs/moved/settings")

    server.start()
    expect(tab.locator(".tv-tabs a[aria-current=page]")).to_have_text("Settings", timeout=PATIENCE_MS)
    expect(tab.locator("#banner")).to_be_empty(timeout=PATIENCE_MS)


def test_a_page_opened_while_postgresql_is_away_says_so_and_fills_itself_when_it_is_back(
    tab: Page, server: Server, postgres: Postgres, artefacts: Path
) -> None:
    server.database = f"{postgres.url}/postgres"
    server.start()
    Training(server.url, "patient").train(60)
    tab.goto(f"{server.url}/runs/patient")
    expect(tab.locator("#live-word")).to_have_text("Live", timeout=PATIENCE_MS)
    postgres.stop()
    expect(tab.locator("#banner")).to_contain_text("The server has trouble", timeout=PATIENCE_MS)

    tab.goto(f"{server.url}/runs/patient")
    expect(tab.get_by_text("The server cannot answer just now")).to_be_visible(timeout=PATIENCE_MS)
    expect(tab.locator("#banner")).to_contain_text("The server has trouble", timeout=PATIENCE_MS)
    tab.screenshot(path=artefacts / "database-away.png")

    postgres.start()
    expect(tab.locator("h1")).to_have_text("net patient", timeout=PATIENCE_MS)
    tab.wait_for_selector(DRAWN, timeout=PATIENCE_MS)
    expect(tab.locator("#banner")).to_be_empty(timeout=PATIENCE_MS)
