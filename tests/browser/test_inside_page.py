"""The page of a run's inside fills as a real training goes on, and shows what one chooses: layer, step, example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import nn
from torch.nn import functional

import trainvitals

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]


class Training:
    """A convolutional net that is looked at after each step."""

    def __init__(self, address: str, folder: Path) -> None:
        torch.manual_seed(3)
        self.model = nn.Sequential(
            nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 64, 3)
        )
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)
        self.run = trainvitals.init(project="pages", name="seen", server_url=address, directory=folder)
        self.run.watch(self.model, self.optimizer)

    def probe(self) -> None:
        self.run.probe((torch.randn(8, 1, 12, 12), torch.tensor([2, 1, 0, 0, 0, 0, 0, 0])), every=1)

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.optimizer.zero_grad()
            functional.cross_entropy(self.model(torch.randn(4, 1, 12, 12)), torch.zeros(4).long()).backward()
            self.optimizer.step()


@pytest.fixture
def training(address: str, tmp_path: Path) -> Iterator[Training]:
    begun = Training(address, tmp_path / "spool")
    yield begun
    begun.run.finish()


def test_pictures_come_by_themselves_and_go_on_with_the_training(page: Page, address: str, training: Training) -> None:
    training.step()
    expect_run(page, address, training)
    page.goto(f"{address}/runs/{training.run.run_id}/inside")
    expect(page.get_by_text("run.probe(next(iter(loader)))")).to_be_visible()
    expect(page.get_by_role("button", name="Copy").or_(page.locator(".tv-copy")).first).to_be_visible()

    training.probe()
    training.step(3)
    expect(page.get_by_role("heading", name="Activation maps")).to_be_visible()
    expect(page.locator("#inside-now")).to_have_text(re.compile(r"^\d+, the newest$"))

    training.step(2)
    expect(page.locator("#inside-count")).to_have_text("5 looks")
    expect(page.locator("#inside-now")).to_have_text("5, the newest")


def test_what_is_chosen_is_in_the_address_and_comes_again_with_it(page: Page, address: str, training: Training) -> None:
    training.probe()
    training.step(4)
    expect_run(page, address, training)
    page.goto(f"{address}/runs/{training.run.run_id}/inside")
    expect(page.locator("#inside-now")).to_have_text("3, the newest")
    layer = page.locator(".tv-in-layer")
    newest = maps_of(page)

    page.get_by_role("slider", name="Look, by its step").focus()
    page.keyboard.press("Home")
    expect(page.locator("#inside-now")).to_have_text("0")
    expect(page).to_have_url(re.compile(r"step=0"))
    page.wait_for_function("newest => document.querySelector('.tv-in-tiles img').src !== newest", arg=newest)

    page.locator("[data-inside-layer='2']").click()
    expect(layer.get_by_role("heading", name="Class activation")).to_be_visible()
    expect(layer.get_by_text("class 2: where the layer finds the class")).to_be_visible()
    page.get_by_role("button", name="Example 1").click()
    expect(layer.get_by_text("class 1: where the layer finds the class")).to_be_visible()
    expect(page.get_by_role("button", name="Example 1")).to_have_attribute("aria-pressed", "true")

    page.reload()
    expect(layer.get_by_text("class 1: where the layer finds the class")).to_be_visible()
    expect(page.locator("#inside-now")).to_have_text("0")
    expect(page.locator("[data-inside-layer][aria-current=true]")).to_have_text(re.compile("Conv2d"))

    layer.get_by_role("link", name="Stats of this layer").click()
    expect(page.get_by_role("link", name="All looks inside")).to_be_visible()
    expect(page.get_by_role("heading", name="Activity of units")).to_be_visible()


def expect_run(page: Page, address: str, training: Training) -> None:
    """The sender has its own pace: the run's page is there once the server has heard of it."""
    for _ in range(200):
        if page.request.get(f"{address}/api/v1/runs/{training.run.run_id}").ok:
            return
        page.wait_for_timeout(50)
    raise AssertionError("the server never heard of the run")


def maps_of(page: Page) -> str:
    picture = page.locator(".tv-in-tiles img").first
    expect(picture).to_be_visible()
    source = picture.get_attribute("src")
    assert source is not None
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    return source
