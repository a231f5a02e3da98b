"""Whether a training is alive, and whether the page is: what is said, and that it is true."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from tests.browser.training import Training
from tests.faults.conftest import Server
from tests.postgres import free_port
from tests.real_server import wait_until
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
QUIET = ".tv-runhead [data-quiet]"
AGE = re.compile(r"last data \d+ s ago")
LATE_TRIES = "() => tvConnection.stats().retry >= 5"  # the next one is eight seconds off, or more
PATIENCE_MS = 60_000.0


def heartbeat(training: Training) -> None:
    """The process lives, if the training does not go on."""
    httpx2.post(f"{training.base}/heartbeat", headers=training.headers).raise_for_status()


def test_a_run_that_falls_silent_says_how_old_its_data_are_until_data_come_again(
    page: Page, context: BrowserContext, address: str, artefacts: Path
) -> None:
    training, runs = Training(address, "silent"), context.new_page()
    training.train(30)
    page.goto(f"{address}/runs/silent")
    runs.goto(address)
    expect(page.locator("#live-word")).to_have_text("Live")
    expect(page.locator(QUIET)).to_be_empty()

    expect(page.locator(QUIET)).to_have_text(AGE, timeout=PATIENCE_MS)
    expect(runs.locator(".tv-cell-status [data-quiet]")).to_have_text(AGE)
    expect(runs.locator(".tv-cell-run .tv-dot")).to_have_class(re.compile("tv-hush"))
    said = page.locator(QUIET).inner_text()
    expect(page.locator(QUIET)).not_to_have_text(said)  # it counts
    page.screenshot(path=artefacts / "silent.png")
    heartbeat(training)
    expect(page.locator(QUIET)).to_have_attribute("title", re.compile("The process still answers"))

    training.train(30)
    expect(page.locator(QUIET)).to_be_empty()
    expect(runs.locator(".tv-cell-status [data-quiet]")).to_be_empty()
    expect(runs.locator(".tv-cell-run .tv-dot")).not_to_have_class(re.compile("tv-hush"))


def test_a_lost_run_says_what_that_means_and_goes_on_when_it_is_heard_again(
    page: Page, context: BrowserContext, tmp_path: Path, serve: Callable[[FastAPI], str], artefacts: Path
) -> None:
    settings = Settings(database=f"sqlite:///{tmp_path / 'runs.sqlite3'}", lost_after_seconds=2)
    address = serve(create_whole(settings))
    training, runs = Training(address, "lost"), context.new_page()
    training.train(30)
    page.goto(f"{address}/runs/lost")
    runs.goto(address)

    expect(page.locator(".tv-explained")).to_contain_text("its process probably died, or the network is away")
    expect(page.locator(QUIET)).to_have_text(re.compile(r"silent for \d+ s"))
    expect(page.locator("#live-word")).to_have_text("Waiting")  # and not "Ended": it may go on
    cell = runs.locator(".tv-cell-status [data-quiet]")
    expect(cell).to_have_text(re.compile(r"silent for \d+ s"))
    expect(cell).to_have_attribute("title", re.compile("process probably died"))
    page.screenshot(path=artefacts / "lost.png")

    def goes_on() -> bool:
        training.train(5)  # again and again: on a slow machine two seconds are over before the page is drawn
        words = page.locator(".tv-title").inner_text(), page.locator("#live-word").inner_text()
        return "Running" in words[0] and words[1] == "Live"

    wait_until(goes_on, what="the page to say that the run goes on")


def test_ages_are_told_by_the_server_s_clock(page: Page, address: str) -> None:
    training = Training(address, "punctual")
    training.train(30)
    page.clock.install(time=time.time() + 3600)
    page.goto(f"{address}/runs/punctual")
    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(30)
    expect(page.locator("[data-live=step]")).to_have_text("59")
    assert page.locator(QUIET).inner_text() == ""

    page.clock.fast_forward(40_000)
    expect(page.locator(QUIET)).to_have_text(AGE)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(data=tmp_path, port=free_port())
    running.start()
    yield running
    running.close()


def test_a_page_is_live_again_as_soon_as_a_killed_server_is_back(context: BrowserContext, server: Server) -> None:
    tab = context.new_page()  # its console may complain
    training = Training(server.url, "patient")
    training.train(30)
    tab.goto(f"{server.url}/runs/patient")
    expect(tab.locator("#live-word")).to_have_text("Live", timeout=PATIENCE_MS)
    server.kill()
    expect(tab.locator("#live-word")).to_have_text("Reconnecting")
    expect(tab.locator("#banner")).to_contain_text("The server does not answer")
    assert tab.locator(QUIET).inner_text() == ""  # a page that hears nothing cannot tell
    tab.wait_for_function(LATE_TRIES, timeout=PATIENCE_MS)

    server.start()
    expect(tab.locator("#banner")).to_be_empty(timeout=PATIENCE_MS)
    expect(tab.locator("#live-word")).to_have_text("Live", timeout=1500)
    training.train(30)
    expect(tab.locator("[data-live=step]")).to_have_text("59")


def test_a_connection_on_which_nothing_is_heard_any_more_is_made_anew(page: Page, address: str) -> None:
    training, connections = Training(address, "mute"), list[WebSocketRoute]()
    training.train(30)

    def mute_at_first(connection: WebSocketRoute) -> None:
        connections.append(connection)
        if len(connections) > 1:
            connection.connect_to_server()

    page.route_web_socket(re.compile("/live"), mute_at_first)
    page.clock.install()
    page.goto(f"{address}/runs/mute")
    expect(page.locator("#live-word")).to_have_text("Live")
    training.train(30)

    page.clock.fast_forward(60_000)
    expect(page.locator("[data-live=step]")).to_have_text("59")
    expect(page.locator("#live-word")).to_have_text("Live")


def test_what_was_told_of_a_run_before_the_table_was_there_is_in_the_table(page: Page, address: str) -> None:
    training = Training(address, "early")
    training.train(30)
    page.route("**/dash_ag_grid/**", lambda route: None)
    page.goto(address, wait_until="commit")
    page.wait_for_function("() => window.tvConnection?.isUp() && tvLive.stats().seq")
    known = page.evaluate("() => tvLive.stats().seq")
    training.end()
    page.wait_for_function(f"() => tvLive.stats().seq > {known}")
    page.unroute("**/dash_ag_grid/**")  # which lets go of those that were held
    expect(page.locator(".ag-row", has_text="net early").locator(".tv-cell-status")).to_contain_text("finished")
