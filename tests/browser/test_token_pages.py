"""Pages of a server that asks for its token: they ask for it, are as live as others, and ask again when it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.training import LAYERS, Training
from tests.faults.conftest import Server
from tests.postgres import free_port
from trainvitals_server.composition import create_whole
from trainvitals_server.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
TOKEN = "a long secret"
LAST_STEP = "() => document.querySelector('#g-loss .js-plotly-plot')?._fullData?.[2]?.x.at(-1) ?? -1"


@pytest.fixture
def guarded(tmp_path: Path, serve: Callable[[FastAPI], str]) -> str:
    """The address of a server that wants the token."""
    return serve(create_whole(Settings(database=f"sqlite:///{tmp_path / 'runs.sqlite3'}", token=TOKEN)))


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Server]:
    """One whose token changes with its start."""
    running = Server(data=tmp_path, port=free_port(), settings={"TRAINVITALS_TOKEN": TOKEN})
    running.start()
    yield running
    running.close()


def sign_in(page: Page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button").click()


def test_a_page_behind_a_token_asks_for_it(page: Page, guarded: str) -> None:
    page.goto(f"{guarded}/runs/nobody")
    sign_in(page)
    expect(page.get_by_text("no run 'nobody'", exact=False)).to_be_visible()
    page.goto(guarded)
    expect(page.get_by_text("No runs yet")).to_be_visible()


def test_a_training_behind_a_token_is_followed_live_and_its_layers_open(page: Page, guarded: str) -> None:
    training = Training(guarded, "secret", token=TOKEN)
    training.train(60)
    page.goto(f"{guarded}/runs/secret")
    sign_in(page)
    expect(page.locator("#live-word")).to_have_text("Live")
    page.wait_for_function(f"({LAST_STEP})() === 59")
    training.train(30)
    page.wait_for_function(f"({LAST_STEP})() === 89")
    page.wait_for_selector("#g-heat .js-plotly-plot .heatmaplayer image")
    page.locator("#g-heat .nsewdrag").first.click(position={"x": 200, "y": 8})
    expect(page.locator(".mantine-Drawer-title")).to_have_text(LAYERS[0])
    expect(page.locator(".mantine-Drawer-body .js-plotly-plot").first).to_be_visible()


def test_a_page_whose_token_is_no_longer_accepted_asks_for_the_new_one(
    context: BrowserContext, restarted: Server
) -> None:
    page = context.new_page()  # whose console may complain of refusals
    Training(restarted.url, "moved", token=TOKEN).train(60)
    page.goto(f"{restarted.url}/runs/moved?stat=grad_norm")
    sign_in(page)
    expect(page.locator("#live-word")).to_have_text("Live")
    restarted.kill()
    restarted.settings["TRAINVITALS_TOKEN"] = "another secret"
    restarted.start()
    expect(page.get_by_label("Token")).to_be_visible(timeout=60_000)
    sign_in(page, "another secret")
    expect(page.locator("h1")).to_have_text("net moved", timeout=30_000)
    assert page.url == f"{restarted.url}/runs/moved?stat=grad_norm"
