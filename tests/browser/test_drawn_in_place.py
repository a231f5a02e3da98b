"""What the server draws as HTML is changed in place: each thing stays what it is, wherever it stands now."""

from __future__ import annotations

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.training import HEADERS, Training
from trainvitals.wire import coding
from trainvitals.wire.messages import LayerInfo, ModelInfo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    # pytest-base-url, which pytest-playwright brings, declares its fixture in a way that pytest 10 will refuse
    pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods"),
]

FOCUSED = "() => document.activeElement.textContent"


def test_a_search_among_many_layers_opens_what_it_found_and_folds_it_again(page: Page, address: str) -> None:
    run = Training(address, "deep")
    names = [f"blocks.{block}.{part}" for block in range(20) for part in ("attention", "mlp")]
    model = ModelInfo(layers=[LayerInfo(name=name, kind="Linear", parameters=100, trainable=100) for name in names])
    httpx2.put(f"{run.base}/model", content=coding.encode(model), headers=HEADERS).raise_for_status()
    page.goto(f"{address}/runs/deep/layers")
    page.locator("details[data-fold='layers blocks.2'] > summary").click()
    tree, leaves = page.locator("#layers-tree"), page.locator("#layers-tree a").locator("visible=true")
    expect(leaves).to_have_count(2)

    page.locator("#layers-text").fill("blocks.1")
    expect(page.locator("#layers-count")).to_have_text("22 of 40")
    expect(leaves).to_have_count(22)

    page.locator("#layers-text").fill("")
    expect(page.locator("#layers-count")).to_have_text("40 layers")
    expect(tree.locator("details[data-fold='layers blocks.2']")).to_have_attribute("open", "")
    expect(leaves).to_have_count(2)


def test_the_focus_stays_on_its_finding_when_a_graver_one_comes_above_it(page: Page, address: str) -> None:
    training = Training(address, "two")
    training.train(300)
    training.train(3, loss=lambda step: 500.0)
    training.train(60)
    page.goto(f"{address}/runs/two")
    page.locator(".tv-tl-btn", has_text="Loss spike").focus()
    training.train(5, loss=lambda step: float("nan"))
    expect(page.locator(".tv-tl-btn").first).to_contain_text("Non-finite values", timeout=20_000)

    assert "Loss spike" in page.evaluate(FOCUSED)


def test_an_address_that_was_cut_off_takes_nothing_from_the_page(page: Page, address: str) -> None:
    Training(address, "cut").train(60)
    page.goto(f"{address}/runs/cut#50%")
    expect(page.locator("#g-loss .js-line").first).to_be_attached(timeout=20_000)
    page.locator("[data-menu=page]").click()  # by a script that reads the address
    expect(page.get_by_role("menu")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Metrics").click()  # drawn by one that comes after it
    expect(page.locator(".tv-mc .js-line").first).to_be_attached(timeout=20_000)
