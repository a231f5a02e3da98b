"""A run's page inside another page, as a notebook shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser, Frame, Page, expect

import trainvitals as tv

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]
LAST = "() => document.querySelector('#g-loss .js-plotly-plot')?._fullData?.[1]?.x.at(-1)"


@pytest.fixture
def run(address: str, tmp_path: Path) -> Iterator[tv.Run]:
    with tv.init(project="notebooks", name="inline", server_url=address, directory=tmp_path / "spool") as running:
        yield running


def train(run: tv.Run, model: torch.nn.Module, optimizer: torch.optim.Optimizer, *, steps: int) -> None:
    for _ in range(steps):
        loss = model(torch.randn(8, 4)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss})


def inner(page: Page) -> Frame:
    return next(frame for frame in page.frames if "/runs/" in frame.url)


def test_the_page_is_live_inside_a_notebook(
    page: Page, run: tv.Run, notebook: Callable[[str], str], artefacts: Path
) -> None:
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    run.watch(model, optimizer)
    train(run, model, optimizer, steps=30)
    page.goto(notebook(run._repr_html_()))
    expect(page.frame_locator("iframe").locator("#live-word")).to_have_text("Live")
    inner(page).wait_for_function(f"({LAST})() === 29")
    train(run, model, optimizer, steps=30)
    inner(page).wait_for_function(f"({LAST})() === 59")
    page.screenshot(path=artefacts / "notebook.png")


def test_a_page_of_another_site_cannot_frame_it(browser: Browser, run: tv.Run, notebook: Callable[[str], str]) -> None:
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    elsewhere = notebook(run._repr_html_()).replace("localhost", "elsewhere.localhost")
    with page.expect_event("console"):
        page.goto(elsewhere)
    assert "frame-ancestors" in said[0]
    expect(page.frame_locator("iframe").locator("#shell")).to_have_count(0)
    page.close()
